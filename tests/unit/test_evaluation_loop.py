"""The schedule over a real store: what breaks in one experiment is the end of that one alone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.unit.memory_source import START, RecordingMemorySource, requests, sample

from sloscore.core.samples import Target
from sloscore.evaluation.board import Board
from sloscore.evaluation.loop import POSTED_AT_ONCE, Evaluator
from sloscore.experiments.model import State, new_experiment
from sloscore.experiments.store import ExperimentStore
from sloscore.settings import EvaluationSettings
from sloscore.sources.base import Snapshot
from sloscore.telemetry import Telemetry

OFTEN = EvaluationSettings(interval=0.01)
SLO = {"latency": {"p50": {"threshold": 0.5}}}
BROKE = "the evaluation broke, which the service's log explains: ZeroDivisionError: by zero"


@dataclass
class Source(RecordingMemorySource):
    """A source; raw samples of targets in ``odd`` break who asks."""

    odd: set[str] = field(default_factory=set)

    async def samples(self, target: Target, after: float, until: float) -> Snapshot:
        if target.key in self.odd:
            raise ZeroDivisionError("by zero")
        return await super().samples(target, after, until)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[ExperimentStore]:
    opened = await ExperimentStore.open(tmp_path / "sloscore.db")
    yield opened
    await opened.close()


@contextlib.asynccontextmanager
async def evaluating(
    store: ExperimentStore, source: Source, telemetry: Telemetry, *, end: float | None = None
) -> AsyncIterator[Board]:
    """A schedule that runs over the experiments of a source; one that is called ``a`` breaks."""
    source.odd = {"a"}
    board = Board(3600, 10)
    evaluator = Evaluator(store, source, board, OFTEN, telemetry, source.clock)
    for name in source.scrapes:
        body = {
            "id": name,
            "task": {"task_name": "t", "server": "vllm", "slo": SLO},
            "selector": {"instance": name},
        }
        await store.register(
            new_experiment(name, "t", body, "minimize_latency", "minimize", START, START)
        )
        if end is not None:
            await store.finish(name, end, end)
    await evaluator.resume()
    running = asyncio.create_task(evaluator.run())
    yield board
    running.cancel()
    await asyncio.wait([running])


def traces(logs: Sequence[Mapping[str, object]]) -> list[object]:
    return [log["experiment"] for log in logs if log["event"] == "evaluation broke"]


def errors_in(telemetry: Telemetry) -> float:
    labels = {"kind": "internal"}
    return telemetry.registry.get_sample_value("sloscore_evaluation_errors_total", labels) or 0.0


def source_of_both() -> Source:
    return Source({name: [sample(995, 1), sample(1005, 4), sample(1061, 9)] for name in "ab"})


async def test_an_experiment_that_breaks_at_its_end_ends_without_data_and_the_others_do_not(
    store: ExperimentStore,
) -> None:
    telemetry = Telemetry()
    with capture_logs() as logs:
        async with evaluating(store, source_of_both(), telemetry, end=1060.0) as board:
            async with asyncio.timeout(10):
                for name in "ab":
                    with board.waiter(name) as ended:
                        if (await store.get(name)).state is State.SETTLING:
                            await ended.wait()

    odd, one = await store.get("a"), await store.get("b")
    assert (odd.state, one.state) == (State.NO_DATA, State.SCORED)
    assert odd.report is not None
    assert odd.report["reason"] == BROKE
    assert (errors_in(telemetry), traces(logs)) == (1, ["a"])


async def test_an_experiment_that_breaks_while_it_runs_is_logged_once_and_the_others_go_on(
    store: ExperimentStore,
) -> None:
    telemetry = Telemetry()
    with capture_logs() as logs:
        async with evaluating(store, source_of_both(), telemetry) as board, asyncio.timeout(10):
            while errors_in(telemetry) < 3 or board.get("b") is None:  # noqa: ASYNC110  nothing tells
                await asyncio.sleep(0.01)
            odd, one = board.get("a"), board.get("b")

    assert odd is not None
    assert one is not None
    assert (odd.report.status, odd.report.reason) == ("RUNNING", BROKE)
    assert requests(one.report) == 8
    assert traces(logs) == ["a"]


async def test_other_work_goes_on_while_reports_are_posted(store: ExperimentStore) -> None:
    scrapes = {f"trial-{number}": [sample(995, 1), sample(1005, 4)] for number in range(50)}
    posted = [0]
    async with evaluating(store, Source(scrapes), Telemetry()) as board, asyncio.timeout(10):
        while posted[-1] < len(scrapes):
            await asyncio.sleep(0)
            posted.append(sum(1 for _ in board))

    assert max(after - before for before, after in pairwise(posted)) == POSTED_AT_ONCE
