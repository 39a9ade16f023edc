"""Native histograms: what is read of an answer, and arithmetic on buckets that come and go."""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloscore.core.histogram import Histogram, Layout, merge
from sloscore.core.samples import Child, InstanceSample
from sloscore.core.sli import Estimate
from sloscore.errors import SourceError
from sloscore.experiments.window import WindowAccumulator
from sloscore.sources.native import read_native

INF = math.inf
ROOT = math.sqrt(2)
POWERS_OF_TWO = tuple(2.0**power for power in range(-8, 9))
Rows = list[tuple[int, float, float, float]]


def document(rows: Rows, count: float | None = None, total: float = 1.0) -> dict[str, Any]:
    """A histogram as the API spells it."""
    held = sum(row[3] for row in rows) if count is None else count
    spelled = [[rule, *(spell(number) for number in ends)] for rule, *ends in rows]
    more = {"buckets": spelled} if spelled else {}
    return {"count": str(held), "sum": str(total), **more}


def spell(number: float) -> str:
    return f"{number:+}".title() if math.isinf(number) else repr(number)


def read(*rows: tuple[int, float, float, float]) -> Histogram:
    return read_native(document(list(rows)), "x{} of h:1")


class Case(NamedTuple):
    rows: Rows
    bounds: tuple[float, ...]
    cumulative: tuple[float, ...]
    layout: Layout = Layout.EXPONENTIAL


READ = {
    "empty buckets are left out, so both ends of the others are bounds": Case(
        [(0, 1, ROOT, 3), (0, 2, 2 * ROOT, 4)],
        (1, ROOT, 2, 2 * ROOT, INF), (0, 3, 3, 7, 7),
    ),
    "neighbours share a bound": Case(
        [(0, 1, ROOT, 3), (0, ROOT, 2, 4)], (1, ROOT, 2, INF), (0, 3, 7, 7),
    ),
    "the zero bucket starts at 0": Case(
        [(3, -0.001, 0.001, 2), (0, 1, 2, 1)], (0.001, 1, 2, INF), (2, 2, 3, 3),
    ),
    "a zero bucket without width holds what is 0": Case(
        [(3, -0.0, 0, 2), (0, 1, 2, 1)], (0, 1, 2, INF), (2, 2, 3, 3),
    ),
    "what is negative counts as 0": Case(
        [(1, -2, -1, 1), (1, -1, -0.5, 1), (0, 1, 2, 3)], (0, 1, 2, INF), (2, 2, 5, 5),
        Layout.CUSTOM,
    ),
    "negative ones and a zero bucket are one bucket": Case(
        [(1, -2, -1, 1), (3, -0.5, 0.5, 1), (0, 1, 2, 3)], (0.5, 1, 2, INF), (2, 2, 5, 5),
    ),
    "a zero bucket that reaches into another bucket is one with it": Case(
        [(3, -1.2, 1.2, 2), (0, 1, 2, 3), (0, 2, 4, 1)], (2, 4, INF), (5, 6, 6),
    ),
    "the overflow bucket of an exponential schema has no upper end": Case(
        [(0, 1, ROOT, 3), (0, 1.7976931348623157e308, INF, 1)],
        (1, ROOT, 1.7976931348623157e308, INF), (0, 3, 3, 4),
    ),
    "custom buckets begin at minus and end at plus infinity": Case(
        [(3, -INF, 0.3, 8), (0, 0.3, 0.5, 12), (0, 7680, INF, 1)],
        (0.3, 0.5, 7680, INF), (8, 20, 20, 21), Layout.CUSTOM,
    ),
    "custom buckets with one bound alone": Case(
        [(3, -INF, INF, 8)], (INF,), (8,), Layout.CUSTOM,
    ),
    "powers of two may be a server's own bounds": Case(
        [(0, 0.5, 1, 8), (0, 1, 2, 1)], (0.5, 1, 2, INF), (0, 8, 9, 9), Layout.CUSTOM,
    ),
    "bounds at a schema's distance that are not its bounds": Case(
        [(0, 3, 3 * ROOT, 8)], (3, 3 * ROOT, INF), (0, 8, 8), Layout.CUSTOM,
    ),
    "one bucket that is on no schema's grid": Case(
        [(0, 1, ROOT, 8), (0, 2.5, 5, 1)], (1, ROOT, 2.5, 5, INF), (0, 8, 8, 9, 9), Layout.CUSTOM,
    ),
    "bounds farther apart than numbers are": Case(
        [(0, 5e-324, 1e300, 8)], (5e-324, 1e300, INF), (0, 8, 8), Layout.CUSTOM,
    ),
    "bounds closer than their logarithms": Case(
        [(0, 1e300, math.nextafter(1e300, INF), 8)],
        (1e300, math.nextafter(1e300, INF), INF), (0, 8, 8), Layout.CUSTOM,
    ),
    "nothing observed yet": Case([], (INF,), (0,), Layout.CUSTOM),
}  # fmt: skip


@pytest.mark.parametrize("case", READ.values(), ids=READ.keys())
def test_reading(case: Case) -> None:
    expected = Histogram(case.bounds, case.cumulative, 1.0, case.layout)
    assert read(*case.rows) == expected


UNREADABLE: dict[str, dict[str, Any]] = {
    "its sum is nan": document([(0, 1, 2, 3)], total=math.nan),
    "its count is inf": document([(0, 1, 2, INF)]),
    "torn: its buckets hold 3, its count says 4": document([(0, 1, 2, 3)], count=4),
    "out of order": document([(0, 2, 1, 3)]),
    "is no native histogram": {"count": "3"},
    "could not convert": {"count": "3", "sum": "many"},
    "not enough values": {"count": "3", "sum": "1", "buckets": [["0", "1"]]},
    "NoneType": {"count": None, "sum": "1"},
}


@pytest.mark.parametrize(("words", "answer"), UNREADABLE.items(), ids=UNREADABLE)
def test_an_unreadable_one_is_an_error_that_says_which(words: str, answer: dict[str, Any]) -> None:
    with pytest.raises(SourceError) as raised:
        read_native(answer, "x{} of h:1")

    assert raised.value.kind == "decode"
    assert words in str(raised.value)
    assert "x{} of h:1" in str(raised.value)


def bound(index: int, schema: int) -> float:
    return math.exp2(math.ldexp(index, -schema))


def exponential(values: Iterable[float], schema: int) -> Histogram:
    """What Prometheus would answer of these values."""
    counts: Counter[int] = Counter()
    for value in values:
        index = math.ceil(math.log2(value) * 2**schema)
        while bound(index, schema) < value:
            index += 1
        while bound(index - 1, schema) >= value:
            index -= 1
        counts[index] += 1
    rows: Rows = [
        (0, bound(index - 1, schema), bound(index, schema), count)
        for index, count in sorted(counts.items())
    ]
    return read_native(document(rows, total=math.fsum(values)), "x{} of h:1")


def assert_true(histogram: Histogram, values: list[float]) -> None:
    """Every count that it tells is that of the values, and every interval holds its quantile."""
    ordered = sorted(values)
    assert histogram.count == len(values)
    for at in (*histogram.bounds, *values):
        assert histogram.count_at_or_under(at) in (None, bisect_right(ordered, at))
    for at in POWERS_OF_TWO:
        # They are bounds of every schema here, so whatever was merged they are known.
        assert histogram.count_at_or_under(at) == bisect_right(ordered, at)
    for q in (0.1, 0.5, 0.9, 0.99):
        estimate = histogram.quantile(q)
        if values:
            assert isinstance(estimate, Estimate)
            truth = ordered[max(math.ceil(q * len(values)) - 1, 0)]
            assert estimate.least <= truth <= estimate.upper


latencies = st.lists(st.floats(0.01, 100), max_size=40)
schemas = st.integers(1, 8)


@given(latencies, latencies, schemas, st.integers(0, 7))
def test_a_delta_is_true_whichever_buckets_appear_and_however_the_resolution_drops(
    before: list[float], new: list[float], schema: int, drop: int
) -> None:
    earlier = exponential(before, schema)
    later = exponential(before + new, max(schema - drop, 1))

    assert not later.falls_below(earlier)
    assert_true(later.minus(earlier), new)


@given(st.lists(st.tuples(latencies, schemas), min_size=1, max_size=5))
def test_instances_of_any_resolution_add_up(instances: list[tuple[list[float], int]]) -> None:
    total = merge(exponential(values, schema) for values, schema in instances)

    assert total is not None
    assert_true(total, [value for values, _ in instances for value in values])


@given(st.lists(latencies, min_size=1, max_size=5), st.lists(latencies, min_size=1, max_size=5))
def test_a_window_is_true_whether_or_not_the_resolution_drops_within(
    first: list[list[float]], then: list[list[float]]
) -> None:
    seen: list[float] = []
    window = WindowAccumulator(0.0)
    for time, new in enumerate([[], *first, *then]):
        seen += new
        schema = 4 if time <= len(first) else 2
        window.feed([sample(time, exponential(seen, schema))])
    counts = window.counts()

    assert counts.resets == 0
    assert_true(counts.histograms["latency"], seen)


def sample(time: float, histogram: Histogram) -> InstanceSample:
    return InstanceSample(("j", "h:1"), time, True, None, {Child("latency", ()): histogram})


def test_at_most_the_bounds_of_one_schema_are_kept_however_long_a_window_is() -> None:
    window = WindowAccumulator(0.0)
    for time in range(400):
        values = [0.01 * 1.02 ** (n % 400) for n in range(time)]
        window.feed([sample(time, exponential(values, 3))])

    histogram = window.counts().histograms["latency"]
    assert histogram.count == 399
    assert len(histogram.bounds) <= 8 * math.log2(0.01 * 1.02**400 / 0.01) + 3


BEFORE = read((0, 1, ROOT, 3), (0, ROOT, 2, 3), (0, 4, 4 * ROOT, 1))
CUSTOM = read((3, -INF, 0.3, 3), (0, 0.5, 1, 2))
FALLS = {
    "the same": (BEFORE, BEFORE, False),
    "a bucket that was empty": (
        BEFORE, read((0, 1, ROOT, 3), (0, ROOT, 2, 3), (0, 2, 2 * ROOT, 9), (0, 4, 4 * ROOT, 1)),
        False,
    ),
    "a bucket that is gone": (BEFORE, read((0, 1, ROOT, 9), (0, ROOT, 2, 9)), True),
    "a bucket that fell below others that rose": (
        BEFORE, read((0, 1, ROOT, 9), (0, ROOT, 2, 2), (0, 4, 4 * ROOT, 1)), True,
    ),
    "the lowest bucket fell": (
        BEFORE, read((0, 1, ROOT, 2), (0, ROOT, 2, 9), (0, 4, 4 * ROOT, 1)), True,
    ),
    "the zero bucket fell": (
        read((3, -0.001, 0.001, 3), (0, 1, ROOT, 3)), read((3, -0.001, 0.001, 1), (0, 1, ROOT, 9)),
        True,
    ),
    "all is gone": (BEFORE, read(), True),
    "nothing was there": (read(), BEFORE, False),
    "coarser buckets that hold at least as much": (
        BEFORE, read((3, -0.001, 0.001, 1), (0, 1, 2, 6), (0, 4, 8, 2)), False,
    ),
    "coarser buckets that hold less": (BEFORE, read((0, 1, 2, 5), (0, 4, 8, 2)), True),
    "finer buckets, however much they hold": (
        BEFORE, read((0, 1, 2**0.25, 90), (0, 2**0.25, ROOT, 90), (0, ROOT, 2**0.75, 90),
                     (0, 4, 4 * 2**0.25, 90)), True,
    ),
    "a wider zero bucket that took others in": (
        read((3, -0.001, 0.001, 1), (0, 1, ROOT, 3), (0, 4, 4 * ROOT, 1)),
        read((3, -2, 2, 4), (0, 4, 4 * ROOT, 1)), False,
    ),
    "custom buckets that were empty": (
        CUSTOM, read((3, -INF, 0.3, 3), (0, 0.3, 0.5, 1), (0, 0.5, 1, 2), (0, 10, INF, 1)), False,
    ),
    "custom buckets of which one is gone": (CUSTOM, read((3, -INF, 0.3, 3), (0, 2, 5, 9)), True),
    "custom buckets with other bounds": (
        CUSTOM, read((3, -INF, 0.3, 9), (0, 0.3, 0.7, 9), (0, 0.7, 1, 9)), True,
    ),
    "a classic one that Prometheus converts from now on": (
        Histogram((0.3, 0.5, 1, INF), (3, 3, 5, 5), 1), CUSTOM, False,
    ),
    "a classic one, converted after a restart": (
        Histogram((0.3, 0.5, 1, INF), (4, 4, 5, 5), 1), CUSTOM, True,
    ),
    "a native one that is scraped as a classic one from now on": (
        BEFORE, Histogram((1, 2, 5, INF), (0, 6, 6, 7), 1), False,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "expected"), FALLS.values(), ids=FALLS.keys())
def test_a_restart_is_told_from_a_change_of_layout(
    before: Histogram, after: Histogram, expected: bool
) -> None:
    assert after.falls_below(before) is expected
    window = WindowAccumulator(0.0)
    window.feed([sample(0.0, before), sample(1.0, after)])
    counts = window.counts()
    assert counts.resets == expected
    delta = after.count - (0 if expected else before.count)
    assert counts.histograms["latency"].count == delta


QUANTILES = {
    "on a logarithmic scale between exponential bounds": (
        read((0, 1, ROOT, 4)), 0.5, Estimate(2**0.25, 1, ROOT, lower_open=True, requests=4),
    ),
    "evenly in the zero bucket": (
        read((3, -0.001, 0.001, 4)), 0.25, Estimate(0.00025, 0, 0.001, requests=4),
    ),
    "evenly between custom bounds": (
        read((0, 1, 3, 4)), 0.5, Estimate(2, 1, 3, lower_open=True, requests=4),
    ),
    "below a gap": (
        read((0, 1, ROOT, 4), (0, 8, 8 * ROOT, 4)), 0.5,
        Estimate(ROOT, 1, ROOT, lower_open=True, requests=8),
    ),
    "above a gap": (
        read((0, 1, ROOT, 4), (0, 8, 8 * ROOT, 4)), 0.75,
        Estimate(8 * 2**0.25, 8, 8 * ROOT, lower_open=True, requests=8),
    ),
    "beyond the last custom bound": (
        read((3, -INF, 0.3, 1), (0, 7680, INF, 4)), 0.9,
        Estimate(7680, 7680, INF, lower_open=True, requests=5),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("data", "q", "expected"), QUANTILES.values(), ids=QUANTILES.keys())
def test_quantile(data: Histogram, q: float, expected: Estimate) -> None:
    estimate = data.quantile(q)
    assert isinstance(estimate, Estimate)
    assert estimate.value == pytest.approx(expected.value, rel=1e-12)
    for field in ("lower", "upper", "lower_open", "requests"):
        assert getattr(estimate, field) == getattr(expected, field)


def test_the_count_at_any_limit_outside_of_the_buckets_that_hold_something_is_exact() -> None:
    data = read((0, 1, ROOT, 4), (0, 8, 8 * ROOT, 4))
    told = {at: data.count_at_or_under(at) for at in (0.5, 1, 1.2, ROOT, 5, 8, 9, 100, INF)}
    assert told == {0.5: 0, 1: 0, 1.2: None, ROOT: 4, 5: 4, 8: 4, 9: None, 100: 8, INF: 8}


def test_exponential_buckets_stay_so_in_another_unit_and_only_among_themselves() -> None:
    data = read((0, 1, ROOT, 4))
    assert data.scaled(0.001).layout is Layout.EXPONENTIAL
    assert data.plus(read()).layout is Layout.EXPONENTIAL
    assert read().plus(data).layout is Layout.EXPONENTIAL
    assert data.plus(CUSTOM).layout is Layout.CUSTOM
    assert data.plus(Histogram((1, INF), (1, 2), 1)).layout is not Layout.EXPONENTIAL
