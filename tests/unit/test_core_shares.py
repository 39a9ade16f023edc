"""Shares of requests: exact intervals, and what counters leave open."""

import math
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloscore.core.confidence import requests_to_tell_share, share_bounds
from sloscore.core.judge import judge
from sloscore.core.nodata import NoData
from sloscore.core.objective import Signal
from sloscore.core.penalty import Slo
from sloscore.core.shares import Held, failed_share
from sloscore.core.sli import Estimate, Sli
from sloscore.core.verdict import Uncertainty, Verdict

ERROR_RATE = Sli.of_window(Signal.ERROR_RATE)
CONFIDENCE = 0.95


def at_most(count: int, hits: int, share: float) -> float:
    terms = (math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(hits + 1))
    return math.fsum(terms)


def share_of(errors: float, requests: float, held: Held = Held.ALL) -> Estimate:
    found = failed_share(errors, requests, held, CONFIDENCE)
    assert isinstance(found, Estimate)
    return found


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    # Two-sided intervals at 0.95 as R's binom.test gives them.
    [
        (0, 10, 0.0, 0.3084971),
        (1, 10, 0.002528579, 0.4450161),
        (5, 100, 0.01643188, 0.1128349),
        (10, 10, 0.6915029, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_the_interval_of_a_share_is_the_exact_one(
    hits: int, count: int, low: float, high: float
) -> None:
    assert share_bounds(hits, count, 0.95) == pytest.approx((low, high), rel=1e-6)


@given(st.integers(1, 300), st.data(), st.sampled_from([0.5, 0.9, 0.99]))
def test_beyond_either_end_what_was_seen_is_less_likely_than_the_tail(
    count: int, data: st.DataObject, confidence: float
) -> None:
    hits = data.draw(st.integers(0, count))
    low, high = share_bounds(hits, count, confidence)
    tail = (1 - confidence) / 2
    assert low <= hits / count <= high
    assert hits == count or at_most(count, hits, high) == pytest.approx(tail, rel=1e-6)
    assert hits == 0 or 1 - at_most(count, hits - 1, low) == pytest.approx(tail, rel=1e-6)


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.97])
def test_the_interval_holds_the_true_share_as_often_as_it_says(share: float) -> None:
    count = 60
    chances = list(accumulate(at_most(count, k, share) for k in range(count + 1)))
    covered = 0.0
    for hits in range(count + 1):
        low, high = share_bounds(hits, count, CONFIDENCE)
        chance = at_most(count, hits, share) - (at_most(count, hits - 1, share) if hits else 0.0)
        covered += chance * (low <= share <= high)
    assert chances
    assert covered >= CONFIDENCE


@pytest.mark.parametrize(
    ("held", "lower", "value", "upper"),
    [
        (Held.ALL, 0.2, 0.2, 0.2),
        (Held.NONE, 1 / 6, 1 / 6, 1 / 6),
        (Held.SOME, 1 / 6, 0.2, 0.2),
    ],
)
def test_the_share_of_failures_is_of_all_requests_however_they_are_counted(
    held: Held, lower: float, value: float, upper: float
) -> None:
    found = share_of(20, 100, held)
    assert (found.lower, found.value, found.upper) == pytest.approx((lower, value, upper))
    assert bool(found.open_because) is (held is Held.SOME)


@pytest.mark.parametrize("held", Held)
def test_no_requests_have_no_share_and_failures_alone_are_all(held: Held) -> None:
    assert failed_share(0, 0, held, CONFIDENCE) == NoData("no requests finished in the window")
    assert share_of(3, 0, held).value == 1


def test_no_share_is_above_1_though_counters_are_read_one_after_the_other() -> None:
    assert share_of(11, 10).value == share_of(11, 10, Held.SOME).value == 1


def test_an_error_rate_says_how_many_requests_failed() -> None:
    result = judge(ERROR_RATE, Slo(0.02, hard_fail=True, fail_ratio=4.0), share_of(16, 500))
    assert result.verdict is Verdict.VIOLATED
    assert result.violation_ratio == pytest.approx(0.6)
    assert result.uncertainty is Uncertainty.SAMPLING
    assert result.explanation == (
        "Error rate is 3.2%, 60.0% over the threshold of 2%: 16 of 500 requests failed; the verdict "
        "is not certain, because 500 requests tell only that the deployment's own lies in "
        "(1.84, 5.145]% (0.95 confidence): about 173 more requests would settle it."
    )


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(
    ("share", "limit"), [(0.032, 0.02), (0.012, 0.02), (0.2, 0.25), (0.6, 0.5), (0.97, 0.99)]
)
def test_about_as_many_requests_as_are_told_tell_a_share_from_a_limit(
    share: float, limit: float, confidence: float
) -> None:
    told = requests_to_tell_share(share, limit, confidence)
    assert told is not None

    def is_told(count: int) -> bool:
        low, high = share_bounds(round(share * count), count, confidence)
        return not low <= limit <= high

    assert is_told(round(1.3 * told))
    assert not is_told(round(0.7 * told))


def test_no_failure_among_few_requests_does_not_prove_a_small_rate() -> None:
    result = judge(ERROR_RATE, Slo(0.01), share_of(0, 100))
    assert (result.verdict, result.uncertainty) == (Verdict.MET, Uncertainty.SAMPLING)
    # 0.99 to the power of 368 is 0.025.
    assert result.requests_to_settle == 268


def test_a_limit_between_both_ways_of_counting_leaves_the_verdict_open() -> None:
    result = judge(ERROR_RATE, Slo(0.18), share_of(2000, 10_000, Held.SOME))
    assert (result.verdict, result.uncertainty) == (Verdict.VIOLATED, Uncertainty.COUNTS)
    assert "does not say which" in result.explanation
