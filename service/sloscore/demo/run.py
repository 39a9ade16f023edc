"""The demo from its first process to its last line."""

import asyncio
import contextlib
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

import click

from sloscore.demo.candidates import CANDIDATES, TASK
from sloscore.demo.screen import Screen, summary, table
from sloscore.demo.stack import Stack, running_stack
from sloscore.demo.tuner import Tuner
from sloscore.tables import remarks
from sloscore.wire import Report

_LOOK_SECONDS = 1.0


def run_demo(load_seconds: float, *, keep: bool) -> None:
    """Score three candidates over ``load_seconds`` of load; with ``keep`` leave it all running.

    Ends with everything stopped, on SIGINT and SIGTERM too. Raises SloscoreError where a part
    cannot start.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with tempfile.TemporaryDirectory(prefix="sloscore-demo-") as place:
            _run(Path(place), load_seconds, keep=keep)
    except KeyboardInterrupt:
        click.echo("\nStopped; nothing is left running.")
        sys.exit(130)


def _run(place: Path, load_seconds: float, *, keep: bool) -> None:
    with running_stack(place, _say) as stack:
        asyncio.run(_score(stack, load_seconds))
        if keep:
            _tell_urls(stack)
            click.echo("\nAll of it goes on running. Press Ctrl-C to stop.")
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
    click.echo("\nDone; nothing is left running.")


async def _score(stack: Stack, load_seconds: float) -> None:
    names = [candidate.name for candidate in CANDIDATES]
    async with Tuner(stack.service) as tuner:
        if stack.prometheus is not None:
            for address in stack.servers.values():
                await stack.prometheus.wait_for_scrape(address, after=0)
        _say(f"Registering {len(names)} experiments at {stack.service}, as a tuner would")
        for candidate in CANDIDATES:
            deployment = _deployment(stack, stack.servers[candidate.name])
            await tuner.register(candidate.name, TASK, candidate.kind, deployment)
        _say(f"Scoring them while {load_seconds:g} s of load run\n")
        await _watch(tuner, names, load_seconds)
        _say("The load has ended; waiting for the scrapes that close the windows\n")
        for name in names:
            await tuner.finish(name)
        _tell_final([await tuner.final_score(name) for name in names])


def _deployment(stack: Stack, address: str) -> dict[str, object]:
    if stack.prometheus is not None:
        return {"selector": {"instance": address}}
    return {"target": f"http://{address}/metrics", "scrape_interval": "1s"}


async def _watch(tuner: Tuner, names: list[str], load_seconds: float) -> None:
    screen = Screen(live=sys.stdout.isatty())
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < load_seconds:
        screen.show(await tuner.scores(names), elapsed, load_seconds)
        await asyncio.sleep(_LOOK_SECONDS)
    screen.show(await tuner.scores(names), load_seconds, load_seconds)
    click.echo()


def _tell_final(reports: list[Report]) -> None:
    for line in table(reports):
        click.echo(line)
    for report in reports:
        for sentence in remarks(report):
            click.echo(f"{report.experiment}: {sentence}")
    click.echo("\nFinal scores (lower is better):")
    for report in sorted(reports, key=_badness):
        click.echo(f"  {report.experiment or '':<20} {summary(report)}")


def _badness(report: Report) -> tuple[bool, float]:
    return report.score is None, report.score or 0.0


def _tell_urls(stack: Stack) -> None:
    click.echo("\nTo open in a browser:")
    urls = {
        "the service's page": f"{stack.service}/",
        "ranking of the task": f"{stack.service}/api/v1/tasks/demo",
        "a whole report": f"{stack.service}/api/v1/experiments/{CANDIDATES[1].name}/score",
        "gauges": f"{stack.service}/metrics",
    }
    if stack.prometheus is not None:
        graph = f"{stack.prometheus.url}/graph?g0.expr=sloscore_sli_penalty"
        urls["penalties in Prometheus"] = graph
    for what, url in urls.items():
        click.echo(f"  {what:<24} {url}")


def _say(line: str) -> None:
    click.echo(f"==> {line}" if not line.startswith(" ") else f"    {line.strip()}")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
