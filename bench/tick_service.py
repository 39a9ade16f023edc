"""sloscore's side of bench_tick.py: a process for each, so that its processor time and memory are its own.

    python bench/tick_service.py sloscore|unchanged|floor|grouped|replay

The first line of its input is a JSON object: the ``url`` of Prometheus, how many ``experiments``, their
``window`` in seconds, the ``end`` of the data (Unix seconds) and how many ``ticks`` there will be. It
says "ready", does one tick for each line that follows, and prints a JSON object for each. ``held`` is the
longest time for which the event loop did not turn, in seconds.
"""

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from tick_data import ROLES, SCRAPE, instance_of, metric_of
from tick_others import peak_memory

from sloscore.errors import SourceError
from sloscore.evaluation.board import Board
from sloscore.evaluation.collector import calm_collector
from sloscore.evaluation.loop import POSTED_AT_ONCE, Evaluator
from sloscore.evaluation.plan import plan_registration
from sloscore.evaluation.tick import Live, batches, evaluate
from sloscore.experiments.model import new_experiment
from sloscore.experiments.store import ExperimentStore
from sloscore.promql_text import matcher
from sloscore.settings import EvaluationSettings, PrometheusSettings, ScrapeSettings
from sloscore.sources import promql
from sloscore.sources.prometheus import PrometheusSource
from sloscore.sources.routed import RoutedSource
from sloscore.sources.scrape import ScrapeSource
from sloscore.telemetry import Telemetry
from sloscore.wire import Registration

LIMITS = {"latency": 2.0, "ttft": 0.1, "tpot": 0.4, "queue": 2.0}
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
# As many queries at a time as the service has by default.
AT_A_TIME = 8
TICKER_SECONDS = 0.001

Given = Mapping[str, Any]
Tick = Callable[[float], Awaitable[object]]


def registration(number: int) -> dict[str, Any]:
    """An experiment with an SLO for each of three percentiles of four histograms."""
    slo = {
        role: {name: {"threshold": limit} for name in QUANTILES} for role, limit in LIMITS.items()
    }
    return {
        "id": f"trial-{number}",
        "task": {"task_name": "bench", "server": "vllm", "slo": slo},
        "selector": {"instance": instance_of(number)},
    }


def running(given: Given, start: float) -> list[Live]:
    """The experiments, whose windows begin at ``start`` (Unix seconds)."""
    documents = (registration(number) for number in range(given["experiments"]))
    return [
        Live.of(plan_registration(Registration.model_validate(document)), start)
        for document in documents
    ]


@asynccontextmanager
async def sloscore(given: Given) -> AsyncIterator[Tick]:
    """What the service does at each interval, with windows that are open by now."""
    first = given["end"] - SCRAPE * given["ticks"]
    lives = running(given, first - given["window"])
    source, board = (
        PrometheusSource(PrometheusSettings(url=given["url"], timeout=60.0)),
        Board(3600.0, 10_000),
    )
    turn = asyncio.Lock()

    async def evaluated(batch: list[Live], now: float) -> None:
        reports = await evaluate(source, batch, now, turn)
        for number, (key, found) in enumerate(reports.items(), 1):
            if isinstance(found, SourceError):
                raise found
            board.post(key, found)
            if number % POSTED_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def tick(now: float) -> None:
        tasks = []
        for batch in list(batches(lives)):
            tasks.append(asyncio.create_task(evaluated(batch, now)))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)

    await tick(first)
    yield tick
    posted = board.get("trial-0")
    assert posted is not None
    assert posted.report.score is not None
    await source.close()


@asynccontextmanager
async def unchanged(given: Given) -> AsyncIterator[Tick]:
    """The same where nothing was scraped since the last tick."""
    at = given["end"] - SCRAPE / 2
    async with sloscore({**given, "ticks": 1}) as tick:
        # Once to see the samples, and once to know that they are those.
        await tick(at)
        await tick(at)
        yield lambda _: tick(at)


@asynccontextmanager
async def floor(given: Given) -> AsyncIterator[Tick]:
    """The HTTP calls of the service's tick alone: the same bodies, read and thrown away."""
    settings = PrometheusSettings()
    targets = [[live.target for live in batch] for batch in batches(running(given, 0.0))]
    limits = settings.max_query_targets, settings.max_query_bytes
    # When anything was scraped, then what was.
    queries = [
        [ask(chunk) for batch in targets for chunk in promql.chunks(batch, *limits)]
        for ask in (promql.times_query, promql.snapshot_query)
    ]
    async with aiohttp.ClientSession() as session:
        times, snapshots = (_asking(session, given, part, _thrown_away) for part in queries)

        async def tick(now: float) -> None:
            await times(now)
            await snapshots(now)

        yield tick


@asynccontextmanager
async def grouped(given: Given) -> AsyncIterator[Tick]:
    """A query for each histogram and quantile, whose answers are read as JSON."""
    names = [instance_of(number) for number in range(given["experiments"])]
    only = matcher("instance", names)
    queries = [
        f"histogram_quantile({quantile}, sum by (le, instance) "
        f"(increase({metric_of(role)}_bucket{{{only}}}[{given['window']}s])))"
        for role in ROLES
        for quantile in QUANTILES.values()
    ]

    async def read(answer: aiohttp.ClientResponse) -> None:
        rows = orjson.loads(await answer.read())["data"]["result"]
        assert len([float(row["value"][1]) for row in rows]) == given["experiments"]

    async with aiohttp.ClientSession() as session:
        yield _asking(session, given, queries, read)


def _asking(
    session: aiohttp.ClientSession,
    given: Given,
    queries: list[str],
    read: Callable[[aiohttp.ClientResponse], Awaitable[None]],
) -> Tick:
    slots = asyncio.Semaphore(AT_A_TIME)

    async def ask(query: str, now: float) -> None:
        form = {"query": query, "timeout": "60s", "nocache": "1", "time": f"{now:.3f}"}
        async with slots, session.post(f"{given['url']}/api/v1/query", data=form) as answer:
            assert answer.status == 200, await answer.text()
            await read(answer)

    async def tick(now: float) -> None:
        await asyncio.gather(*(ask(query, now) for query in queries))

    return tick


async def _thrown_away(answer: aiohttp.ClientResponse) -> None:
    async for _ in answer.content.iter_any():
        pass


@asynccontextmanager
async def replay(given: Given) -> AsyncIterator[Tick]:
    """The service takes up experiments from its store, as after a restart, and reports each."""
    with tempfile.TemporaryDirectory() as place:
        store = await ExperimentStore.open(Path(place) / "sloscore.db")
        count, end = given["experiments"], given["end"]
        for number in range(count):
            # No two began at the same time.
            start = end - given["window"] + number * 60.0 / count
            await store.register(
                new_experiment(
                    f"trial-{number}", "bench", registration(number), "minimize_latency",
                    "minimize", start, start,
                )
            )  # fmt: skip
        telemetry, board = Telemetry(), Board(3600.0, 10_000)
        prometheus = PrometheusSource(
            PrometheusSettings(url=given["url"], timeout=60.0), telemetry.on_query
        )
        source = RoutedSource(prometheus, ScrapeSource(ScrapeSettings()))
        settings = EvaluationSettings()

        async def tick(now: float) -> None:
            behind = time.time() - now
            evaluator = Evaluator(
                store, source, board, settings, telemetry, lambda: time.time() - behind
            )
            await evaluator.resume()
            schedule = asyncio.create_task(evaluator.run())
            while sum(1 for _ in board) < count:  # noqa: ASYNC110  the board wakes nobody for all
                await asyncio.sleep(0.01)
            schedule.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await schedule
            seen = [posted.report.window for posted in board]
            assert all(window and window.requests for window in seen)

        yield tick
        await source.close()
        await store.close()


async def measured(tick: Tick, now: float) -> dict[str, float]:
    """A tick with its wall time, processor time, memory, and how long it held the loop."""
    held = 0.0

    async def watch() -> None:
        nonlocal held
        while True:
            slept = time.perf_counter()
            await asyncio.sleep(TICKER_SECONDS)
            held = max(held, time.perf_counter() - slept - TICKER_SECONDS)

    watching = asyncio.create_task(watch())
    began, used = time.perf_counter(), time.process_time()
    await tick(now)
    wall, cpu = time.perf_counter() - began, time.process_time() - used
    await asyncio.sleep(0.01)
    watching.cancel()
    return {"wall": wall, "cpu": cpu, "rss": peak_memory(), "held": held}


CLIENTS = {
    "sloscore": sloscore,
    "unchanged": unchanged,
    "floor": floor,
    "grouped": grouped,
    "replay": replay,
}


async def run() -> None:
    given = orjson.loads(sys.stdin.readline())
    # As `sloscore serve` does.
    calm_collector()
    async with CLIENTS[sys.argv[1]](given) as tick:
        print("ready", flush=True)
        for number in range(given["ticks"]):
            await asyncio.to_thread(sys.stdin.readline)
            now = given["end"] - SCRAPE * (given["ticks"] - 1 - number)
            print(orjson.dumps(await measured(tick, now)).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(run())
