"""The scoring contract: its figures, its boundaries and its order."""

import math
from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloscore.core import sli as slis
from sloscore.core.curve import Exponential
from sloscore.core.histogram import Histogram
from sloscore.core.judge import judge
from sloscore.core.measured import measured_quantile
from sloscore.core.nodata import NoData
from sloscore.core.objective import Direction, Objective, Signal
from sloscore.core.penalty import Slo, is_hard_fail, penalty
from sloscore.core.scoring import HARD_VIOLATION, Score, Status, apply_penalty, combine
from sloscore.core.sli import RATE, Estimate, Sli
from sloscore.core.verdict import Severity, Verdict

P50 = Sli("latency_p50", Signal.LATENCY, "p50")
P90 = Sli("latency_p90", Signal.LATENCY, "p90")
P99 = Sli("latency_p99", Signal.LATENCY, "p99")
TTFT = Sli("ttft", Signal.TTFT, "p90")
THROUGHPUT = Sli("throughput", Signal.THROUGHPUT, RATE)
MINIMIZE, MAXIMIZE = Direction.MINIMIZE, Direction.MAXIMIZE


def score(
    base: float | NoData,
    *measured: tuple[Sli, Slo, float | None],
    direction: Direction = MINIMIZE,
    steepness: float = 0.1,
) -> Score:
    curve = Exponential(steepness)
    results = [
        judge(sli, replace(slo, curve=curve), slis.given(value)) for sli, slo, value in measured
    ]
    return combine(base, direction, results)


class Scenario(NamedTuple):
    base: float
    measured: list[tuple[Sli, Slo, float | None]]
    penalty: float
    score: float


SCENARIOS = {
    "no violation leaves the score": Scenario(3.0, [(P90, Slo(5.0, 2.0), 4.0)], 0, 3.0),
    "10 % over with weight 2": Scenario(3.0, [(P90, Slo(5.0, 2.0), 5.5)], 5.44, 19.3),
    "four violations add up": Scenario(
        2.5,
        [
            (P50, Slo(2.0, 1.0), 2.3),
            (P90, Slo(5.0, 2.0), 5.5),
            (P99, Slo(10.0, 3.0), 11.0),
            (TTFT, Slo(1.0, 2.0), 1.2),
        ],
        32.85,
        84.6,
    ),
    "no slo section leaves the score": Scenario(2.5, [], 0, 2.5),
    "exactly at the threshold is met": Scenario(3.0, [(P90, Slo(5.0, 2.0), 5.0)], 0, 3.0),
    "weight 0 costs nothing": Scenario(3.0, [(P90, Slo(5.0, 0.0), 50.0)], 0, 3.0),
    "weight 0 costs nothing even where the exponential overflows": Scenario(
        3.0, [(P90, Slo(5.0, 0.0), 5e9)], 0, 3.0
    ),
}


@pytest.mark.parametrize("case", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_scenarios_of_the_contract(case: Scenario) -> None:
    result = score(case.base, *case.measured)
    assert result.status is Status.SUCCESS
    assert not result.slo_violation
    assert result.penalty == pytest.approx(case.penalty, abs=0.005)
    assert result.score == pytest.approx(case.score, abs=0.05)
    assert result.finite_score == result.score


def test_each_penalty_of_the_four_violations_is_the_documents() -> None:
    four = SCENARIOS["four violations add up"]
    result = score(four.base, *four.measured)
    assert [round(r.penalty or 0, 2) for r in result.slis] == [4.48, 5.44, 8.15, 14.78]
    assert result.multiplier == pytest.approx(33.85, abs=0.005)


def test_a_severe_violation_of_a_hard_slo_fails_the_experiment() -> None:
    slo = Slo(5.0, 2.0, hard_fail=True, fail_ratio=0.2)
    result = score(3.0, (P90, slo, 6.5))
    assert (result.status, result.score, result.slo_violation) == (Status.FAILED, math.inf, True)
    assert result.reason == HARD_VIOLATION == "Hard SLO violation"
    assert result.finite_score == pytest.approx(3.0 * (1 + 2 * math.exp(3)))
    assert result.constraints == {"latency_p90": pytest.approx(0.3)}
    assert result.slis[0].severity is Severity.HARD_FAIL


@pytest.mark.parametrize(("steepness", "multiplier"), [(0.05, 110.2), (0.1, 15.8), (0.2, 6.4)])
def test_multiplier_at_20_percent_over_by_steepness(steepness: float, multiplier: float) -> None:
    result = score(1.0, (TTFT, Slo(1.0, 2.0), 1.2), steepness=steepness)
    assert result.multiplier == pytest.approx(multiplier, abs=0.05)


@pytest.mark.parametrize(
    ("over", "multiplier"), [(0.05, 4.30), (0.10, 6.44), (0.20, 15.78), (0.50, 297.83)]
)
def test_multiplier_at_weight_2_by_violation(over: float, multiplier: float) -> None:
    result = score(1.0, (P90, Slo(10.0, 2.0), 10.0 * (1 + over)))
    assert result.multiplier == pytest.approx(multiplier, abs=0.005)


HARD_BOUNDARIES = {
    "1.2 against 1.0 at 0.2": (1.2, 1.0, 0.2, True),
    "3.3 against 3.0 at 0.1": (3.3, 3.0, 0.1, True),
    "6.0 against 5.0 at 0.2": (6.0, 5.0, 0.2, True),
    "1.1 against 1.0 at 0.1": (1.1, 1.0, 0.1, True),
    "just under 1.2 at 0.2": (1.199999, 1.0, 0.2, False),
    "just under 3.3 at 0.1": (3.299999, 3.0, 0.1, False),
    "at the threshold with fail_ratio 0": (1.0, 1.0, 0.0, False),
    "just over the threshold with fail_ratio 0": (1.0000001, 1.0, 0.0, True),
    "well under the threshold": (0.5, 1.0, 0.2, False),
}


@pytest.mark.parametrize(
    ("value", "threshold", "fail_ratio", "expected"),
    HARD_BOUNDARIES.values(),
    ids=HARD_BOUNDARIES.keys(),
)
def test_hard_fail_is_inclusive_with_a_tolerance_for_floats(
    value: float, threshold: float, fail_ratio: float, expected: bool
) -> None:
    assert is_hard_fail(value, Slo(threshold, 1.0, True, fail_ratio)) is expected
    assert not is_hard_fail(value, Slo(threshold, 1.0, False, fail_ratio))


@pytest.mark.parametrize("value", [1e6, 1e300, math.inf])
@pytest.mark.parametrize("base", [0.0, 1e-300, 2.5])
def test_a_huge_violation_saturates_and_is_worse_than_any_other(value: float, base: float) -> None:
    result = score(base, (P90, Slo(1.0), value))
    assert result.status is Status.SUCCESS
    assert result.penalty == math.inf
    assert result.score == math.inf
    assert score(base, (P90, Slo(1.0), value), direction=MAXIMIZE).score == 0


MISSING = {
    "a missing value": (2.5, None),
    "a value that is not a number": (2.5, math.nan),
    "a missing base": (NoData("nothing was measured"), 0.5),
}


@pytest.mark.parametrize(("base", "value"), MISSING.values(), ids=MISSING.keys())
def test_missing_data_is_never_a_pass(base: float | NoData, value: float | None) -> None:
    result = score(base, (P90, Slo(1.0), value), (P50, Slo(1.0), 0.2))
    assert result.status is Status.NO_DATA
    assert result.score is None
    assert result.finite_score is None
    assert result.interval is None
    assert result.reason is not None
    assert "unknown" in result.reason


def test_a_hard_fail_outranks_a_missing_value() -> None:
    result = score(2.5, (P90, Slo(1.0, hard_fail=True), 9.0), (TTFT, Slo(1.0), None))
    assert (result.status, result.score, result.penalty) == (Status.FAILED, math.inf, None)


def test_a_maximised_score_gets_smaller_with_a_penalty_and_minus_infinity_on_a_hard_fail() -> None:
    minimum = Slo(100.0, 2.0, hard_fail=True, fail_ratio=0.2, is_minimum=True)
    met = score(120.0, (THROUGHPUT, minimum, 120.0), direction=MAXIMIZE)
    soft = score(90.0, (THROUGHPUT, minimum, 90.0), direction=MAXIMIZE)
    hard = score(80.0, (THROUGHPUT, minimum, 80.0), direction=MAXIMIZE)
    assert met.score == 120.0
    assert soft.score == pytest.approx(90 / (1 + 2 * math.e))
    assert hard.score == -math.inf
    assert hard.status is Status.FAILED


@pytest.mark.parametrize("base", [-1.0, math.nan, math.inf, -math.inf])
def test_a_base_that_cannot_be_ordered_is_refused(base: float) -> None:
    with pytest.raises(ValueError, match="base score must be a finite number of 0 or above"):
        score(base, (P90, Slo(1.0), 0.5))


def test_objectives_name_their_signal_and_direction() -> None:
    assert {o: (o.signal, o.direction) for o in Objective} == {
        "minimize_latency": ("latency", "minimize"),
        "minimize_ttft": ("ttft", "minimize"),
        "minimize_tpot": ("tpot", "minimize"),
        "minimize_queue": ("queue", "minimize"),
        "maximize_throughput": ("throughput", "maximize"),
        "maximize_throughput_per_gpu": ("throughput_per_gpu", "maximize"),
        "maximize_total_throughput": ("total_throughput", "maximize"),
        "maximize_total_throughput_per_gpu": ("total_throughput_per_gpu", "maximize"),
        "maximize_request_throughput": ("request_throughput", "maximize"),
        "maximize_goodput": ("goodput", "maximize"),
    }


class Bucketed(NamedTuple):
    estimate: Estimate
    slo: Slo
    verdict: Verdict
    certain: bool


BUCKETED = {
    "the whole bucket is under the threshold": Bucketed(
        Estimate(4, 2.5, 5, lower_open=True), Slo(5), Verdict.MET, True
    ),
    "a bucket that starts at the threshold is violated for sure": Bucketed(
        Estimate(7, 5, 10, lower_open=True), Slo(5), Verdict.VIOLATED, True
    ),
    "a threshold inside the bucket leaves the verdict open": Bucketed(
        Estimate(7, 5, 10, lower_open=True), Slo(8), Verdict.MET, False
    ),
    "a bucket that reaches the hard limit leaves the verdict open": Bucketed(
        Estimate(5.5, 5, 10, lower_open=True), Slo(5, 1, True, 0.2), Verdict.VIOLATED, False
    ),
    "a bucket that starts at the hard limit fails hard for sure": Bucketed(
        Estimate(7, 6, 10, lower_open=True), Slo(5, 1, True, 0.2), Verdict.HARD_FAIL, True
    ),
    "above the last bound is violated where the threshold is that bound": Bucketed(
        Estimate(60, 60, math.inf, lower_open=True), Slo(60), Verdict.VIOLATED, True
    ),
    "above the last bound is unknown where the threshold lies higher": Bucketed(
        Estimate(60, 60, math.inf, lower_open=True), Slo(100), Verdict.NO_DATA, False
    ),
}


@pytest.mark.parametrize("case", BUCKETED.values(), ids=BUCKETED.keys())
def test_certainty_of_a_verdict_from_a_bucket(case: Bucketed) -> None:
    result = judge(P90, case.slo, case.estimate)
    assert (result.verdict, result.certain) == (case.verdict, case.certain)


def test_the_score_interval_runs_from_the_best_to_the_worst_possible_value() -> None:
    slo = Slo(5, 2, hard_fail=True, fail_ratio=0.2)
    open_to_fail = combine(
        3.0, MINIMIZE, [judge(P90, slo, Estimate(5.5, 2.5, 10, lower_open=True))]
    )
    assert open_to_fail.interval is not None
    assert (open_to_fail.interval.low, open_to_fail.interval.high) == (3.0, math.inf)
    soft = combine(3.0, MAXIMIZE, [judge(P90, Slo(5, 2), Estimate(5.5, 5, 6, lower_open=True))])
    assert soft.interval is not None
    assert soft.interval.low == pytest.approx(3 / (1 + 2 * math.exp(2)))
    assert soft.interval.high == pytest.approx(1.0)


def test_an_explanation_says_value_threshold_interval_and_doubt() -> None:
    data = Histogram((5.0, 10.0, math.inf), (367, 412, 412), 1500)
    estimate = measured_quantile(data, 0.9, 0.95)
    assert judge(P90, Slo(5, 1, True, 0.2), estimate).explanation == (
        "P90 of latency is 5.422 s, 8.4% over the threshold of 5 s: it lies in (5, 10] s, "
        "45 of 412 requests took longer than 5 s; the verdict is not certain, because the hard "
        "limit of 6 s lies inside that interval: give the server a bucket bound there."
    )
    assert judge(P90, Slo(5, 1), estimate).explanation == (
        "P90 of latency is 5.422 s, 8.4% over the threshold of 5 s: it lies in (5, 10] s, "
        "45 of 412 requests took longer than 5 s; the verdict is not certain, because 412 "
        "requests tell only that the deployment's own lies in [0, 10] s (0.95 confidence): about "
        "3761 more requests would settle it."
    )


values = st.floats(0, 1e6)
limits = st.builds(
    Slo,
    threshold=st.floats(1e-3, 1e4),
    weight=st.floats(0, 100),
    hard_fail=st.booleans(),
    fail_ratio=st.floats(0, 5),
)


def order(result: Score, direction: Direction) -> float:
    """Rank of a score: higher is worse."""
    assert result.score is not None
    return result.score if direction is MINIMIZE else -result.score


@given(values, values, limits, st.floats(0, 1e6), st.sampled_from(Direction), st.floats(0.01, 2))
def test_a_score_never_gets_better_when_a_value_gets_worse(
    one: float, other: float, slo: Slo, base: float, direction: Direction, steepness: float
) -> None:
    better, worse = sorted((one, other))
    low = score(base, (P90, slo, better), direction=direction, steepness=steepness)
    high = score(base, (P90, slo, worse), direction=direction, steepness=steepness)
    assert order(low, direction) <= order(high, direction)


@given(values, values, limits, st.floats(0, 1e6), st.sampled_from(Direction))
def test_a_hard_fail_is_never_better_than_anything(
    past: float, other: float, limit: Slo, base: float, direction: Direction
) -> None:
    slo = replace(limit, hard_fail=True)
    value = max(slo.threshold * (1 + slo.fail_ratio), math.nextafter(slo.threshold, math.inf))
    failed = score(base, (P90, slo, value + past), direction=direction)
    assert failed.status is Status.FAILED
    anything = score(base, (P90, slo, other), direction=direction)
    assert order(anything, direction) <= order(failed, direction)


@given(values, limits, st.floats(0.01, 2))
def test_a_penalty_is_zero_within_the_threshold_and_at_least_the_weight_beyond(
    value: float, slo: Slo, steepness: float
) -> None:
    cost = penalty(value, replace(slo, curve=Exponential(steepness)))
    assert cost == 0 if value <= slo.threshold else cost >= slo.weight


@given(st.floats(0, 1e9), st.floats(0, 1e9), st.sampled_from(Direction))
def test_a_penalty_never_improves_a_score(base: float, cost: float, direction: Direction) -> None:
    final = apply_penalty(base, cost, direction)
    assert final >= base if direction is MINIMIZE else final <= base


@given(
    st.lists(st.floats(0.001, 100), min_size=3, max_size=3, unique=True),
    limits,
    st.floats(0.1, 10),
)
def test_the_score_of_the_value_lies_in_the_score_interval(
    ends: list[float], slo: Slo, base: float
) -> None:
    lower, value, upper = sorted(ends)
    result = combine(base, MINIMIZE, [judge(P90, slo, Estimate(value, lower, upper))])
    assert result.interval is not None
    assert result.score is not None
    assert result.interval.low <= result.score <= result.interval.high
