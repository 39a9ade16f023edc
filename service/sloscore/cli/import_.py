"""``sloscore import``: objectives of OpenSLO or Keptn as a task, and what was left out."""

from pathlib import Path

import click

from sloscore.cli.exits import WARNING
from sloscore.errors import SloscoreError


@click.command(
    name="import",
    epilog="""
    \b
    Examples:
      sloscore import chat-slo.yaml -o task.yaml
      sloscore import slo.yaml sli.yaml --name chat
      sloscore import slo.yaml --unit ms
    \b
    Exit codes: 0 all of it is in the task, 1 it cannot be read or holds nothing for a task,
    2 wrong usage, 10 something was left out.
    """,
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--name", help="Name of the task. [default: the service, or the file's name]")
@click.option(
    "--unit", type=click.Choice(["s", "ms", "us"]),
    help="Unit of the criteria of Keptn whose query does not tell it.",
)  # fmt: skip
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="File. [default: standard output]"
)
@click.pass_context
def import_(
    context: click.Context,
    files: tuple[str, ...],
    *,
    name: str | None,
    unit: str | None,
    output: Path | None,
) -> None:
    """Turn SLOs of OpenSLO v1, or a slo.yaml of Keptn, into a task.

    Several files, and several documents of a file, become one task. What a task has no place for
    goes to standard error as file:line: field: why.
    """
    import yaml

    from sloscore.interop.read import import_files

    imported = import_files(files, name, unit)
    for left in imported.left_out:
        click.echo(f"{left}", err=True)
    text = yaml.safe_dump(imported.task, sort_keys=False, allow_unicode=True)
    if output is None:
        click.echo(text, nl=False)
    else:
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise SloscoreError(f"{output}: cannot be written: {error.strerror}") from None
    if imported.left_out:
        click.echo(f"sloscore: {len(imported.left_out)} fields were left out", err=True)
        context.exit(WARNING)
