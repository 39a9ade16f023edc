"""Statistics by name, and how many requests each needs."""

import pytest

from sloscore.core.sli import MEAN, RATE, Estimate, minimum_requests, parse_percentile


@pytest.mark.parametrize(
    ("name", "quantile"),
    [("p1", 0.01), ("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p2.5", 0.025)],
)
def test_a_percentile_is_read_from_its_name(name: str, quantile: float) -> None:
    assert parse_percentile(name) == quantile


@pytest.mark.parametrize("name", ["p0", "p100", "P90", "90", "p", "p99.99", "p-1", "mean", "p90 "])
def test_anything_else_is_no_percentile(name: str) -> None:
    with pytest.raises(ValueError, match="is not a percentile"):
        parse_percentile(name)


@pytest.mark.parametrize(
    ("statistic", "requests"),
    [("p50", 2), ("p90", 10), ("p95", 20), ("p99", 100), ("p99.9", 1000), ("p1", 2),
     (MEAN, 1), (RATE, 1)],
)  # fmt: skip
def test_the_requests_a_statistic_needs_follow_from_its_quantile(
    statistic: str, requests: int
) -> None:
    assert minimum_requests(statistic) == requests


def test_a_value_outside_of_its_interval_is_refused() -> None:
    with pytest.raises(ValueError, match="lies outside"):
        Estimate(3, 4, 5)
