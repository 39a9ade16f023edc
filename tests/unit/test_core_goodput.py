"""Requests within several limits at once, bounded by histograms that know each limit by itself."""

import math
from bisect import bisect_left
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloscore.core.goodput import good_requests, why_open
from sloscore.core.histogram import Histogram
from sloscore.core.objective import Signal

SIGNALS = (Signal.LATENCY, Signal.TTFT, Signal.TPOT)
BOUNDS = (1.0, 2.0, 5.0, math.inf)


def histogram(values: Sequence[float], bounds: tuple[float, ...] = BOUNDS) -> Histogram:
    ordered = sorted(values)
    counts = tuple(float(bisect_left(ordered, math.nextafter(b, math.inf))) for b in bounds[:-1])
    return Histogram(bounds, (*counts, float(len(ordered))), math.fsum(ordered))


def of(*parts: tuple[float, Histogram]) -> list[tuple[Signal, float, Histogram]]:
    return [(signal, *part) for signal, part in zip(SIGNALS, parts, strict=False)]


def counted(under: float, over: float) -> tuple[float, Histogram]:
    """So many requests at or under a limit of 2 s, which is a bound, and over it."""
    return 2.0, Histogram(BOUNDS, (0, under, under, under + over), 0.0)


@pytest.mark.parametrize(
    ("requests", "parts", "found"),
    [
        (100, [counted(90, 10)], (90, 90)),
        (100, [counted(90, 10), counted(95, 5)], (85, 90)),
        (100, [counted(40, 60), counted(30, 70)], (0, 30)),
        (100, [counted(90, 10), counted(95, 5), counted(99, 1)], (84, 90)),
        # 10 requests have no first token, as those that failed before it.
        (100, [counted(90, 10), counted(88, 2)], (78, 90)),
        # 8 requests more have had their first token, and they can be the slow ones.
        (100, [counted(90, 10), counted(96, 12)], (78, 90)),
        (100, [counted(100, 0), counted(100, 8)], (92, 100)),
    ],
)
def test_those_past_a_limit_are_other_requests_for_each_or_always_the_same(
    requests: float, parts: list[tuple[float, Histogram]], found: tuple[float, float]
) -> None:
    assert good_requests(requests, of(*parts)) == found


def test_a_limit_inside_of_a_bucket_leaves_open_what_lies_in_it() -> None:
    inside = Histogram(BOUNDS, (50, 80, 95, 100), 0.0)
    assert good_requests(100, of((3.0, inside))) == (80, 95)
    assert good_requests(100, of((0.5, inside))) == (0, 50)
    assert good_requests(100, of((7.0, inside))) == (95, 100)


def test_what_would_narrow_a_goodput_is_told() -> None:
    inside = Histogram(BOUNDS, (50, 80, 95, 100), 0.0)
    assert why_open(of((3.0, inside), (2.0, inside))) == (
        "give the server bucket bounds at latency 3 s"
    )
    assert why_open(of((1.0, inside), (2.0, inside))) == (
        "histograms tell how many requests are within each limit, not within all of them"
    )


times = st.floats(0.0, 8.0)
limits = st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 6.0])


@given(st.lists(st.tuples(times, times, times), min_size=1, max_size=40), st.data())
def test_the_truth_lies_between_both_ends(
    requests: list[tuple[float, float, float]], data: st.DataObject
) -> None:
    """Some requests never had a first token, and some that run had theirs."""
    drawn = data.draw(st.tuples(limits, limits, limits))
    lacking = data.draw(st.sets(st.integers(0, len(requests) - 1)))
    running = data.draw(st.lists(times, max_size=5))
    columns = [list(column) for column in zip(*requests, strict=True)]
    firsts = [value for number, value in enumerate(columns[1]) if number not in lacking]
    seen = (columns[0], [*firsts, *running], columns[2])
    parts = [(limit, histogram(values)) for limit, values in zip(drawn, seen, strict=True)]
    least, most = good_requests(len(requests), of(*parts))
    good = sum(
        number not in lacking and all(v <= limit for v, limit in zip(one, drawn, strict=True))
        for number, one in enumerate(requests)
    )
    hidden = min(len(lacking), len(running))
    assert least - hidden <= good <= most
    assert 0 <= least <= most <= len(requests)
