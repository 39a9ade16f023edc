"""The advice to stop, where the load has phases."""

import math
from dataclasses import replace

import pytest
from tests.unit.memory_source import plan
from tests.unit.test_evaluation_stop import LIMIT, START, counts

from sloscore.core.histogram import Histogram
from sloscore.core.phases import PhaseRules, ScoreOf
from sloscore.core.samples import Child, InstanceSample
from sloscore.core.stopping import StopRule
from sloscore.evaluation.live_phases import LivePhase
from sloscore.evaluation.report import report_failure
from sloscore.evaluation.stop import EarlyStop
from sloscore.experiments.model import Phase
from sloscore.experiments.phases import spans_of
from sloscore.experiments.window import WindowAccumulator
from sloscore.spec.stop import EarlyStopSpec

QUIET = counts(0, 1000)
WORST, WHOLE = PhaseRules(ScoreOf.WORST), PhaseRules()
# Of 40 requests four may be slow: the e-value of 11 is 25, of 12 it is 93, of 13 it is 387.


def stop(phases: PhaseRules = WORST, **spec: float) -> EarlyStop:
    return EarlyStop(EarlyStopSpec.model_validate(spec), [LIMIT], START, phases)


def going_on(slow: int, total: int = 40, *, before: int = 0) -> list[LivePhase]:
    """Phases that have ended, and one that has counted so many."""
    marked = [Phase(f"p{n}", START + n, START + n + 1) for n in range(before)]
    begun = START + before
    spans = spans_of([*marked, Phase("last", begun)], START, None)
    window = WindowAccumulator(begun)
    for at, (over, all_) in ((begun, (0, 0)), (begun + 1, (slow, total))):
        data = Histogram((5.0, 6.0, math.inf), (all_ - over, all_ - over, all_), 1.0)
        window.feed([InstanceSample(("j", "a"), at, True, None, {Child("latency", ()): data})])
    return [*(LivePhase(span) for span in spans[:-1]), LivePhase(spans[-1], window)]


def ended(name: str, *, hard: bool) -> LivePhase:
    (span,) = spans_of([Phase(name, START, START + 30)], START, None)
    report = report_failure(plan(), "-", (span.start, span.end), now=START + 31)
    return LivePhase(span, final=report.model_copy(update={"slo_violation": hard}))


def test_slow_requests_of_the_phase_that_goes_on_stop_although_the_whole_is_quick() -> None:
    decision = stop(alpha=0.05, planned_duration=600.0).decide(QUIET, going_on(12), START + 60)
    assert decision is not None
    assert (decision.rule, decision.confidence) == (StopRule.EVIDENCE, 0.975)
    assert decision.reason.startswith("12 of 40 requests in phase last took longer than 6 s")
    assert decision.saved_seconds == 540


@pytest.mark.parametrize(
    ("rules", "before", "slow"),
    [(WORST, 0, 12), (WORST, 1, 13), (WHOLE, 0, 13)],
)
def test_each_test_gets_its_part_of_the_error(rules: PhaseRules, before: int, slow: int) -> None:
    """At 0.04: 50 for the first phase, 150 for the second one; beside the whole twice as much."""
    given = {"alpha": 0.04}
    assert stop(rules, **given).decide(QUIET, going_on(slow - 1, before=before), START + 60) is None
    assert stop(rules, **given).decide(QUIET, going_on(slow, before=before), START + 60) is not None


def test_the_parts_add_up_to_no_more_than_the_whole_error() -> None:
    """However many phases follow each other, each as slow as it may be without being stopped."""
    levels = []
    for before in range(30):
        decision = stop(alpha=0.05).decide(QUIET, going_on(40, before=before), START + 60)
        assert decision is not None
        assert decision.confidence is not None
        levels.append(1 - decision.confidence)
    assert 0.045 < sum(levels) < 0.05


def test_the_whole_window_stops_only_what_it_can_fail() -> None:
    slow = counts(400, 1000)
    assert stop(WORST).decide(slow, (), START + 60) is None
    assert stop(WORST).decide(slow, going_on(0), START + 60) is None
    assert stop(WHOLE).decide(slow, going_on(0), START + 60) is not None


def test_the_whole_window_shares_its_error_once_phases_are_marked() -> None:
    # An e-value of 27 is enough by itself, where 20 are asked for, and not beside phases.
    whole = counts(18, 80)
    given = {"alpha": 0.05}
    assert stop(WHOLE, **given).decide(whole, (), START + 60) is not None
    assert stop(WHOLE, **given).decide(whole, going_on(0), START + 60) is None


def test_an_ignored_phase_stops_nothing() -> None:
    ignoring = PhaseRules(ScoreOf.WORST, ignore=frozenset({"last"}))
    assert stop(ignoring).decide(QUIET, going_on(40), START + 60) is None
    assert stop(ignoring).decide(QUIET, [ended("last", hard=True)], START + 60) is None


def test_an_ended_phase_that_failed_hard_stops_for_certain() -> None:
    phases = [ended("easy", hard=False), ended("heavy", hard=True)]
    assert stop().decide(QUIET, phases[:1], START + 60) is None
    decision = stop().decide(QUIET, phases, START + 60)
    assert decision is not None
    assert (decision.rule, decision.confidence) == (StopRule.CERTAIN, 1.0)
    assert decision.reason == "Phase heavy has ended with a hard SLO violated, whatever follows."


def test_a_phase_that_has_ended_but_is_not_counted_again_yet_proves_nothing() -> None:
    (live,) = going_on(40)
    live.span = replace(live.span, end=START + 30)
    assert stop().decide(QUIET, [live], START + 60) is None


def test_a_burn_in_is_that_of_the_load() -> None:
    burning = stop(burn_in=60.0)
    assert burning.decide(QUIET, going_on(40), START + 59) is None
    # Of a phase that began within it, only what came after it counts.
    assert burning.decide(QUIET, going_on(40), START + 60) is None
    assert burning.decide(QUIET, going_on(80, 80), START + 90) is not None
    later = going_on(40)
    later[0].span = replace(later[0].span, start=START + 70)
    assert stop(burn_in=60.0).decide(QUIET, later, START + 80) is not None


def test_a_plan_that_a_phase_alone_has_broken_stops_for_certain() -> None:
    decision = stop(planned_requests=300, null_share=0.9).decide(QUIET, going_on(31), START + 60)
    assert decision is not None
    assert decision.rule is StopRule.CERTAIN
    assert decision.reason.startswith("31 requests in phase last took longer than 6 s, more than")
