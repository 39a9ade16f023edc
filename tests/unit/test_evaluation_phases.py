"""Reports of experiments with phases, live and final, against the log of a load that changes."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.unit.memory_source import CHILD, END, START, MemorySource, plan

from sloscore.core.histogram import Histogram
from sloscore.core.phases import PhaseRules, ScoreOf
from sloscore.core.samples import Child, InstanceSample
from sloscore.core.scoring import Status
from sloscore.core.verdict import Uncertainty, Verdict
from sloscore.evaluation.plan import Plan, Rules
from sloscore.evaluation.settle import settle
from sloscore.evaluation.tick import Live, evaluate
from sloscore.experiments.model import Phase, new_experiment
from sloscore.settings import EvaluationSettings
from sloscore.wire import PhaseReport, Report

WORST = PhaseRules(ScoreOf.WORST)
EASY, HEAVY = Phase("c=1", 1000.0, 1030.0), Phase("c=8", 1030.0, 1060.0)
MARKED = (EASY, HEAVY)
# Two requests a second while it is easy, four while it is heavy; a median of over 5.5 s fails.
QUICK = [(1000.25 + n / 2, 0.4) for n in range(60)]
SLOW = [(1030.1 + n / 4, 1.5) for n in range(120)]
HOPELESS = [(1030.1 + n / 4, 9.0) for n in range(120)]
BOUNDS = (0.25, 0.5, 1.0, 2.0, 5.5, 10.0, math.inf)

Log = Sequence[tuple[float, float]]


def source_of(log: Log, every: float = 5.0, offset: float = 0.0) -> MemorySource:
    """A server that is scraped now and then, and that has finished these at these times."""
    return MemorySource({"one": [scrape(log, 990 + offset + n * every) for n in range(120)]})


def scrape(log: Log, at: float) -> InstanceSample:
    latencies = [latency for finished, latency in log if finished <= at]
    counts = tuple(float(sum(each <= bound for each in latencies)) for bound in BOUNDS)
    data = Histogram(BOUNDS, counts, sum(latencies))
    return InstanceSample(("job", "a"), at, True, 900.0, {CHILD: data})


def plan_of(phases: PhaseRules = PhaseRules(), **rules: object) -> Plan:  # noqa: B008  it is frozen
    known = plan()
    changed: Rules = replace(known.rules, phases=phases, **rules)  # type: ignore[arg-type]
    return replace(known, rules=changed)


async def settled(
    source: MemorySource, plan: Plan, phases: Sequence[Phase] = MARKED, end: float = END
) -> Report:
    running = new_experiment("one", "t", {}, plan.objective, "minimize", START, START)
    experiment = replace(running, end=end, phases=tuple(phases))
    often = EvaluationSettings(interval=0.001)
    return (await settle(source, plan, experiment, often, source.clock)).report


def by_name(report: Report) -> dict[str, PhaseReport]:
    return {phase.name: phase for phase in report.phases}


def requests(phase: PhaseReport) -> float:
    assert phase.window is not None
    return phase.window.requests


async def test_each_phase_is_scored_by_what_it_counted_and_the_whole_by_all() -> None:
    report = await settled(source_of([*QUICK, *SLOW]), plan_of())
    easy, heavy = report.phases
    assert (requests(easy), requests(heavy)) == (60, 120)
    assert [easy.base_score, heavy.base_score] == pytest.approx([0.4, 1.5])
    assert (easy.status, easy.start, easy.end, easy.counts) == ("SUCCESS", 1000, 1030, True)
    assert (report.scored_phase, report.scored_explanation, report.whole) == (None, None, None)
    assert report.base_score == pytest.approx((60 * 0.4 + 120 * 1.5) / 180)
    assert report.certain


async def test_the_worst_phase_is_the_experiment() -> None:
    report = await settled(source_of([*QUICK, *SLOW]), plan_of(WORST))
    heavy, whole = by_name(report)["c=8"], report.whole
    assert report.scored_phase == "c=8"
    assert (report.status, report.reason) == (Status.SUCCESS, None)
    for field in ("score", "base_score", "penalty", "finite_score", "log_score", "slis"):
        assert getattr(report, field) == getattr(heavy, field)
    assert report.constraints == {"latency_p50": heavy.slis[0].violation_ratio}
    # The window stays that of the experiment.
    assert report.window is not None
    assert whole is not None
    assert (report.window.start, report.window.requests) == (START, 180)
    assert report.window == whole.window
    assert whole.score is not None
    assert report.score is not None
    assert whole.score < report.score


async def test_averages_hide_a_hard_fail_that_a_phase_shows() -> None:
    log = [*QUICK * 3, *HOPELESS]
    unmarked = await settled(source_of(log), plan_of(), ())
    marked = await settled(source_of(log), plan_of())
    ignored = await settled(source_of(log), plan_of(PhaseRules(ignore=frozenset({"c=8"}))))
    assert (unmarked.status, unmarked.phases) == (Status.SUCCESS, ())
    assert (marked.status, marked.slo_violation, marked.score) == (Status.FAILED, True, math.inf)
    assert (marked.scored_phase, marked.reason) == ("c=8", "Hard SLO violation in phase c=8")
    assert [sli.verdict for sli in marked.slis] == [Verdict.HARD_FAIL]
    assert marked.infeasibility_reason is not None
    assert marked.infeasibility_reason.startswith("In phase c=8: P50 of latency is ")
    assert marked.whole is not None
    assert marked.whole.score == unmarked.score
    assert (ignored.status, ignored.score) == (Status.SUCCESS, unmarked.score)
    assert [phase.counts for phase in ignored.phases] == [True, False]
    assert by_name(ignored)["c=8"].status == Status.FAILED


async def test_without_a_marked_phase_the_worst_is_the_whole_window_and_says_so() -> None:
    source = source_of([*QUICK, *SLOW])
    plain = await settled(source, plan_of(), ())
    worst = await settled(source, plan_of(WORST), ())
    assert worst.scored_explanation is not None
    changed = {"scored_explanation": None, "evaluated_at": plain.evaluated_at}
    assert worst.model_copy(update=changed) == plain


async def test_a_named_phase_that_never_came_is_no_data_with_a_sentence() -> None:
    report = await settled(source_of(QUICK), plan_of(PhaseRules(ScoreOf.NAMED, "c=16")))
    assert (report.status, report.score, report.scored_phase) == (Status.NO_DATA, None, None)
    assert report.reason == "no phase 'c=16', which slo.phases scores, was marked"
    assert report.infeasibility_reason == report.reason
    assert report.window is not None
    assert report.window.requests == 60
    assert report.whole is not None
    assert report.whole.status is Status.SUCCESS


async def test_a_phase_without_data_leaves_no_worst_but_does_not_excuse_a_hard_fail() -> None:
    idle = Phase("idle", 1060.0, 1090.0)
    phases = (*MARKED, idle)
    unknown = await settled(source_of([*QUICK, *SLOW]), plan_of(WORST), phases, 1090.0)
    failed = await settled(source_of([*QUICK, *HOPELESS]), plan_of(WORST), phases, 1090.0)
    assert (unknown.status, unknown.scored_phase) == (Status.NO_DATA, "idle")
    assert unknown.reason is not None
    assert unknown.reason.startswith("in phase idle: P50 of latency is unknown: no requests")
    assert (failed.status, failed.scored_phase) == (Status.FAILED, "c=8")


async def test_a_phase_that_may_have_failed_makes_the_whole_uncertain_but_no_less_known() -> None:
    phases = (*MARKED, Phase("idle", 1060.0, 1090.0))
    source = source_of([*QUICK, *SLOW])
    hard = await settled(source, plan_of(), phases, 1090.0)
    (sli, slo), = plan_of().rules.limits  # fmt: skip
    soft = ((sli, replace(slo, hard_fail=False)),)
    without = await settled(source, plan_of(limits=soft), phases, 1090.0)
    assert (hard.status, hard.certain) == (Status.SUCCESS, False)
    assert (without.status, without.certain) == (Status.SUCCESS, True)


async def test_a_warm_up_cuts_the_start_of_the_load_or_of_each_phase() -> None:
    source = source_of([*QUICK, *SLOW])
    load = await settled(source, replace(plan_of(), warmup=10.0))
    each = await settled(source, plan_of(PhaseRules(warmup=10.0)))
    assert [requests(phase) for phase in load.phases] == [40, 120]
    assert [requests(phase) for phase in each.phases] == [40, 80]
    assert each.window is not None
    assert each.window.requests == 180
    windows = [phase.window for phase in each.phases]
    assert [(w.start, w.warmup) for w in windows if w] == [(1010, 10), (1040, 10)]


async def test_a_phase_outside_of_the_window_has_no_data() -> None:
    before, after = Phase("before", 1000.0, 1009.0), Phase("after", 1070.0, 1080.0)
    source = source_of([*QUICK, *SLOW])
    report = await settled(source, replace(plan_of(WORST), warmup=10.0), (before, after))
    assert [phase.reason for phase in report.phases] == [
        "nothing of the phase lies within the window that is scored"
    ] * 2
    assert report.status is Status.NO_DATA


@pytest.mark.parametrize(("offset", "seen"), [(1.0, 116), (4.0, 104)])
async def test_what_a_scrape_shares_with_the_phase_before_is_left_out(
    offset: float, seen: float
) -> None:
    """The first scrape of the second phase comes that many seconds after it began."""
    report = await settled(source_of([*QUICK, *SLOW], offset=offset), plan_of(WORST))
    heavy = by_name(report)["c=8"]
    assert requests(heavy) == seen
    assert heavy.base_score == pytest.approx(1.5)
    assert heavy.window is not None
    assert (heavy.window.unseen_head, heavy.window.widened_head) == (offset, 0)
    (sli,) = heavy.slis
    assert sli.uncertainty is (Uncertainty.WINDOW if offset >= 3 else None)
    assert heavy.certain is (offset < 3)


@pytest.mark.parametrize(("pause", "certain"), [(2.0, True), (4.0, False)])
async def test_a_phase_reaches_out_to_a_pause_and_is_uncertain_where_that_is_much(
    pause: float, certain: bool
) -> None:
    phases = (Phase("c=1", 1000.0, 1030.0 - pause), HEAVY)
    source = source_of([*QUICK, *SLOW], offset=5.0 - pause)
    heavy = by_name(await settled(source, plan_of(), phases))["c=8"]
    assert requests(heavy) == 120 + 2 * pause
    assert heavy.window is not None
    assert (heavy.window.unseen_head, heavy.window.widened_head) == (0, pause)
    assert heavy.certain is certain


async def test_phases_that_scrapes_cannot_tell_apart_are_no_data() -> None:
    phases = tuple(Phase(f"c={n}", 1000.0 + 10 * n, 1010.0 + 10 * n) for n in range(6))
    log = [*QUICK, *SLOW]
    seldom = await settled(source_of(log, every=15.0, offset=2), plan_of(WORST), phases)
    often = await settled(source_of(log, every=1.0), plan_of(WORST), phases)
    assert seldom.status is Status.NO_DATA
    first, *between, last = seldom.phases
    assert {phase.status for phase in between} == {Status.NO_DATA}
    assert all("of the phase's 10.0 s: have" in (p.reason or "") for p in between)
    # Nothing runs before the first or after the last, whose windows reach out to a scrape.
    assert [(p.status, p.certain) for p in (first, last)] == [(Status.SUCCESS, False)] * 2
    assert [requests(phase) for phase in often.phases] == [20, 20, 20, 40, 40, 40]
    assert often.certain


async def test_a_rate_is_that_of_the_time_in_which_it_was_counted() -> None:
    optimization = {"objective": "maximize_throughput"}
    task = {"task_name": "t", "server": "vllm", "optimization": optimization}
    phases = [Phase(f"c={n}", 1000.0 + 10 * n, 1010.0 + 10 * n) for n in range(3)]
    scrapes = [with_tokens(each) for each in source_of(QUICK, offset=4).scrapes["one"]]
    source = MemorySource({"one": scrapes})
    report = await settled(source, plan(task=task), phases, 1030.0)
    # Twenty tokens a second, although scrapes tell of five seconds only.
    between = report.phases[1]
    assert between.base_score == pytest.approx(20.0)
    assert between.window is not None
    assert (between.window.unseen_head, between.window.unseen_tail) == (4, 1)


def with_tokens(scraped: InstanceSample) -> InstanceSample:
    """The scrape of a server that makes ten tokens a request."""
    tokens = 10 * scraped.histograms[CHILD].count
    return replace(scraped, counters={Child("tokens_out", ()): tokens})


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
