"""What two windows say of their difference: worked cases, symmetry, and how often it is wrong."""

import math
import random
import statistics
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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

INF = math.inf
BOUNDS = (0.5, 1.0, 2.0, 5.0, INF)
UP, DOWN = Direction.MAXIMIZE, Direction.MINIMIZE


def histogram(*cumulative: float, total: float = 0.0) -> Histogram:
    return Histogram(BOUNDS, cumulative, total)


def of_values(values: list[float], bounds: tuple[float, ...]) -> Histogram:
    counts = [float(sum(value <= bound for value in values)) for bound in (*bounds, INF)]
    return Histogram((*bounds, INF), tuple(counts), math.fsum(values))


def known(found: Difference | NoData) -> Difference:
    assert isinstance(found, Difference), found
    return found


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


counts = st.lists(st.integers(0, 2000), min_size=5, max_size=5)


@st.composite
def histograms(draw: st.DrawFn) -> Histogram:
    inside = draw(counts.filter(any))
    cumulative = [float(sum(inside[: place + 1])) for place in range(5)]
    # Each value in the middle of its bucket, or a little above the last bound.
    total = math.fsum(n * middle for n, middle in zip(inside, (0.3, 0.8, 1.5, 3, 7), strict=True))
    return histogram(*cumulative, total=total)


@st.composite
def shares(draw: st.DrawFn) -> tuple[float, float]:
    total = draw(st.integers(1, 5000))
    return float(draw(st.integers(0, total))), float(total)


@st.composite
def rates(draw: st.DrawFn) -> Rate:
    low = draw(st.floats(0.01, 1e4))
    return Rate(low, low, low * draw(st.floats(1, 1.5)), draw(st.integers(0, 10**5)))


def by(comparison: Callable[..., Difference | NoData], *more: float) -> Callable[..., Any]:
    def run(candidate: object, baseline: object, confidence: float = 0.95) -> Difference:
        return known(comparison(candidate, baseline, *more, confidence))

    return run


COMPARISONS: dict[str, tuple[Callable[..., Difference], st.SearchStrategy[Any]]] = {
    "p50": (by(compare_quantiles, 0.5), histograms()),
    "p99": (by(compare_quantiles, 0.99), histograms()),
    "mean": (by(compare_means), histograms()),
    "share": (by(compare_shares), shares()),
    "rate": (by(compare_rates), rates()),
}
every_comparison = pytest.mark.parametrize("name", COMPARISONS)


@every_comparison
@settings(max_examples=40)
@given(st.data())
def test_swapping_both_turns_the_sign_round(name: str, data: st.DataObject) -> None:
    compare, windows = COMPARISONS[name]
    one, other = data.draw(windows), data.draw(windows)

    there, back = compare(one, other), compare(other, one)

    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))
    assert back.sign == -there.sign
    for direction in Direction:
        pair = {there.outcome(direction), back.outcome(direction)}
        assert pair in ({Outcome.CANNOT_TELL}, {Outcome.BETTER, Outcome.WORSE})


@every_comparison
@settings(max_examples=40)
@given(st.data())
def test_nothing_is_better_or_worse_than_itself(name: str, data: st.DataObject) -> None:
    compare, windows = COMPARISONS[name]
    one = data.draw(windows)

    found = compare(one, one)

    assert found.sign == 0
    assert found.change == 0
    assert found.low <= 0 <= found.high


@every_comparison
@settings(max_examples=40)
@given(st.data())
def test_difference_and_ratio_agree_on_the_sign(name: str, data: st.DataObject) -> None:
    compare, windows = COMPARISONS[name]

    found = compare(data.draw(windows), data.draw(windows))

    assert found.low <= found.change <= found.high
    assert -1 <= found.ratio_low <= found.ratio_high
    for low, high in ((found.low, found.high), (found.ratio_low, found.ratio_high)):
        if found.sign > 0:
            assert low >= -1e-9
        elif found.sign < 0:
            assert high <= 1e-9
        else:
            assert low <= 1e-9
            assert high >= -1e-9


@every_comparison
@settings(max_examples=40)
@given(st.data())
def test_more_confidence_leaves_more_open(name: str, data: st.DataObject) -> None:
    compare, windows = COMPARISONS[name]
    one, other = data.draw(windows), data.draw(windows)

    less, more = compare(one, other, 0.8), compare(one, other, 0.99)

    assert more.low <= less.low
    assert more.high >= less.high
    assert abs(more.sign) <= abs(less.sign)


def latencies(chance: random.Random, count: int) -> Histogram:
    values = [chance.lognormvariate(0.2, 0.6) for _ in range(count)]
    return of_values(values, tuple(0.2 * 1.15**power for power in range(30)))


def arrivals(chance: random.Random, count: int) -> Rate:
    """Poisson arrivals in as many seconds, with exponential lengths."""
    time, requests, tokens = chance.expovariate(1.0), 0, 0.0
    while time < count:
        requests += 1
        tokens += chance.expovariate(1.0)
        time += chance.expovariate(1.0)
    return Rate(tokens / count, tokens / count, tokens / count, requests)


DRAWN: dict[str, Callable[[random.Random, int], Any]] = {
    "p50": latencies,
    "p99": latencies,
    "mean": latencies,
    "share": lambda chance, count: (sum(chance.random() < 0.2 for _ in range(count)), count),
    "rate": arrivals,
}


@every_comparison
def test_twice_the_same_deployment_is_told_apart_no_more_often_than_stated(name: str) -> None:
    chance = random.Random(7)
    compare, runs, confidence = COMPARISONS[name][0], 400, 0.8

    wrong = sum(
        compare(DRAWN[name](chance, 60), DRAWN[name](chance, 90), confidence).sign != 0
        for _ in range(runs)
    )

    # Three standard deviations of a share of one in five.
    assert wrong / runs <= 1 - confidence + 3 * math.sqrt(0.2 * 0.8 / runs)
