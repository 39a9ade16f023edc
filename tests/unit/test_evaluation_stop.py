"""The advice to stop, over the counts of a running experiment."""

import math
from dataclasses import replace

from sloscore.core.histogram import Histogram
from sloscore.core.objective import Signal
from sloscore.core.penalty import Slo
from sloscore.core.sli import Sli
from sloscore.core.stopping import StopRule
from sloscore.evaluation.stop import EarlyStop
from sloscore.experiments.window import WindowCounts
from sloscore.spec.stop import EarlyStopSpec

START = 1000.0
LIMIT = (
    Sli("latency_p90", Signal.LATENCY, "p90"),
    Slo(5.0, hard_fail=True, fail_ratio=0.2),
)


def counts(slow: int, total: int) -> WindowCounts:
    data = Histogram((5.0, 6.0, math.inf), (total - slow, total - slow, total), 1.0)
    return WindowCounts({"latency": data}, {}, START, START + 1, 0.0, 0.0, 1, 0, 1.0)


def stop(**spec: float) -> EarlyStop:
    return EarlyStop(EarlyStopSpec.model_validate(spec), [LIMIT], START)


def test_there_is_no_advice_while_as_many_are_slow_as_may_be() -> None:
    assert stop().decide(counts(10, 100), (), START + 60) is None


def test_evidence_stops_with_its_error_bound_and_the_time_that_it_saves() -> None:
    decision = stop(alpha=0.05, planned_duration=600.0).decide(counts(40, 100), (), START + 60)
    assert decision is not None
    assert (decision.action, decision.rule, decision.confidence) == (
        "stop", StopRule.EVIDENCE, 0.95,
    )  # fmt: skip
    assert decision.saved_seconds == 540
    assert "40 of 100 requests took longer than 6 s, where 0.1 may" in decision.reason


def test_a_higher_null_share_takes_more_to_stop() -> None:
    assert stop(null_share=0.4).decide(counts(40, 100), (), START + 60) is None


def test_several_hard_limits_share_the_error() -> None:
    """An e-value of 25 is past 1 / 0.05, but not past twice that."""
    seen = counts(11, 40)
    spec = EarlyStopSpec(alpha=0.05)
    sli, slo = LIMIT
    soft = (sli, replace(slo, hard_fail=False))
    assert EarlyStop(spec, [LIMIT, soft], START).decide(seen, (), START + 60) is not None
    assert EarlyStop(spec, [LIMIT, LIMIT], START).decide(seen, (), START + 60) is None
    decision = EarlyStop(spec, [LIMIT, LIMIT], START).decide(counts(12, 40), (), START + 60)
    assert decision is not None
    assert decision.confidence == 0.975


def test_a_plan_that_cannot_be_met_any_more_stops_for_certain() -> None:
    planned = stop(planned_requests=300, null_share=0.9)
    assert planned.decide(counts(30, 100), (), START + 60) is None
    decision = planned.decide(counts(31, 100), (), START + 61)
    assert decision is not None
    assert (decision.rule, decision.confidence) == (StopRule.CERTAIN, 1.0)


def test_requests_of_the_burn_in_prove_nothing() -> None:
    burning = stop(burn_in=60.0)
    assert burning.decide(counts(80, 100), (), START + 59) is None
    assert burning.decide(counts(80, 100), (), START + 60) is None
    assert burning.decide(counts(85, 200), (), START + 120) is None
    assert burning.decide(counts(130, 300), (), START + 180) is not None


def test_a_stop_stays_although_later_requests_are_quick() -> None:
    kept = stop()
    told = kept.decide(counts(40, 100), (), START + 60)
    assert told is not None
    assert kept.decide(counts(40, 100_000), (), START + 70) == told


def test_slos_that_are_not_hard_or_not_measured_never_stop() -> None:
    sli, slo = LIMIT
    soft = EarlyStop(EarlyStopSpec(), [(sli, replace(slo, hard_fail=False))], START)
    assert soft.decide(counts(100, 100), (), START + 60) is None
    empty = replace(counts(1, 1), histograms={})
    assert stop().decide(empty, (), START + 60) is None
