"""``sloscore doctor``: examine a set-up before anyone relies on it."""

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sloscore.cli.exits import CRITICAL, OK, WARNING
from sloscore.cli.options import pairs, prometheus_settings, read_settings

if TYPE_CHECKING:
    from sloscore.advice.findings import Examination, Finding

_EXITS = {"ok": OK, "info": OK, "warning": WARNING, "critical": CRITICAL}
_COLORS = {"critical": "red", "warning": "yellow", "ok": "green"}
_WIDTH = 100
_INDENT = 22


@click.command(
    epilog="""
    \b
    Examples:
      sloscore doctor --task task.yaml --prometheus http://127.0.0.1:9090
      sloscore doctor --task task.yaml --selector instance=10.0.0.5:8000 --window 2m --json
    \b
    Exit codes: 0 nothing worse than an info, 1 invalid input, 2 wrong usage, 10 a warning,
    11 something critical.
    """
)
@click.option("--task", type=click.Path(path_type=Path), required=True, help="Task file.")
@click.option(
    "--selector", multiple=True, callback=pairs, metavar="LABEL=VALUE",
    help="Which deployment, by a label of its series. Repeatable. [default: the task's]",
)  # fmt: skip
@click.option(
    "--server", help="Preset of the server's metrics. [default: the task's, or by its metrics]"
)
@click.option(
    "--prometheus", envvar="SLOSCORE_PROMETHEUS_URL",
    help="URL of Prometheus. [default: the config's, or http://127.0.0.1:9090]",
)  # fmt: skip
@click.option(
    "--config", type=click.Path(path_type=Path),
    help="The service's settings: how to reach Prometheus.",
)  # fmt: skip
@click.option(
    "--window", default="5m", show_default=True, help="How long experiments take, such as 5m."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def doctor(  # noqa: PLR0913  an option each
    ctx: click.Context,
    *,
    task: Path,
    selector: dict[str, str],
    server: str | None,
    prometheus: str | None,
    config: Path | None,
    window: str,
    as_json: bool,
) -> None:
    """Examine through Prometheus whether a deployment has all that its scores need.

    Looks at the connection, the scrapes, the metrics, their buckets against the task's SLOs, and
    the load. It only asks, and changes nothing.
    """
    import asyncio

    from sloscore.advice.doctor import Doctor
    from sloscore.errors import SpecError
    from sloscore.settings_base import parse_duration
    from sloscore.spec.loader import load_task, validate
    from sloscore.spec.model import TaskSpec

    try:
        seconds = parse_duration(window)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--window") from None
    if not isinstance(seconds, float) or seconds < 1:
        raise click.BadParameter("must be at least 1s", param_hint="--window")
    spec = load_task(task)
    given = {"selector": selector or spec.selector, "server": server or spec.server}
    spec = validate(TaskSpec, {**spec.model_dump(exclude_unset=True), **given}, str(task))
    read = read_settings(config)
    if not read.prometheus.enabled:
        raise SpecError(["prometheus.enabled: is false, and doctor looks through Prometheus"])
    patient = Doctor(
        spec,
        prometheus_settings(read, prometheus),
        window=seconds,
        closing_wait=read.evaluation.closing_wait,
    )
    found = asyncio.run(patient.examine())
    click.echo(json.dumps(_as_json(found), indent=2) if as_json else "\n".join(_as_text(found)))
    ctx.exit(_EXITS[found.worst])


def _as_json(found: "Examination") -> dict[str, Any]:
    return {
        "prometheus": found.prometheus,
        "engine": found.engine,
        "server": found.server,
        "selector": dict(found.selector),
        "window": found.window,
        "worst": found.worst.value,
        "findings": [
            {
                "severity": one.severity.value,
                "check": one.check.value,
                "found": one.found,
                "means": one.means or None,
                "mend": one.mend or None,
                "command": one.command or None,
            }
            for one in _worst_first(found)
        ],
    }


def _worst_first(found: "Examination") -> list["Finding"]:
    from sloscore.advice.findings import BY_SEVERITY

    return sorted(found.findings, key=lambda one: BY_SEVERITY.index(one.severity))


def _as_text(found: "Examination") -> Iterator[str]:
    from sloscore.advice.findings import BY_SEVERITY

    shown: set[str] = set()
    for one in _worst_first(found):
        yield from _lines(one)
        if one.command and one.command not in shown:
            yield one.command
            shown.add(one.command)
    numbers = [sum(one.severity is each for one in found.findings) for each in BY_SEVERITY]
    yield ""
    yield ", ".join(f"{n} {each}" for n, each in zip(numbers, BY_SEVERITY, strict=True))


def _lines(one: "Finding") -> Iterator[str]:
    """A finding in two columns; what it means and how to mend it below."""
    head = f"{one.severity.upper():<8}  {one.check:<10}"
    first, *more = _wrapped(one.found)
    color = _COLORS.get(one.severity)
    yield f"{click.style(head, fg=color)}  {first}"
    for line in more + _wrapped(one.means) + _wrapped(one.mend, "-> "):
        yield " " * _INDENT + line


def _wrapped(text: str, mark: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH - _INDENT,
        initial_indent=mark,
        subsequent_indent=" " * len(mark),
        break_on_hyphens=False,
    )
