"""The ``sloscore`` command: each subcommand is imported only when it is called."""

import importlib
import keyword
import sys
from typing import Any

import click

from sloscore import __version__
from sloscore.cli.exits import INTERRUPTED, INVALID, SOURCE
from sloscore.errors import SloscoreError, SourceError

_COMMANDS = {
    "backtest": "Score many past windows of a deployment.",
    "buckets": "Say which bucket bounds a task needs, and print the server's option.",
    "check": "Validate task files.",
    "db": "Check, back up and upgrade the store of a service.",
    "demo": "See it at work: simulated servers, a real Prometheus, three scored experiments.",
    "doctor": "Examine a set-up before anyone relies on it.",
    "import": "Turn SLOs of OpenSLO or Keptn into a task.",
    "rules": "Write SLOs as rules that Prometheus evaluates without the service.",
    "rescore": "Rank a task's experiments under other SLOs.",
    "run": "Run a load command, and score a deployment while it runs.",
    "score": "Score numbers, or a past window of a deployment.",
    "serve": "Run the service.",
    "simulate": "Run a simulated inference server.",
    "token": "Make a token, and the line of the settings that lets it in.",
}


class _LazyGroup(click.Group):
    """Finds a subcommand in the module of its own name (with a _ where Python has a keyword)."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        if cmd_name not in _COMMANDS:
            return None
        name = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        command = getattr(importlib.import_module(f"sloscore.cli.{name}"), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"sloscore.cli.{name}.{name} is not a command")
        return command

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  click's signature
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("sloscore: interrupted", err=True)
            ctx.exit(INTERRUPTED)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sloscore")
def cli() -> None:
    """SLO scores of LLM inference deployments that are being tuned.

    Start with `sloscore demo`, or score numbers that you have:

    \b
        sloscore score --task task.yaml --base-score 2.5 --value latency_p90=5.5
    """  # noqa: D301  \\b is click's mark for a paragraph that keeps its lines


def main() -> None:
    """Run a command; what goes wrong ends in one sentence on stderr and an exit code."""
    try:
        cli(prog_name="sloscore")
    except SloscoreError as error:
        click.echo(f"sloscore: {error}", err=True)
        sys.exit(SOURCE if isinstance(error, SourceError) else INVALID)
