"""docs/reference/cli.md: what each command says of itself."""

from collections.abc import Iterator
from typing import Final

import click

from sloscore.cli.main import cli
from tools.reference.markdown import code, page

_WIDTH: Final = 100


def make() -> str:
    """The page."""
    parts = [f"## {name}\n\n{code(text)}" for name, text in _helps("sloscore", cli, None)]
    codes = "Exit codes are in [one table](../run.md#exit-codes)."
    return page("Commands", "Each with what its `--help` prints. " + codes, *parts)


def _helps(
    name: str, command: click.Command, parent: click.Context | None
) -> Iterator[tuple[str, str]]:
    context = click.Context(
        command, parent, info_name=name, terminal_width=_WIDTH, **command.context_settings
    )
    text = command.get_help(context)
    yield context.command_path, "\n".join(line.rstrip() for line in text.splitlines())
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found is not None:
                yield from _helps(inner, found, context)
