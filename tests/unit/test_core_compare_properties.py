"""What holds of every comparison, whatever is compared."""

import math
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.compared import histogram, known, of_values

from sloscore.core.compare import (
    Difference,
    Outcome,
    Rate,
    compare_means,
    compare_quantiles,
    compare_rates,
    compare_shares,
)
from sloscore.core.histogram import Histogram
from sloscore.core.nodata import NoData
from sloscore.core.objective import Direction

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
