"""Which experiment another one is compared with, as a real store has them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from tests.unit.memory_source import END, START, RecordingMemorySource, sample

from sloscore.errors import StoreError
from sloscore.evaluation.baselines import Baselines, Found
from sloscore.evaluation.board import Board
from sloscore.evaluation.comparison import Baseline, NoBaseline
from sloscore.evaluation.loop import Evaluator
from sloscore.evaluation.plan import plan_of
from sloscore.experiments.counted import WINDOW, CountedWindow, document_of
from sloscore.experiments.model import LIVE, Experiment, State, new_experiment
from sloscore.experiments.store import ExperimentStore
from sloscore.experiments.window import WindowAccumulator
from sloscore.settings import EvaluationSettings
from sloscore.telemetry import Telemetry
from sloscore.wire import Report

ACCUMULATED = WindowAccumulator(START, END)
ACCUMULATED.feed([sample(START - 1, 1), sample(END + 1, 9)])
COUNTED = CountedWindow(START, END, ACCUMULATED.counts())
KEPT = {WINDOW: document_of(COUNTED)}


class CountingStore(ExperimentStore):
    """A store that tells how often it was asked, and fails as often as it is told to."""

    asked = 0
    fails = 0

    async def get(self, experiment_id: str) -> Experiment:
        self.asked += 1
        return await super().get(experiment_id)

    async def counts(self, experiment_id: str) -> Mapping[str, object] | None:
        self.asked += 1
        return await super().counts(experiment_id)

    async def first_of_task(self, task: str) -> str | None:
        self.asked += 1
        if self.fails > 0:
            self.fails -= 1
            raise StoreError("the disk is away")
        return await super().first_of_task(task)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[CountingStore]:
    opened = await CountingStore.open(tmp_path / "sloscore.db")
    yield opened
    await opened.close()


class Lab:
    """Experiments of one task, registered a second apart, and what each is compared with."""

    def __init__(self, store: CountingStore) -> None:
        self.store = store
        self.live: set[str] = set()
        self.baselines = Baselines(store, self.live.__contains__)
        self._time = START

    async def register(self, name: str, wanted: str | None = "first", task: str = "t") -> None:
        self._time += 1
        spec = {"task_name": task, "server": "vllm", "selector": {"a": name}, "baseline": wanted}
        experiment = new_experiment(
            name,
            task,
            {"id": name, "task": spec},
            "minimize_latency",
            "minimize",
            START,
            self._time,
        )
        await self.store.register(experiment)
        self.live.add(name)

    async def end(
        self,
        name: str,
        state: State = State.SCORED,
        counts: Mapping[str, object] | None = KEPT,
        base_score: float | None = None,
    ) -> None:
        await self.store.finish(name, END, END, base_score)
        if state is State.ABORTED:
            await self.store.abort(name, "", END)
        else:
            await self.store.finalize(name, state, {}, None, END, counts)
        self.live.discard(name)

    async def found(self, name: str, known: Found | None = None) -> Found | None:
        return await self.baselines.find(plan_of(await self.store.get(name)), known)


@pytest.fixture
def lab(store: CountingStore) -> Lab:
    return Lab(store)


def reason(found: Found | None) -> str:
    assert isinstance(found, NoBaseline)
    return found.reason


async def test_the_first_is_the_oldest_of_the_task_that_has_something_to_show(lab: Lab) -> None:
    for name, state in (
        ("aborted", State.ABORTED), ("empty", State.NO_DATA), ("failed", State.FAILED),
        ("scored", State.SCORED),
    ):  # fmt: skip
        await lab.register(name)
        await lab.end(name, state)
    await lab.register("other", task="another")
    await lab.register("new")

    found = await lab.found("new")

    assert isinstance(found, Baseline)
    assert (found.id, found.counted, found.has_given_base) == ("failed", COUNTED, False)
    assert "first of its task" in reason(await lab.found("other"))
    assert await lab.store.first_of_task("nobody's") is None


async def test_the_first_has_no_baseline_and_the_next_waits_for_it(lab: Lab) -> None:
    await lab.register("one")
    await lab.register("two")

    assert reason(await lab.found("one")) == "this experiment is the first of its task"
    waiting = await lab.found("two")
    assert reason(waiting) == "the baseline 'one' has not ended yet"

    await lab.end("one", State.NO_DATA)
    assert reason(await lab.found("two", waiting)) == "this experiment is the first of its task"


async def test_a_baseline_is_looked_up_when_it_has_ended_and_read_once(lab: Lab) -> None:
    await lab.register("one", None)
    await lab.register("two", "one")
    await lab.register("three", "one")
    plans = {name: plan_of(await lab.store.get(name)) for name in ("two", "three")}
    waiting = await lab.baselines.find(plans["two"])
    before = lab.store.asked
    assert await lab.baselines.find(plans["two"], waiting) is waiting
    assert lab.store.asked == before

    await lab.end("one", base_score=4.0)
    found = await lab.baselines.find(plans["two"], waiting)
    assert isinstance(found, Baseline)
    assert found.has_given_base

    before = lab.store.asked
    assert await lab.baselines.find(plans["two"], found) is found
    assert await lab.baselines.find(plans["three"]) is found
    assert lab.store.asked == before


@pytest.mark.parametrize(
    ("state", "counts", "why"),
    [
        (State.ABORTED, None, "the baseline 'old' was aborted"),
        (State.NO_DATA, None, "the baseline 'old' has no data: nothing is kept of its window"),
        (State.SCORED, None, "the baseline 'old' has no counts: nothing is kept of its window"),
    ],
)
async def test_a_baseline_without_counts_says_why(
    lab: Lab, state: State, counts: Mapping[str, object] | None, why: str
) -> None:
    await lab.register("old", None)
    await lab.end("old", state, counts)
    await lab.register("new", "old")

    found = await lab.found("new")

    assert reason(found) == why
    # Nothing of this can change, so nobody asks for it again.
    assert await lab.found("new", found) is found


@pytest.mark.parametrize(
    ("more", "counts"),
    [({"of_the_future": 1}, KEPT), ({}, {WINDOW: {}})],
    ids=["its registration", "its counts"],
)
async def test_a_baseline_that_another_release_stored_says_so(
    lab: Lab, more: Mapping[str, object], counts: Mapping[str, object]
) -> None:
    task = {"task_name": "t", "server": "vllm", "selector": {"a": "old"}, **more}
    body = {"id": "old", "task": task}
    old = new_experiment("old", "t", body, "minimize_latency", "minimize", START, START)
    await lab.store.register(old)
    await lab.end("old", counts=counts)
    await lab.register("new", "old")

    assert reason(await lab.found("new")) == "the baseline 'old' was stored by another release"


async def test_an_experiment_may_be_what_its_task_names_and_may_name_nothing(lab: Lab) -> None:
    await lab.register("itself", "itself")
    await lab.register("free", None)
    await lab.register("lost", "nobody")

    assert reason(await lab.found("itself")) == "this experiment is the baseline itself"
    assert await lab.found("free") is None
    assert reason(await lab.found("lost")) == "there is no experiment 'nobody'"


@pytest.mark.parametrize("ends", [False, True], ids=["live", "final"])
async def test_a_store_that_fails_delays_the_comparison_and_costs_nothing_else(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, *, ends: bool
) -> None:
    monkeypatch.setattr("sloscore.evaluation.finalize._RETRY_SECONDS", 0.001)
    await lab.register("one")
    await lab.end("one")
    await lab.register("two")
    if ends:
        await lab.store.finish("two", END, END)
    lab.store.fails = 2
    source = RecordingMemorySource({"two": [sample(START - 1, 1), sample(END + 1, 9)]})
    board, telemetry = Board(3600, 10), Telemetry()
    often = EvaluationSettings(interval=0.01)
    evaluator = Evaluator(lab.store, source, board, often, telemetry, source.clock)
    await evaluator.resume()

    running = asyncio.create_task(evaluator.run())
    reasons: list[str | None] = []
    async with asyncio.timeout(10):
        while not reasons or reasons[-1] is not None:
            await asyncio.sleep(0.005)
            posted = board.get("two")
            if posted is None:
                continue
            stored = (await lab.store.get("two")).report
            report = Report.model_validate(stored) if posted.ended_at else posted.report
            if report.comparison is not None:
                reasons.append(report.comparison.reason)
    running.cancel()
    await asyncio.wait([running])

    assert lab.store.fails == 0
    labels = {"kind": "store"}
    failed = telemetry.registry.get_sample_value("sloscore_evaluation_errors_total", labels)
    assert failed == 2
    assert (await lab.store.get("two")).state is (State.SCORED if ends else State.RUNNING)
    assert set(reasons) <= {None, "the baseline was not looked up yet"}


async def test_a_bug_in_comparing_costs_the_comparison_only(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lab.register("one", None)
    await lab.end("one")
    await lab.register("two", "one")
    two = await lab.store.get("two")
    assert two.state in LIVE
    comparison = await lab.baselines.compare(two, COUNTED, END)
    assert comparison is not None
    assert comparison.reason is None

    monkeypatch.setattr("sloscore.evaluation.baselines.compare_window", lambda *_, **__: 1 / 0)
    comparison = await lab.baselines.compare(two, COUNTED, END)
    assert comparison is not None
    assert comparison.reason == "the comparison broke: ZeroDivisionError"
