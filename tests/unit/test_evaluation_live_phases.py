"""Live reports of experiments with phases: what a tick asks for, and what it makes of it."""

import math

from tests.unit.memory_source import START, MemorySource
from tests.unit.phased_load import (
    EASY,
    HOPELESS,
    QUICK,
    SLOW,
    WORST,
    plan_of,
    requests,
    settled,
    source_of,
)

from sloscore.core.scoring import Status
from sloscore.evaluation.tick import Live, evaluate
from sloscore.experiments.model import Phase
from sloscore.wire import Report


async def ticks(source: MemorySource, live: Live, *times: float) -> list[Report]:
    found = [(await evaluate(source, [live], now))["one"] for now in times]
    assert all(isinstance(each, Report) for each in found), found
    return [each for each in found if isinstance(each, Report)]


async def test_a_running_phase_shares_the_snapshots_of_the_whole_window() -> None:
    source = source_of([*QUICK, *SLOW], every=1.0)
    live = Live.of(plan_of(WORST), START)
    live.phases.follow((Phase("c=1", START),))
    (first,) = await ticks(source, live, 1001.0)
    source.asked.clear()
    reports = await ticks(source, live, 1010.0, 1020.0)
    assert source.asked == ["snapshot", "snapshot"]
    assert [requests(report.phases[0]) for report in (first, *reports)] == [2, 20, 40]
    assert [report.scored_phase for report in reports] == ["c=1", "c=1"]
    assert reports[1].status is reports[1].phases[0].status is Status.RUNNING
    assert reports[1].decision.reason == "No hard SLO is violated so far."


async def test_an_ended_phase_is_counted_again_from_raw_samples_once() -> None:
    source = source_of([*QUICK, *SLOW], every=1.0)
    live = Live.of(plan_of(WORST), START)
    live.phases.follow((Phase("c=1", START),))
    await ticks(source, live, 1010.0, 1025.0)
    live.phases.follow((Phase("c=1", START, 1030.0), Phase("c=8", 1030.0)))
    (before,) = await ticks(source, live, 1034.0)
    source.asked.clear()
    after, later = await ticks(source, live, 1039.0, 1044.0)
    # The snapshots have skipped its last scrapes, its raw samples have them.
    assert [requests(r.phases[0]) for r in (before, after, later)] == [50, 60, 60]
    assert [requests(r.phases[1]) for r in (before, after, later)] == [16, 36, 56]
    assert source.asked.count("samples") == 1
    assert [r.phases[0].status for r in (after, later)] == [Status.SUCCESS] * 2
    final = await settled(source, live.plan)
    assert final.phases[0].model_copy(update={"window": None}) == later.phases[0].model_copy(
        update={"window": None}
    )


async def test_phases_that_are_taken_up_late_are_replayed() -> None:
    source = source_of([*QUICK, *SLOW], every=1.0)
    live = Live.of(plan_of(), START)
    live.phases.follow((EASY, Phase("c=8", 1030.0)))
    (report,) = await ticks(source, live, 1055.0)
    assert [requests(phase) for phase in report.phases] == [60, 100]


async def test_a_source_that_fails_while_a_phase_begins_is_no_data_of_it() -> None:
    source = source_of(QUICK, every=1.0)
    live = Live.of(plan_of(), START)
    await ticks(source, live, 1005.0)
    live.phases.follow((Phase("c=1", 1010.0),))
    source.broken = {"one"}
    failed = (await evaluate(source, [live], 1011.0))["one"]
    assert not isinstance(failed, Report)
    source.broken = set()
    (report,) = await ticks(source, live, 1020.0)
    assert requests(report.phases[0]) == 20


async def test_an_ended_phase_that_failed_hard_is_told_as_final() -> None:
    source = source_of([*HOPELESS], every=1.0)
    live = Live.of(plan_of(), START)
    live.phases.follow((Phase("c=8", 1030.0, 1050.0), Phase("c=1", 1050.0)))
    (report,) = await ticks(source, live, 1055.0)
    assert (report.status, report.score) == (Status.RUNNING, math.inf)
    assert (report.phases[0].status, report.scored_phase) == (Status.FAILED, "c=8")
    assert report.infeasibility_reason is None
