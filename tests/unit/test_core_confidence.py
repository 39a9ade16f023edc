"""What sampling leaves open: against the binomial distribution itself, and against simulated draws."""

import math
import random
from fractions import Fraction
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloscore.core.confidence import (
    mean_bounds,
    mean_error,
    quantile_bounds,
    quantile_error,
    rank_bounds,
    requests_to_tell,
)
from sloscore.core.curve import Exponential
from sloscore.core.histogram import Histogram
from sloscore.core.judge import judge
from sloscore.core.measured import measured_mean, measured_quantile
from sloscore.core.objective import Signal
from sloscore.core.penalty import Slo
from sloscore.core.sli import MEAN, Estimate, Sli
from sloscore.core.verdict import HardFailOn, Uncertainty, Verdict

INF = math.inf
P90 = Sli("latency_p90", Signal.LATENCY, "p90")
TPOT = Sli("tpot", Signal.TPOT, MEAN)
BOUNDS = (1.0, 2.0, 5.0, 6.0, 10.0, INF)


def histogram(*cumulative: float, total: float = 0.0) -> Histogram:
    return Histogram(BOUNDS, cumulative, total)


def at_most(count: int, m: int, q: Fraction) -> Fraction:
    """The exact probability that a binomial number is m or less."""
    terms = (math.comb(count, k) * q**k * (1 - q) ** (count - k) for k in range(m + 1))
    return sum(terms, Fraction(0))


@pytest.mark.parametrize("count", [1, 2, 10, 37, 150])
@pytest.mark.parametrize(
    "q", [Fraction(1, 100), Fraction(1, 2), Fraction(9, 10), Fraction(99, 100)]
)
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
def test_ranks_are_the_narrowest_that_leave_half_the_doubt_on_each_side(
    count: int, q: Fraction, confidence: float
) -> None:
    low, high = rank_bounds(count, float(q), confidence)
    tail = (1 - confidence) / 2
    assert at_most(count, low - 1, q) <= tail + 1e-12
    assert at_most(count, low, q) > tail - 1e-12
    assert 1 - at_most(count, high - 1, q) <= tail + 1e-12
    assert 1 - at_most(count, high - 2, q) > tail - 1e-12


def test_a_p99_has_no_upper_bound_until_there_are_enough_requests() -> None:
    enough = requests_to_tell(1.0, 0.99, 0.95)
    assert enough == 368
    assert rank_bounds(enough - 1, 0.99, 0.95)[1] == enough
    assert rank_bounds(enough, 0.99, 0.95)[1] == enough


def test_ranks_of_a_million_requests_are_those_of_the_normal_approximation() -> None:
    low, high = rank_bounds(1_000_000, 0.9, 0.95)
    half = 1.96 * math.sqrt(1_000_000 * 0.09)
    assert low == pytest.approx(900_000 - half, abs=2)
    assert high == pytest.approx(900_000 + half, abs=2)


def test_quantile_bounds_are_the_outer_bounds_of_the_buckets_of_both_ranks() -> None:
    # Ranks of p90 of 412 requests at 95 %: 359 and 383.
    data = histogram(100, 358, 383, 400, 412, 412)
    assert rank_bounds(412, 0.9, 0.95) == (359, 383)
    assert quantile_bounds(data, 0.9, 0.95) == (2.0, 5.0)
    assert quantile_bounds(histogram(100, 359, 382, 400, 412, 412), 0.9, 0.95) == (1.0, 6.0)
    assert quantile_bounds(histogram(0, 0, 0, 0, 0, 9), 0.9, 0.95)[1] == INF
    assert quantile_bounds(histogram(0, 0, 0, 0, 0, 0), 0.9, 0.95) == (0.0, INF)


def test_the_true_quantile_lies_within_its_bounds_as_often_as_stated() -> None:
    chance = random.Random(1)
    truth = math.exp(0.5 * 1.2815515594)  # p90 of lognormal(0, 0.5)
    fine = (*(i / 200 for i in range(1, 2000)), INF)
    missed = 0
    for _ in range(400):
        values = sorted(chance.lognormvariate(0, 0.5) for _ in range(200))
        counts, position = [], 0
        for bound in fine:
            while position < len(values) and values[position] <= bound:
                position += 1
            counts.append(float(position))
        low, high = quantile_bounds(Histogram(fine, tuple(counts), sum(values)), 0.9, 0.95)
        missed += not low <= truth <= high
    # 400 draws at 5 % are 20 with a standard deviation of 4.4; ranks are rounded outwards.
    assert 2 <= missed <= 34


def test_the_mean_and_its_error_are_those_of_values_spread_over_their_buckets() -> None:
    data = Histogram((1.0, 2.0, INF), (50, 100, 100), 100)
    # Uniform on (0, 2]: variance 4 / 12.
    assert mean_error(data) == pytest.approx(math.sqrt(4 / 12 / 99))
    low, high = mean_bounds(data, 0.95)
    assert (low, high) == pytest.approx((1 - 1.96 * 0.058026, 1 + 1.96 * 0.058026), abs=1e-4)
    beyond = Histogram((1.0, INF), (99, 100), 99 * 0.5 + 1000)
    assert mean_error(beyond) == pytest.approx(math.sqrt((1000 - 0.5) ** 2 * 0.0099 / 99), rel=0.01)
    assert mean_error(Histogram((1.0, INF), (1, 1), 0.5)) is None
    assert mean_bounds(Histogram((1.0, INF), (1, 1), 0.5), 0.95) == (0.0, INF)


def test_the_error_of_a_quantile_falls_with_the_root_of_the_requests() -> None:
    uniform = Histogram((1.0, 2.0, INF), (100, 200, 200), 200)
    # The density of p75 of a uniform on (0, 2] is 1/2.
    assert quantile_error(uniform, 0.75) == pytest.approx(math.sqrt(0.75 * 0.25 / 200) * 2)
    assert quantile_error(histogram(0, 0, 0, 0, 0, 100), 0.9) is None
    assert quantile_error(histogram(0, 0, 0, 0, 0, 0), 0.9) is None


class Case(NamedTuple):
    data: Histogram
    slo: Slo
    verdict: Verdict
    uncertainty: Uncertainty | None
    more: int | None = None


HARD = Slo(5.0, hard_fail=True, fail_ratio=0.2)
CASES = {
    "few enough requests over a bound are met for certain": Case(
        histogram(200, 900, 960, 980, 1000, 1000), HARD, Verdict.MET, None
    ),
    "nearly a tenth over a bound is met, but not for certain": Case(
        histogram(200, 900, 910, 980, 1000, 1000), HARD, Verdict.MET, Uncertainty.SAMPLING, 2558
    ),
    "between the bounds of threshold and hard limit is violated for certain": Case(
        histogram(200, 500, 800, 950, 1000, 1000), HARD, Verdict.VIOLATED, None
    ),
    "well over the bound of the hard limit fails for certain": Case(
        histogram(200, 500, 700, 800, 1000, 1000), HARD, Verdict.HARD_FAIL, None
    ),
    "just over the bound of the hard limit may be chance": Case(
        histogram(200, 500, 700, 890, 1000, 1000),
        HARD,
        Verdict.HARD_FAIL,
        Uncertainty.SAMPLING,
        2558,
    ),
    "a limit inside the bucket is settled by no number of requests": Case(
        histogram(200, 500, 700, 800, 1000, 1000),
        Slo(5.0, hard_fail=True, fail_ratio=0.5),
        Verdict.HARD_FAIL,
        Uncertainty.BUCKETS,
    ),
    "just as many over a bound as may be tells nothing apart": Case(
        histogram(200, 500, 900, 950, 1000, 1000), Slo(5.0), Verdict.MET, Uncertainty.SAMPLING
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_verdict_is_certain_where_counts_and_their_chance_say_so(case: Case) -> None:
    result = judge(P90, case.slo, measured_quantile(case.data, 0.9, 0.95))
    assert (result.verdict, result.uncertainty) == (case.verdict, case.uncertainty)
    assert result.certain == (case.uncertainty is None)
    assert result.requests_to_settle == case.more


def test_a_hard_fail_on_certainty_stays_soft_until_it_is_certain() -> None:
    doubtful = measured_quantile(histogram(200, 500, 700, 890, 1000, 1000), 0.9, 0.95)
    result = judge(P90, HARD, doubtful, hard_fail_on=HardFailOn.CERTAIN)
    assert (result.verdict, result.certain) == (Verdict.VIOLATED, False)
    clear = measured_quantile(histogram(200, 500, 700, 800, 1000, 1000), 0.9, 0.95)
    result = judge(P90, HARD, clear, hard_fail_on=HardFailOn.CERTAIN)
    assert (result.verdict, result.certain) == (Verdict.HARD_FAIL, True)


def test_a_mean_needs_as_many_requests_as_its_error_says() -> None:
    data = Histogram((1.0, 2.0, INF), (50, 100, 100), 100)
    result = judge(TPOT, Slo(0.95), measured_mean(data, 0.95))
    assert (result.verdict, result.uncertainty) == (Verdict.VIOLATED, Uncertainty.SAMPLING)
    assert result.requests_to_settle == 518 - 100


counts = st.lists(st.integers(0, 300), min_size=6, max_size=6).filter(lambda c: sum(c) > 0)


def cumulated(parts: list[int]) -> Histogram:
    return histogram(*(float(sum(parts[: i + 1])) for i in range(6)))


@given(counts, st.sampled_from([0.1, 0.5, 0.9, 0.99]), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_bucket_of_a_quantile_lies_within_its_bounds(
    parts: list[int], q: float, confidence: float
) -> None:
    data = cumulated(parts)
    bucket = data.quantile(q)
    low, high = quantile_bounds(data, q, confidence)
    assert isinstance(bucket, Estimate)
    assert low <= bucket.lower
    assert bucket.upper <= high


@given(counts, st.floats(0.5, 12), st.floats(0, 1), st.sampled_from([0.8, 0.95]))
def test_a_certain_verdict_stays_when_less_confidence_is_asked(
    parts: list[int], threshold: float, fail_ratio: float, confidence: float
) -> None:
    slo = Slo(threshold, hard_fail=True, fail_ratio=fail_ratio)
    strict = judge(P90, slo, measured_quantile(cumulated(parts), 0.9, 0.99))
    loose = judge(P90, slo, measured_quantile(cumulated(parts), 0.9, confidence))
    assert strict.verdict is loose.verdict
    assert loose.certain or not strict.certain


def test_a_quantile_in_a_bucket_without_any_width_has_no_error() -> None:
    at_zero = Histogram((0.0, 1.0, INF), (10, 10, 10), 0.0)
    assert quantile_error(at_zero, 0.9) == 0.0


@pytest.mark.parametrize(("threshold", "steepness"), [(5e-324, 0.1), (1e-5, 1e-320)])
def test_a_penalty_too_steep_for_a_float_has_no_known_error(
    threshold: float, steepness: float
) -> None:
    measured = measured_quantile(histogram(5, 20, 20, 20, 20, 20), 0.9, 0.95)
    result = judge(P90, Slo(threshold, curve=Exponential(steepness)), measured)
    assert result.verdict is Verdict.VIOLATED
    assert result.penalty_error is None
