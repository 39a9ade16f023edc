"""``sloscore demo``: the main job on real input."""

import sys

import click


@click.command(
    epilog="""
    \b
    Example:
      sloscore demo --seconds 30
    """
)
@click.option(
    "--seconds", type=click.FloatRange(min=15, max=600), default=40, show_default=True,
    help="Seconds of load.",
)  # fmt: skip
@click.option(
    "--keep/--no-keep", default=None,
    help="Leave it running until Ctrl-C, to look around. [default: on a terminal]",
)  # fmt: skip
def demo(*, seconds: float, keep: bool | None) -> None:
    """See it at work: three simulated servers, a real Prometheus, three scored experiments.

    One server is healthy, one breaks soft SLOs, one breaks a hard SLO. Prometheus is taken from
    PATH, or fetched without root through apt's own download.
    """
    from sloscore.demo.run import run_demo

    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    run_demo(seconds, keep=interactive if keep is None else keep)
