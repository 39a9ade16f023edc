"""Final reports of experiments with phases, against the log of a load that changes."""

import math
from dataclasses import replace

import pytest
from tests.unit.memory_source import CHILD, END, START, MemorySource, plan
from tests.unit.phased_load import (
    HEAVY,
    HOPELESS,
    MARKED,
    QUICK,
    SLOW,
    WORST,
    by_name,
    plan_of,
    requests,
    settle_of,
    settled,
    source_of,
)

from sloscore.core.phases import PhaseRules, ScoreOf
from sloscore.core.samples import Child, InstanceSample
from sloscore.core.scoring import Status
from sloscore.core.verdict import Uncertainty, Verdict
from sloscore.evaluation.past import score_past
from sloscore.experiments.model import Phase
from sloscore.settings import EvaluationSettings
from sloscore.wire import ScoreRequest


async def test_each_phase_is_scored_by_what_it_counted_and_the_whole_by_all() -> None:
    report = await settled(source_of([*QUICK, *SLOW]), plan_of())
    easy, heavy = report.phases
    assert (requests(easy), requests(heavy)) == (60, 120)
    assert [easy.base_score, heavy.base_score] == pytest.approx([0.4, 1.5])
    assert (easy.status, easy.start, easy.end, easy.counts) == ("SUCCESS", 1000, 1030, True)
    assert (report.scored_phase, report.scored_explanation, report.whole) == (None, None, None)
    assert report.base_score == pytest.approx((60 * 0.4 + 120 * 1.5) / 180)
    assert report.certain


async def test_what_each_phase_counted_is_kept_with_the_end() -> None:
    source = source_of([*QUICK, *SLOW])
    kept = (await settle_of(source, plan_of(), (*MARKED, Phase("after", 1070.0, 1080.0)))).phases
    assert {name: (one.start, one.end) for name, one in kept.items()} == {
        "c=1": (1000, 1030), "c=8": (1030, 1060),
    }  # fmt: skip
    assert [one.counts.histograms["latency"].count for one in kept.values()] == [60, 120]


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


@pytest.mark.parametrize(
    ("score", "status", "words"),
    [("worst", "SUCCESS", "No phase that counts is marked"), ({"phase": "c=8"}, "NO_DATA", None)],
)
async def test_a_past_window_has_no_phases(score: object, status: str, words: str | None) -> None:
    slo = {"latency": {"p50": {"threshold": 1.0}}, "phases": {"score": score}}
    window = {"start": START, "end": END}
    body = {"slo": slo, "selector": {"instance": "a"}, "server": "vllm", "window": window}
    source = source_of(QUICK)
    source.scrapes = {"window": source.scrapes["one"]}
    request = ScoreRequest.model_validate(body)
    report = await score_past(source, request, EvaluationSettings(), END + 100)
    assert (report.status, report.phases) == (status, ())
    assert (report.scored_explanation or "").startswith(words or "")


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


@pytest.mark.parametrize(("offset", "certain"), [(0.0, True), (1.0, False)])
async def test_a_window_that_reaches_into_a_warm_up_is_not_certain(
    offset: float, certain: bool
) -> None:
    """Warm-ups of ten seconds, with a scrape at their end or four seconds before."""
    source = source_of([*QUICK, *SLOW], offset=offset)
    warm = replace(plan_of(), warmup=10.0)
    whole = await settled(source, warm, (), 1030.0)
    of_load = (await settled(source, warm)).phases[0]
    of_phase = (await settled(source, plan_of(PhaseRules(warmup=10.0)))).phases[1]
    for report in (whole, of_load, of_phase):
        (sli,) = report.slis
        assert (report.window and report.window.widened_head) == (0.0 if certain else 4.0)
        assert (report.certain, sli.certain) == (certain, certain)
        assert sli.uncertainty == (None if certain else Uncertainty.WINDOW)


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
