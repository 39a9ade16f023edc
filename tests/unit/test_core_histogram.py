"""Histogram arithmetic and quantiles; the comparison with a real Prometheus is an integration test."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloscore.core.histogram import Histogram, merge
from sloscore.core.nodata import NoData
from sloscore.core.sli import Estimate

INF = math.inf
BOUNDS = (1.0, 2.0, 5.0, INF)


def histogram(*cumulative: float, total: float = 0.0) -> Histogram:
    return Histogram(BOUNDS, cumulative, total)


QUANTILES: dict[str, tuple[Histogram, float, Estimate | NoData]] = {
    "interpolates inside the bucket of the rank": (
        histogram(0, 50, 100, 100), 0.75, Estimate(3.5, 2, 5, lower_open=True, requests=100),
    ),
    "the lowest bucket starts at 0 and is closed there": (
        histogram(100, 100, 100, 100), 0.5, Estimate(0.5, 0, 1, requests=100),
    ),
    "a rank in +Inf answers the last finite bound without an upper end": (
        histogram(10, 10, 10, 100), 0.5, Estimate(5, 5, INF, lower_open=True, requests=100),
    ),
    "a rank exactly at a bucket's count stays in that bucket": (
        histogram(0, 90, 100, 100), 0.9, Estimate(2, 1, 2, lower_open=True, requests=100),
    ),
    "no requests is no data": (
        histogram(0, 0, 0, 0), 0.5, NoData("no requests finished in the window"),
    ),
    "a lowest bound of 0 answers itself": (
        Histogram((0.0, 1.0, INF), (9, 10, 10), 0), 0.5, Estimate.exact(0.0, requests=10),
    ),
    "only +Inf says nothing": (
        Histogram((INF,), (5,), 0), 0.5, NoData("the histogram has no bucket besides +Inf"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("data", "q", "expected"), QUANTILES.values(), ids=QUANTILES.keys())
def test_quantile(data: Histogram, q: float, expected: Estimate | NoData) -> None:
    assert data.quantile(q) == expected


@pytest.mark.parametrize("q", [0, 1, -1, 2, math.nan])
def test_a_quantile_outside_of_0_and_1_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        histogram(1, 1, 1, 1).quantile(q)


@pytest.mark.parametrize(
    ("bounds", "counts", "message"),
    [
        ((1.0, 2.0), (1, 2), "last bound must be"),
        ((2.0, 1.0, INF), (1, 2, 3), "must ascend"),
        ((1.0, INF), (1,), "2 bounds but 1 counts"),
        ((), (), "last bound must be"),
    ],
)
def test_a_malformed_histogram_is_refused(
    bounds: tuple[float, ...], counts: tuple[float, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Histogram(bounds, counts, 0)


def test_the_mean_is_the_sum_over_the_count() -> None:
    assert histogram(1, 2, 4, 4, total=10).mean() == Estimate.exact(2.5, requests=4)
    assert isinstance(histogram(0, 0, 0, 0).mean(), NoData)


def test_the_share_at_a_bucket_bound_is_exact_and_unknown_elsewhere() -> None:
    data = histogram(1, 2, 4, 5)
    assert [data.count_at_or_under(b) for b in (2.0, INF, 3.0)] == [2, 5, None]


def test_histograms_of_different_layouts_merge_on_the_bounds_that_all_have() -> None:
    other = Histogram((1.0, 3.0, 5.0, INF), (1, 2, 3, 4), 9)
    assert merge([histogram(1, 2, 4, 5, total=7), other]) == Histogram(
        (1.0, 5.0, INF), (2, 7, 9), 16
    )
    assert merge([]) is None


def test_a_fall_in_any_bucket_is_seen() -> None:
    before = histogram(3, 5, 6, 6)
    assert not histogram(3, 5, 6, 7).falls_below(before)
    assert histogram(2, 5, 9, 9).falls_below(before)


def test_milliseconds_become_seconds() -> None:
    data = Histogram((500.0, INF), (1, 2), 2500).scaled(0.001)
    assert data == Histogram((0.5, INF), (1, 2), 2.5)


@pytest.mark.parametrize("milliseconds", [1, 3, 7, 9, 13, 35, 1001, 123457])
def test_a_bound_in_milliseconds_meets_its_threshold_in_seconds(milliseconds: int) -> None:
    data = Histogram((float(milliseconds), INF), (1, 2), 2500).scaled(0.001)
    assert data.bounds[0] == float(f"{milliseconds}e-3")


values = st.lists(st.floats(0, 30), min_size=1, max_size=200)
ALL_BOUNDS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, INF)


def observed(sample: list[float]) -> Histogram:
    counts = tuple(float(sum(v <= bound for v in sample)) for bound in ALL_BOUNDS)
    return Histogram(ALL_BOUNDS, counts, math.fsum(sample))


@given(values, st.sampled_from([0.01, 0.25, 0.5, 0.9, 0.99, 0.999]))
def test_the_true_order_statistic_lies_in_the_interval(sample: list[float], q: float) -> None:
    estimate = observed(sample).quantile(q)
    assert isinstance(estimate, Estimate)
    counts = observed(sample).cumulative
    truth = sorted(sample)[max(math.ceil(q * counts[-1]) - 1, 0)]
    assert estimate.least <= truth <= estimate.upper


@given(values, values)
def test_a_delta_and_a_sum_undo_each_other(first: list[float], second: list[float]) -> None:
    before, added = observed(first), observed(second)
    delta = before.plus(added).minus(before)
    assert delta.cumulative == added.cumulative
    assert delta.sum == pytest.approx(added.sum, abs=1e-9)


@given(values)
def test_quantiles_ascend(sample: list[float]) -> None:
    data = observed(sample)
    found = [data.quantile(q) for q in (0.1, 0.5, 0.9, 0.99)]
    numbers = [estimate.value for estimate in found if isinstance(estimate, Estimate)]
    assert len(numbers) == 4
    assert numbers == sorted(numbers)
