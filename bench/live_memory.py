"""What experiments take in memory: a process for each figure, so that nothing else is in it.

    python bench/live_memory.py live|traced|ended EXPERIMENTS SCRAPES

It prints a JSON object. Live experiments are evaluated as the service does it, on answers that its own
reader of Prometheus' answers has read: one server each, four histograms of 22 bounds, four SLOs, and a
scrape every 15 s. ``live`` and ``ended`` tell resident bytes, ``traced`` what Python allocated.
"""

import asyncio
import gc
import itertools
import math
import os
import sys
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from laboratory import usage

from sloscore.core.samples import Family, FamilyKind, Target
from sloscore.errors import SourceError
from sloscore.evaluation.board import Board
from sloscore.evaluation.plan import plan_registration
from sloscore.evaluation.tick import Live, batches, evaluate
from sloscore.sources import promql
from sloscore.sources.base import Snapshot
from sloscore.sources.columns import ColumnReader
from sloscore.wire import Registration

ROLES = ("latency", "ttft", "tpot", "queue")
BOUNDS = (
    *(round(0.1 * 1.35**power, 3) for power in range(22)),
    math.inf,
)
START, SCRAPE = 1_700_000_000.0, 15.0
CHUNK = 50


class Answers:
    """A metric source whose answers are made here and read by the service's own reader."""

    def __init__(self) -> None:
        self._reader = ColumnReader()

    async def snapshot(
        self, targets: Sequence[Target], at: float
    ) -> Mapping[str, Snapshot | SourceError]:
        found: dict[str, Snapshot | SourceError] = {}
        for chunk in promql.chunks(targets, CHUNK, 10_000_000):
            answer = self._reader.read(answer_to(chunk, at), chunk, {})
            found |= {target.key: answer.samples[target.selector] for target in chunk.targets}
        return found

    async def samples(self, target: Target, after: float, until: float) -> Snapshot:
        raise NotImplementedError

    async def names(self, target: Target, at: float, seconds: float) -> frozenset[str]:
        raise NotImplementedError

    async def check(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        pass


def answer_to(chunk: promql.Chunk, at: float) -> bytes:
    """The answer of Prometheus to a snapshot's query."""
    rows = [
        {"metric": names | labels, "value": [at, f"{value:.15g}"]}
        for target in chunk.targets
        for names, labels, value in rows_of(target, at)
    ]
    return orjson.dumps({"status": "success", "data": {"resultType": "vector", "result": rows}})


def rows_of(target: Target, at: float) -> Iterator[tuple[dict[str, str], dict[str, str], float]]:
    """Names, labels and values of what a server shows at a time, of its 10 requests a second."""
    own = {**dict(target.selector), "job": "inference"}
    model = {**own, "engine": "0", "model_name": "llama-3.3-70b"}
    # Each server has its own numbers.
    done = 10 * (at - START + 3600) + sum(map(ord, target.key))
    told = [("up", own), ("process_start_time_seconds", own)]
    yield {"__name__": "up"}, own, 1
    yield {"__name__": "process_start_time_seconds"}, own, START - 7200
    for family in target.families:
        name = family.names[0]
        last = name
        for series, le, value in series_of(family, done):
            yield {"__name__": series, **le}, model, value
            last = series
        told.append((last, model))
    for name, labels in told:
        part = {promql.PART_LABEL: f"{promql.PART_TIME_PREFIX}{name}"}
        yield part, labels, at


def series_of(family: Family, done: float) -> Iterator[tuple[str, dict[str, str], float]]:
    """The series of a family after so many requests."""
    name = family.names[0]
    if family.kind is FamilyKind.COUNTER:
        yield name, {}, 100 * done
        return
    for place, bound in enumerate(BOUNDS):
        share = 1 / (1 + math.exp(-(place - 9) / 2))
        le = "+Inf" if math.isinf(bound) else f"{bound}"
        yield f"{name}_bucket", {"le": le}, done if math.isinf(bound) else math.floor(done * share)
    yield f"{name}_sum", {}, done * 1.5
    yield f"{name}_count", {}, done


def registration(number: int) -> Registration:
    """As a tuner sends it."""
    slo = {role: {"p90": {"threshold": 1.5, "hard_fail": True}} for role in ROLES}
    document = {
        "id": f"trial-{number:06}",
        "task": {"task_name": "memory", "server": "vllm", "slo": slo},
        "selector": {"instance": f"10.1.{number // 250}.{number % 250}:8000"},
    }
    return Registration.model_validate_json(orjson.dumps(document))


def lives_of(numbers: range) -> list[Live]:
    return [Live.of(plan_registration(registration(number)), START) for number in numbers]


async def evaluated(board: Board, lives: Sequence[Live], scrapes: int) -> None:
    """Evaluate all at each of so many scrapes, and keep their newest reports."""
    source = Answers()
    for number in range(1, scrapes + 1):
        for batch in batches(lives):
            found = await evaluate(source, batch, START + number * SCRAPE)
            for key, report in found.items():
                assert not isinstance(report, SourceError), report
                board.post(key, report)
    posted = board.get(lives[0].target.key)
    assert posted is not None
    assert posted.figures.score is not None, posted.figures.reason


async def live(experiments: int, scrapes: int) -> dict[str, Any]:
    board = Board(3600.0, experiments)
    await evaluated(board, lives_of(range(experiments, experiments + 50)), 2)
    before = resident()
    lives = lives_of(range(experiments))
    await evaluated(board, lives, scrapes)
    return {"each": (resident() - before) / experiments}


async def traced(experiments: int, scrapes: int) -> dict[str, Any]:
    """By what an experiment consists of."""
    board = Board(3600.0, experiments)
    await evaluated(board, lives_of(range(experiments, experiments + 50)), 2)
    tracemalloc.start()
    sizes = [allocated()]
    lives = lives_of(range(experiments))
    sizes.append(allocated())
    await evaluated(board, lives, scrapes)
    sizes.append(allocated())
    reports = [posted.report for posted in board if posted.encoded]
    sizes.append(allocated())
    each = (sizes[-1] - sizes[-2]) / len(reports)
    del reports
    for one in lives:
        board.remove(one.target.key)
    sizes.append(allocated())
    plan, whole, _, _ = (
        (after - before) / experiments for before, after in itertools.pairwise(sizes)
    )
    report = (sizes[2] - sizes[4]) / experiments
    names = ("plan", "windows", "report", "report if it were held as objects")
    return dict(zip(names, (plan, whole - report, report, each), strict=True))


async def ended(experiments: int, scrapes: int) -> dict[str, Any]:
    """Experiments that have ended, but of which /metrics still tells."""
    board = Board(3600.0, experiments)
    await evaluated(board, lives_of(range(experiments, experiments + 50)), scrapes)
    report = board.get(f"trial-{experiments:06}")
    assert report is not None
    document = report.report.model_dump_json()
    before = resident()
    for number in range(experiments):
        key = f"trial-{number:06}"
        own = (
            type(report.report).model_validate_json(document).model_copy(update={"experiment": key})
        )
        board.post_final(key, own, START + number)
    return {"each": (resident() - before) / experiments}


def resident() -> int:
    """Bytes of this process that are in memory."""
    gc.collect()
    return usage(os.getpid()).rss


def allocated() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


MEASURES = {"live": live, "traced": traced, "ended": ended}


def main() -> None:
    name, experiments, scrapes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print(orjson.dumps(asyncio.run(MEASURES[name](experiments, scrapes))).decode())


if __name__ == "__main__":
    main()
