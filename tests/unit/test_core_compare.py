"""What two windows say of their difference: worked cases, symmetry, and how often it is wrong."""

import math
import statistics

import pytest
from tests.unit.compared import BOUNDS, INF, histogram, known, of_values

from sloscore.core.compare import (
    OF_REQUESTS,
    Difference,
    Outcome,
    Rate,
    compare_means,
    compare_quantiles,
    compare_rates,
    compare_shares,
)
from sloscore.core.confidence import rank_bounds
from sloscore.core.histogram import Histogram
from sloscore.core.nodata import NoData
from sloscore.core.objective import Direction

UP, DOWN = Direction.MAXIMIZE, Direction.MINIMIZE


@pytest.mark.parametrize(
    ("sign", "direction", "outcome"),
    [
        (1, DOWN, Outcome.WORSE),
        (-1, DOWN, Outcome.BETTER),
        (1, UP, Outcome.BETTER),
        (-1, UP, Outcome.WORSE),
        (0, UP, Outcome.CANNOT_TELL),
        (0, DOWN, Outcome.CANNOT_TELL),
    ],
)
def test_which_way_is_better_depends_on_the_direction(
    sign: int, direction: Direction, outcome: Outcome
) -> None:
    assert Difference(2.0, 1.0, 0.5, 1.5, 0.5, 1.5, sign).outcome(direction) is outcome


# Where all requests are in one bucket, so are all order statistics of the median.
FIRST, SECOND, THIRD, LAST = (
    histogram(*(0.0,) * place, *(1000.0,) * (5 - place)) for place in (0, 1, 2, 4)
)


@pytest.mark.parametrize(
    ("candidate", "baseline", "low", "high", "ratio_low", "ratio_high", "sign"),
    [
        (THIRD, SECOND, 0.0, 1.5, 0.0, 3.0, 1),
        (SECOND, THIRD, -1.5, 0.0, -0.75, 0.0, -1),
        (THIRD, FIRST, 0.5, 2.0, 1.0, INF, 1),
        (SECOND, SECOND, -0.5, 0.5, -0.5, 1.0, 0),
        (LAST, SECOND, 4.0, INF, 4.0, INF, 1),
        (SECOND, LAST, -INF, -4.0, -1.0, -0.8, -1),
        (LAST, LAST, -INF, INF, -1.0, INF, 0),
        (FIRST, FIRST, -0.5, 0.5, -1.0, INF, 0),
    ],
    ids=["next bucket", "the other way", "lowest", "same", "beyond", "from beyond", "both", "first"],
)  # fmt: skip
def test_quantiles_differ_by_what_their_buckets_leave_open(
    candidate: Histogram, baseline: Histogram,
    low: float, high: float, ratio_low: float, ratio_high: float, sign: int,
) -> None:  # fmt: skip
    found = known(compare_quantiles(candidate, baseline, 0.5, 0.95))

    assert (found.low, found.high) == (low, high)
    assert (found.ratio_low, found.ratio_high) == pytest.approx((ratio_low, ratio_high))
    assert found.sign == sign


def test_quantiles_hold_at_a_confidence_that_both_do() -> None:
    # One request at each second, and ten times as slow: bounds are ranks.
    exact = of_values([float(n) for n in range(1, 413)], tuple(float(n) for n in range(1, 413)))
    first, last = rank_bounds(412, 0.9, 0.975)

    found = known(compare_quantiles(exact.scaled(10), exact, 0.9, 0.95))

    assert (first, last) == (357, 385)
    assert (found.low, found.high) == (10 * (first - 1) - last, 10 * last - (first - 1))


def test_buckets_may_differ_between_both() -> None:
    fine = Histogram((0.1, 0.2, 0.3, INF), (0, 1000, 1000, 1000), 150.0)

    found = known(compare_quantiles(fine, SECOND, 0.5, 0.95))

    assert (found.low, found.high) == pytest.approx((0.1 - 1.0, 0.2 - 0.5))
    assert found.sign == -1


def test_a_quantile_of_too_few_requests_tells_nothing() -> None:
    one, two = (of_values([3.0] * few, BOUNDS[:-1]) for few in (1, 2))

    lone = known(compare_quantiles(one, FIRST, 0.9, 0.95))
    assert (lone.sign, lone.high) == (0, INF)
    # Were the P90 no higher than the baseline's, both were above it with a probability of 0.01.
    assert known(compare_quantiles(two, FIRST, 0.9, 0.95)).sign == 1
    assert compare_quantiles(histogram(0, 0, 0, 0, 0), FIRST, 0.9, 0.95) == NoData(
        "no requests finished in the window"
    )


# The first example of the article on Welch's test in Wikipedia: t = -2.46, 24.99 degrees of freedom.
ONE = [27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4]
OTHER = [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 20.5, 24.4]
# Bounds so close around the values that buckets leave nothing open.
CLOSE = tuple(sorted({v + side for v in {*ONE, *OTHER} for side in (-1e-7, 1e-7)}))


def test_means_differ_by_welchs_interval() -> None:
    found = known(compare_means(of_values(ONE, CLOSE), of_values(OTHER, CLOSE), 0.95))

    error = math.sqrt(statistics.variance(ONE) / 15 + statistics.variance(OTHER) / 15)
    change = statistics.fmean(ONE) - statistics.fmean(OTHER)
    assert change / error == pytest.approx(-2.46, abs=5e-3)
    # With 24 degrees of freedom.
    half = 2.0639 * error
    assert found.change == pytest.approx(change)
    assert (found.low, found.high) == pytest.approx((change - half, change + half), rel=1e-4)
    assert found.sign == -1
    # Fieller's interval: at its ends the test of that ratio is on the brink, too.
    for end in (found.ratio_low, found.ratio_high):
        ratio = 1 + end
        there = statistics.fmean(ONE) - ratio * statistics.fmean(OTHER)
        spread = statistics.variance(ONE) / 15 + ratio**2 * statistics.variance(OTHER) / 15
        assert there**2 == pytest.approx(2.0639**2 * spread, rel=1e-3)


@pytest.mark.parametrize("count", [1, 2])
def test_means_of_next_to_no_requests_tell_nothing(count: int) -> None:
    few = of_values([4.0] * count, BOUNDS[:-1])
    found = known(compare_means(few, of_values([0.6] * 1000, BOUNDS[:-1]), 0.95))

    assert (found.sign, found.ratio_low) == (0, -1.0)


def test_a_mean_without_requests_is_no_data_and_says_whose() -> None:
    nothing = histogram(0, 0, 0, 0, 0)
    one = of_values([1.0], BOUNDS[:-1])

    for candidate, baseline, whose in ((nothing, one, "candidate"), (one, nothing, "baseline")):
        found = compare_means(candidate, baseline, 0.95)
        assert found == NoData(f"no requests of the {whose} finished in its window")
        found = compare_shares((0.0, candidate.count), (0.0, baseline.count), 0.95)
        assert found == NoData(f"no requests of the {whose} finished in its window")


# Table II of Newcombe's article, method 10.
@pytest.mark.parametrize(
    ("candidate", "baseline", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_shares_differ_by_newcombes_interval(
    candidate: tuple[float, float], baseline: tuple[float, float], low: float, high: float
) -> None:
    found = known(compare_shares(candidate, baseline, 0.95))

    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert found.sign == (low > 0)


def test_a_share_that_was_nothing_before_has_no_relative_change() -> None:
    found = known(compare_shares((30, 100), (0, 100), 0.95))

    assert found.ratio is None
    assert found.sign == 1
    assert found.ratio_low > 0
    assert found.ratio_high == INF


def test_a_rate_holds_what_requests_and_edges_leave_open() -> None:
    # 800 requests: 1.96 * sqrt(2 / 800) = 9.8 % each.
    exact = known(compare_rates(Rate(120, 120, 120, 800), Rate(100, 100, 100, 800), 0.95))
    half = 1.96 * math.sqrt(2 / 800) * math.hypot(120, 100)
    assert (exact.low, exact.high) == pytest.approx((20 - half, 20 + half), rel=1e-3)
    assert exact.sign == 1

    edges = known(compare_rates(Rate(120, 120, 130, 800), Rate(100, 100, 115, 800), 0.95))
    assert edges.low == pytest.approx(5 - 1.96 * 0.05 * math.hypot(120, 115), rel=1e-3)
    assert edges.high == pytest.approx(30 + 1.96 * 0.05 * math.hypot(130, 100), rel=1e-3)
    assert (edges.change, edges.sign) == (20, 0)


def test_requests_alone_scatter_less_than_what_they_bring() -> None:
    found = known(
        compare_rates(Rate(9, 9, 9, 800, OF_REQUESTS), Rate(8, 8, 8, 800, OF_REQUESTS), 0.95)
    )

    half = 1.96 * math.sqrt(1 / 800) * math.hypot(9, 8)
    assert (found.low, found.high) == pytest.approx((1 - half, 1 + half), rel=1e-3)


def test_a_rate_of_no_requests_tells_nothing() -> None:
    found = known(compare_rates(Rate(5.0, 5.0, 5.0, 0), Rate(100, 100, 100, 800), 0.95))
    assert (found.low, found.high, found.sign) == (-INF, INF, 0)
