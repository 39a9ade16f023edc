"""The HTTP API: scores a second beside a bare aiohttp server, long polls, and the cost of /metrics.

A real Prometheus scrapes two servers' pages, and a real ``sloscore serve`` scores an experiment on
each; for /metrics another one holds thousands of ended experiments.

    python bench/bench_api.py [--short] [--write docs/benchmarks.md]
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from api_metrics import metrics_table
from api_polls import polls_table
from api_service import EXPERIMENTS, NUMBERS, SLO, Service
from document import part_options, publish
from http_load import Load, hammer
from laboratory import announced, laboratory

from sloscore.simulate.process import ChildProcess

SCRAPE_SECONDS = 1.0


@dataclass(frozen=True)
class Case:
    """A request that is measured, and the name of what the bare server answers."""

    title: str
    path: str
    name: str
    body: bytes | None = None


CASES = (
    Case("score of a running experiment", f"{EXPERIMENTS}/running/score", "running"),
    Case("score of an ended one", f"{EXPERIMENTS}/ended/score", "ended"),
    Case("four numbers scored", "/api/v1/score", "numbers", orjson.dumps(NUMBERS)),
)


def rates(service: str, place: Path, seconds: int, rounds: int) -> Iterator[str]:
    """The table of requests a second; service and bare server take turns."""
    yield "| request | sloscore | bare aiohttp | share | p50 | p99 | bare p50 | bare p99 |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    command = [sys.executable, str(Path(__file__).with_name("bare_server.py")), str(place)]
    server = ChildProcess("bare server", command, place / "bare.log")
    try:
        bare = announced(server, r"bare server at (\S+)")
        for case in CASES:
            body = None if case.body is None else place / "body"
            if body is not None:
                body.write_bytes(case.body or b"")
            pairs = [
                (
                    hammer(service + case.path, seconds, body),
                    hammer(bare + case.path, seconds, body),
                )
                for _ in range(rounds)
            ]
            yield line(case.title, [own for own, _ in pairs], [other for _, other in pairs])
    finally:
        server.stop()


def line(title: str, own: list[Load], bare: list[Load]) -> str:
    """A line of the table: medians of the rounds."""
    assert not any(load.errors for load in (*own, *bare)), (own, bare)
    share = statistics.median(a.rate / b.rate for a, b in zip(own, bare, strict=True))
    a, b = (statistics.median(load.rate for load in loads) for loads in (own, bare))
    times = [
        statistics.median(getattr(load, field) for load in loads) * 1000
        for loads in (own, bare)
        for field in ("p50", "p99")
    ]
    figures = " | ".join(f"{each:.1f} ms" for each in times)
    return f"| {title} | {a:,.0f}/s | {b:,.0f}/s | {share:.0%} | {figures} |"


def say(text: str) -> None:
    """Progress, beside the tables."""
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


async def api_lines(service: Service, place: Path, seconds: int, rounds: int) -> list[str]:
    """The table of requests a second, after both experiments are there."""
    # Once all three servers are scraped, windows begin with a scrape.
    for number, name in enumerate(("first", "second", "third")):
        await service.register(name, number)
        await service.until_counted(name)
    for number, name in enumerate(("running", "ended")):
        await service.register(name, number)
        await service.until_counted(name)
    await service.ask(f"{EXPERIMENTS}/ended/finish", {})
    await service.ask(f"{EXPERIMENTS}/ended/score?wait=60")
    for case in CASES:
        body = None if case.body is None else orjson.loads(case.body)
        (place / f"{case.name}.json").write_bytes(await service.ask(case.path, body))
    return await asyncio.to_thread(list, rates(service.url, place, seconds, rounds))


async def measured(
    given: argparse.Namespace,
) -> tuple[list[str], list[str], Mapping[str, Any]]:
    """The tables of requests and of long polls, and the report of an ended experiment."""
    seconds, rounds = (1, 1) if given.short else (3, 3)
    polls = 200 if given.short else 1000
    with (
        tempfile.TemporaryDirectory() as place,
        laboratory(3, SCRAPE_SECONDS, options=("--interval", "1s")) as lab,
    ):
        async with aiohttp.ClientSession() as session:
            service = Service(session, lab.url)
            say("requests a second")
            requests = await api_lines(service, Path(place), seconds, rounds)
            say("long polls")
            lines = await polls_table(service, polls, rounds)
            report = orjson.loads(await service.ask(f"{EXPERIMENTS}/ended/score"))
    return requests, lines, report


def main() -> None:
    given = part_options(__doc__)
    requests, polls, report = asyncio.run(measured(given))
    publish(requests, "api", given.write)
    publish(polls, "polls", given.write)
    numbers = (500,) if given.short else (1000, 5000, 10_000)
    say("/metrics")
    publish(metrics_table(report, SLO, numbers, 1 if given.short else 3), "metrics", given.write)


if __name__ == "__main__":
    main()
