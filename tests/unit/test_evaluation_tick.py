"""One tick over many experiments: how windows are opened, shared out and followed."""

import asyncio
import math
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.memory_source import AWAY, START, MemorySource, plan, requests, sample, source_of

from sloscore.core.curve import Exponential
from sloscore.core.samples import Target
from sloscore.core.scoring import Status
from sloscore.errors import SourceError
from sloscore.evaluation.replay import resumed
from sloscore.evaluation.tick import BATCH, Live, batches, evaluate, report_outage
from sloscore.sources.base import Ends, Snapshot
from sloscore.wire import Report

Result = TypeVar("Result")


async def counted(work: Awaitable[Result]) -> tuple[Result, int]:
    """What the work gives, and how many turns others had meanwhile."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    result = await work
    counting.cancel()
    return result, turns


async def test_ticks_count_from_what_was_shown_at_the_start() -> None:
    source = source_of(sample(995, 7), sample(1005, 9), sample(1010, 12))
    live = Live.of(plan(), START)

    ticks = [(await evaluate(source, [live], now))["one"] for now in (1001.0, 1006.0, 1011.0)]

    assert [requests(tick) for tick in ticks] == [0, 2, 5]
    assert {tick.status for tick in ticks if isinstance(tick, Report)} == {Status.RUNNING}
    assert "samples" not in source.asked


async def test_a_window_that_is_taken_up_late_is_replayed() -> None:
    restarted = [
        sample(1020, 15, born=900),
        sample(1030, 4, born=1025),
        sample(1040, 20, born=1025),
    ]
    source = source_of(sample(995, 10, born=900), *restarted)

    found = (await evaluate(source, [Live.of(plan(), START)], 1041.0))["one"]

    assert requests(found) == 5 + 20
    assert isinstance(found, Report)
    assert found.window is not None
    assert found.window.resets == 1


class SteadyMemorySource(MemorySource):
    """A source whose servers all went on counting; ``asked`` holds the targets of snapshots."""

    async def snapshot(
        self, targets: Sequence[Target], at: float
    ) -> Mapping[str, Snapshot | SourceError]:
        self.asked += [target.key for target in targets]
        return {target.key: self._latest(target.key, at) for target in targets}

    async def steady(
        self, starts: Mapping[Target, float], until: float
    ) -> Mapping[str, Ends | None]:
        found: dict[str, Ends | None] = {}
        for target, start in starts.items():
            first = self._latest(target.key, start)
            rest = [each for each in self.scrapes[target.key] if start < each.time <= until]
            assert not isinstance(first, SourceError)
            found[target.key] = Ends(first, rest, rest[-1:])
        return found


async def test_windows_that_are_taken_up_at_once_are_reported_without_another_query() -> None:
    scrapes = [sample(time, number, born=900.0) for number, time in enumerate((995, 1005, 1020))]
    source = SteadyMemorySource(dict.fromkeys("abc", scrapes))
    lives = [Live.of(plan(name), START) for name in "abc"]

    found, turns = await counted(
        resumed(source, {live.target: live.start for live in lives}, 1021.0)
    )
    reports = await evaluate(source, lives, 1021.0)

    assert turns >= len(found) == 3
    assert [requests(reports[name]) for name in "abc"] == [2, 2, 2]
    assert source.asked == []


async def test_one_target_that_fails_costs_the_others_nothing() -> None:
    source = MemorySource({name: [sample(995, 1), sample(1005, 4)] for name in "abc"}, {"b"})
    lives = [Live.of(plan(name), START) for name in "abc"]

    first = await evaluate(source, lives, 1006.0)
    source.broken = {"c"}
    second = await evaluate(source, lives, 1007.0)

    assert (first["b"], second["c"]) == (AWAY, AWAY)
    assert [requests(first["a"]), requests(first["c"])] == [3, 3]
    assert [requests(second["a"]), requests(second["b"])] == [3, 3]


async def test_what_the_source_shows_no_more_has_no_older_numbers_until_it_is_back() -> None:
    scrapes = [sample(995, 1), sample(1005, 4)]
    source = source_of(*scrapes)
    live = Live.of(plan(), START)
    await evaluate(source, [live], 1006.0)

    source.scrapes = {"one": []}
    gone = (await evaluate(source, [live], 1007.0))["one"]
    source.scrapes = {"one": [*scrapes, sample(1008, 6)]}
    back = (await evaluate(source, [live], 1009.0))["one"]

    assert isinstance(gone, Report)
    assert (gone.status, gone.score, gone.base_score) == (Status.RUNNING, None, None)
    assert "shows nothing any more" in str(gone.reason)
    assert requests(back) == 5


class SameAgain(MemorySource):
    """Gives the very same snapshot until another scrape is in it, as a Prometheus source does."""

    given: Snapshot = ()

    async def snapshot(
        self, targets: Sequence[Target], at: float
    ) -> Mapping[str, Snapshot | SourceError]:
        answer = await super().snapshot(targets, at)
        for key, found in answer.items():
            if isinstance(found, SourceError):
                return answer
            if found != self.given:
                self.given = found
            answer = {**answer, key: self.given}
        return answer


async def test_a_snapshot_is_reported_once_and_again_after_an_outage() -> None:
    source = SameAgain({"one": [sample(995, 1), sample(1005, 4), sample(1009, 6)]})
    live = Live.of(plan(), START)

    reported = []
    for now in (1006.0, 1007.0, 1008.0, 1008.5, 1010.0):
        source.broken = {"one"} if now == 1008.0 else set()
        reported.append((await evaluate(source, [live], now)).get("one"))

    first, second, outage, back, newer = reported
    assert (second, outage) == (None, AWAY)
    assert [requests(one) for one in (first, back, newer) if one] == [3, 3, 5]


async def test_samples_that_cannot_be_scored_cost_the_others_nothing() -> None:
    odd = [sample(995, 1), sample(1005, 4, total=math.nan)]
    source = MemorySource({"odd": odd, "one": [sample(995, 1), sample(1005, 4)]})

    found = await evaluate(source, [Live.of(plan(n), START) for n in ("odd", "one")], 1006.0)

    assert isinstance(found["odd"], SourceError)
    assert found["odd"].kind == "decode"
    assert "cannot be scored" in str(found["odd"])
    assert requests(found["one"]) == 3


async def test_what_nobody_expected_in_judging_one_costs_the_others_nothing() -> None:
    names = ("odd", "one")
    source = MemorySource({name: [sample(995, 1), sample(1005, 4)] for name in names})
    lives = [Live.of(plan(name), START) for name in names]
    # No task that is read from a file can hold this.
    rules = lives[0].plan.rules
    limits = tuple((sli, replace(slo, curve=Exponential(0.0))) for sli, slo in rules.limits)
    lives[0].plan = replace(lives[0].plan, rules=replace(rules, limits=limits))

    found = await evaluate(source, lives, 1006.0)

    assert isinstance(found["odd"], SourceError)
    assert found["odd"].kind == "internal"
    report = report_outage(lives[0], found["odd"], now=1006.0)
    with pytest.raises(ZeroDivisionError) as of_python:
        _ = 1.0 / 0.0
    assert report.reason == (
        "the evaluation broke, which the service's log explains: "
        f"ZeroDivisionError: {of_python.value}"
    )
    assert requests(found["one"]) == 3


async def test_a_window_that_breaks_when_it_is_opened_costs_the_others_nothing() -> None:
    names = ("odd", "one")
    source = MemorySource({name: [sample(995, 1), sample(1025, 4)] for name in names})
    asked = source.samples

    async def samples(target: Target, after: float, until: float) -> Snapshot:
        if target.key == "odd":
            raise KeyError("le")
        return await asked(target, after, until)

    source.samples = samples  # type: ignore[method-assign]
    found = await evaluate(source, [Live.of(plan(name), START) for name in names], 1026.0)

    assert isinstance(found["odd"], SourceError)
    assert "KeyError: 'le'" in str(found["odd"])
    assert requests(found["one"]) == 3


async def test_a_warm_up_is_no_part_of_the_window() -> None:
    live = Live.of(plan(warmup="20s"), START)
    source = source_of(sample(995, 0), sample(1015, 10), sample(1025, 13))

    early = (await evaluate(source, [live], 1019.0))["one"]
    assert source.asked.count("snapshot") == 1
    late = (await evaluate(source, [live], 1026.0))["one"]

    assert isinstance(early, Report)
    assert (early.status, early.reason) == (Status.RUNNING, "still in the warm-up of 20 s")
    assert requests(late) == 3


async def test_other_work_goes_on_while_a_large_batch_is_reported() -> None:
    names = [str(number) for number in range(BATCH)]
    source = MemorySource({name: [sample(995, 1), sample(1005, 4)] for name in names})
    lives = [Live.of(plan(name), START) for name in names]

    _, turns = await counted(evaluate(source, lives, 1006.0))

    assert turns >= BATCH / 20


def test_an_outage_reports_no_numbers_but_the_words_of_the_source() -> None:
    report = report_outage(Live.of(plan(), START), AWAY, now=1010.0)

    assert (report.status, report.score) == (Status.RUNNING, None)
    assert report.reason == "the metric source failed: it is away"


def kind_of(live: Live) -> object:
    return live.target.families, tuple(name for name, _ in live.target.selector)


lives = st.builds(
    lambda number, label, server, alone: replace(
        Live.of(plan(str(number), selector={label: str(number)}, server=server), START), alone=alone
    ),
    st.integers(0, 10**6),
    st.sampled_from(["instance", "job"]),
    st.sampled_from(["vllm", "sglang"]),
    st.booleans(),
)


@given(st.lists(lives, max_size=12), st.integers(1, 3))
def test_every_experiment_is_in_one_batch_of_its_like(found: list[Live], copies: int) -> None:
    running = [replace(live) for live in found for _ in range(copies)]

    made = list(batches(running))

    assert sorted(map(id, running)) == sorted(id(live) for batch in made for live in batch)
    assert all(len({repr(kind_of(live)) for live in batch}) == 1 for batch in made)
    assert all(len(batch) == 1 for batch in made if any(live.alone for live in batch))
    shared = [repr(kind_of(batch[0])) for batch in made if not batch[0].alone]
    assert len(shared) == len(set(shared))


def test_batches_are_bounded() -> None:
    running = [Live.of(plan(str(number)), START) for number in range(2 * BATCH + 1)]

    assert [len(batch) for batch in batches(running)] == [BATCH, BATCH, 1]
