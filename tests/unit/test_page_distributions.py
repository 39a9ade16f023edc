"""Drawings of what was counted, and words on how well a window was seen."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloscore.api.page.distributions import LEFT, RIGHT, Distribution, distribution_of
from sloscore.api.page.health import health_of
from sloscore.core.histogram import Histogram
from sloscore.core.objective import Signal
from sloscore.core.penalty import Slo
from sloscore.core.sli import Sli

P90 = Sli("latency_p90", Signal.LATENCY, "p90")
TTFT = Sli("ttft", Signal.TTFT, "mean")
HARD = Slo(1.0, hard_fail=True, fail_ratio=0.5)


def counted(**counts: float) -> Histogram:
    """Requests up to 0.5, 1, 2 s and beyond."""
    numbers = [counts.get(name, 0.0) for name in ("half", "one", "two", "more")]
    cumulative = tuple(sum(numbers[: place + 1]) for place in range(4))
    return Histogram((0.5, 1.0, 2.0, math.inf), cumulative, 7.0)


def drawn(histogram: Histogram, *limits: tuple[Sli, Slo], role: str = "latency") -> Distribution:
    found = distribution_of(role, histogram, limits)
    assert found is not None
    return found


def test_each_bucket_is_as_high_as_it_holds_requests() -> None:
    one = drawn(counted(half=10, one=40, two=20))
    assert [bar.height for bar in one.bars] == [25.0, 100.0, 50.0]
    assert {bar.y + bar.height for bar in one.bars} == {one.bottom}
    for left, right in pairwise(one.bars):
        assert left.x + left.width == pytest.approx(right.x, abs=0.2)


def test_the_table_counts_what_the_histogram_counts() -> None:
    one = drawn(counted(one=30, more=10))
    rows = [(row.bound, row.requests, row.within) for row in one.buckets]
    assert rows == [("1 s", "30", "75.0%"), ("2 s", "0", "75.0%"), ("over 2 s", "10", "100.0%")]


def test_limits_of_the_role_are_marked_where_its_buckets_end() -> None:
    one = drawn(counted(half=5, one=5, two=10), (P90, HARD), (TTFT, HARD))
    assert [(mark.text, mark.is_hard) for mark in one.marks] == [
        ("P90 1 s", False),
        ("P90 fails 1.5 s", True),
    ]
    assert one.marks[0].x == pytest.approx(one.bars[2].x, abs=0.1)
    assert one.marks[0].x < one.marks[1].x < one.bars[2].x + one.bars[2].width


@pytest.mark.parametrize(
    ("threshold", "words"),
    [
        (1.0, "P90: 50.0% of requests at or under its threshold of 1 s."),
        (1.5, "P90: between 50.0% and 100.0% of requests at or under its threshold of 1.5 s."),
        (9.0, "P90: 100.0% of requests at or under its threshold of 9 s."),
    ],
)
def test_words_say_no_more_than_the_buckets_do(threshold: float, words: str) -> None:
    one = drawn(counted(half=5, one=5, two=10), (P90, Slo(threshold)))
    assert one.words == ("Mean 0.35 s.", words)


def test_nothing_is_drawn_of_no_requests() -> None:
    assert distribution_of("latency", counted(), ()) is None


@given(
    bounds=st.lists(
        st.floats(1e-9, 1e9, exclude_min=True), min_size=1, max_size=12, unique=True
    ).map(sorted),
    counts=st.lists(st.integers(0, 1000), min_size=13, max_size=13),
    threshold=st.floats(1e-9, 1e9),
)
def test_all_of_it_lies_inside_the_drawing(
    bounds: list[float], counts: list[int], threshold: float
) -> None:
    cumulative = [float(sum(counts[: place + 1])) for place in range(len(bounds) + 1)]
    one = distribution_of(
        "latency",
        Histogram((*bounds, math.inf), tuple(cumulative), 1.0),
        [(P90, Slo(threshold, hard_fail=True))],
    )
    if one is None:
        assert cumulative[-1] == 0
        return
    places = [bar.x for bar in one.bars] + [mark.x for mark in one.marks]
    places += [place for place, _ in one.ticks]
    assert all(LEFT <= place <= RIGHT for place in places)
    # A bucket too thin to see is drawn a pixel wide.
    assert all(bar.x + bar.width <= RIGHT + 1 and bar.y >= one.top for bar in one.bars)
    assert len(one.bars) == sum(count > 0 for count in counts[: len(bounds) + 1])
    assert one.buckets[-1].within == "100.0%"


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (None, ["Nothing was read of this window."]),
        ({"instances": 0, "requests": 0.0}, ["Nothing was read of this window."]),
        (
            {"instances": 1, "requests": 12.0, "resets": 0, "scrape_interval": 5.0},
            [
                "12 requests finished in it, on 1 instance.",
                "No server restarted.",
                "Scrapes are 5 s apart (median).",
                "All of it was seen.",
            ],
        ),
        (
            {
                "instances": 2,
                "requests": 12.0,
                "resets": 1,
                "scrape_interval": None,
                "warmup": 30.0,
                "unseen_head": 1.5,
                "unseen_tail": 0.0,
                "unseen_gaps": 2.0,
                "widened_tail": 0.25,
            },
            [
                "12 requests finished in it, on 2 instances.",
                "1 restart of a server in it.",
                "The first 30 s of the load are left out as its warm-up.",
                "Seen by no scrape of some instance: 1.5 s at its start, 2 s before restarts.",
                "Counted, too, up to the nearest scrape: 0.25 s after its end.",
            ],
        ),
    ],
    ids=["no report", "nothing read", "an older release's", "all that can be"],
)
def test_a_window_is_told_in_words(window: dict[str, float] | None, said: list[str]) -> None:
    assert list(health_of(window)) == said
