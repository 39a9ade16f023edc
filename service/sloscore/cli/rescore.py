"""``sloscore rescore``: what the ranking of a task would be under other SLOs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from sloscore.cli import exits
from sloscore.cli.options import pairs, say
from sloscore.cli.service import ServiceAccess, service_options
from sloscore.errors import SpecError

_HEADER = ("RANK", "WAS", "EXPERIMENT", "SCORE", "WAS", "STATUS", "BINDING")


@click.command(
    epilog="""
    \b
    Examples:
      sloscore rescore --task chat --set latency.p90.threshold=4
      sloscore rescore --task chat --slo stricter.yaml --json
    \b
    Exit codes: 0 rescored, 1 invalid input, 6 the service failed or is away.
    """,
)
@click.option("--task", required=True, metavar="NAME", help="The task, as it was registered.")
@click.option(
    "--slo", "file", type=click.Path(path_type=Path),
    help="Task file, or a file that holds an slo section alone.",
)  # fmt: skip
@click.option(
    "--set", "changes", multiple=True, callback=pairs, metavar="PATH=VALUE",
    help="Change one value of the newest experiment's slo section; null takes it away. Repeatable.",
)  # fmt: skip
@service_options
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@click.pass_context
def rescore(  # noqa: PLR0913  an option each
    ctx: click.Context,
    *,
    task: str,
    file: Path | None,
    changes: dict[str, str],
    service: ServiceAccess,
    as_json: bool,
) -> None:
    """Judge the ended experiments of a task again, under other SLOs, and rank them.

    The service does so from the counts that it keeps of their windows; it changes nothing. Each
    experiment stands with its rank and its score, and with those that it has been given.
    """
    from sloscore.client import calls
    from sloscore.client.errors import RequestRefused, SLOClientError

    if (file is None) == (not changes):
        raise click.UsageError("give either --slo FILE or --set PATH=VALUE")
    change = {"slo": _section(file)} if file else {"set": _values(changes)}
    try:
        answer = service.client().call(calls.rescore(task, change))
    except RequestRefused as error:
        raise SpecError([str(error)]) from None
    except SLOClientError as error:
        say(str(error))
        ctx.exit(exits.SERVICE)
    if as_json:
        click.echo(json.dumps(answer, indent=2))
    else:
        _show(answer)


def _section(file: Path) -> Any:  # noqa: ANN401  a JSON document
    from sloscore.spec.section import load_task_or_slo

    _, document = load_task_or_slo(file)
    return document.get("slo")


def _values(changes: Mapping[str, str]) -> dict[str, Any]:
    """Values as JSON writes them; what is none is text."""
    found = {}
    for path, text in changes.items():
        try:
            found[path] = json.loads(text)
        except ValueError:
            found[path] = text
    return found


def _show(answer: Mapping[str, Any]) -> None:
    from sloscore.advice.words import counted
    from sloscore.tables import columns

    rows = [_row(one) for one in answer["experiments"]]
    for line in columns([_HEADER, *rows]):
        click.echo(line)
    if answer["left_out"]:
        are = "is" if answer["left_out"] == 1 else "are"
        number = counted(answer["left_out"], "experiment")
        click.echo(f"{number} {are} left out: live, aborted or not comparable.")
    for one in answer["experiments"]:
        if one["unscorable"]:
            click.echo(f"{one['experiment']}: {one['unscorable']}")


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    from sloscore.tables import number

    before, after = one["before"], one["after"] or {}
    binding = after.get("binding_constraint")

    def shown(score: float | str | None) -> str:
        return number(None if score is None else float(score), 6)

    return (
        str(after.get("rank") or "-"),
        str(before["rank"] or "-"),
        one["experiment"],
        shown(after.get("score")),
        shown(before["score"]),
        after.get("status", "-"),
        "-" if binding is None else f"{binding} {float(after['constraints'][binding]):+.1%}",
    )
