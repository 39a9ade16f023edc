"""The rules that stop an experiment early: when they do, and how seldom they are wrong."""

import math
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloscore.core.confidence import binomial_at_most
from sloscore.core.histogram import Histogram
from sloscore.core.penalty import Slo
from sloscore.core.stopping import Slow, evidence, is_certain, slow_requests

INF = math.inf
HARD = Slo(5.0, hard_fail=True, fail_ratio=0.2)


def exactly(count: int, m: int, p: Fraction) -> Fraction:
    terms = (math.comb(count, k) * p**k * (1 - p) ** (count - k) for k in range(m + 1))
    return sum(terms, Fraction(0))


@given(st.integers(1, 120), st.integers(0, 120), st.sampled_from([1, 10, 50, 90, 99]))
def test_the_binomial_tail_is_the_exact_one(count: int, m: int, percent: int) -> None:
    truth = exactly(count, min(m, count), Fraction(percent, 100))
    assert binomial_at_most(count, m, percent / 100) == pytest.approx(float(truth), abs=1e-12)


def mixture(over: int, total: int, share: float) -> float:
    """The e-value by its definition: the mean likelihood ratio of all shares above the null's."""
    steps = 20_000
    width = (1 - share) / steps
    ratios = (
        (p / share) ** over * ((1 - p) / (1 - share)) ** (total - over)
        for p in (share + (i + 0.5) * width for i in range(steps))
    )
    return sum(ratios) / steps


@pytest.mark.parametrize(("over", "total"), [(0, 0), (0, 10), (3, 10), (9, 30), (30, 60)])
@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
def test_the_evidence_is_the_mean_likelihood_of_all_higher_shares(
    over: int, total: int, share: float
) -> None:
    assert evidence(Slow(over, total), share) == pytest.approx(
        mixture(over, total, share), rel=1e-4
    )


@given(st.integers(0, 60), st.integers(0, 500), st.sampled_from([0.01, 0.1, 0.5]))
def test_the_evidence_is_a_martingale_under_the_allowed_share(
    over: int, quick: int, share: float
) -> None:
    total = over + quick
    now = evidence(Slow(over, total), share)
    after = share * evidence(Slow(over + 1, total + 1), share) + (1 - share) * evidence(
        Slow(over, total + 1), share
    )
    assert after == pytest.approx(now, rel=1e-6, abs=1e-12)


def test_looking_after_each_request_is_wrong_less_often_than_alpha() -> None:
    chance = random.Random(7)
    wrong = 0
    for _ in range(300):
        over = 0
        for total in range(1, 401):
            over += chance.random() < 0.1
            if evidence(Slow(over, total), 0.1) >= 20:
                wrong += 1
                break
    assert wrong / 300 <= 0.05


def test_a_share_far_over_the_allowed_one_is_proven_soon() -> None:
    assert evidence(Slow(20, 50), 0.1) > 100
    assert evidence(Slow(5, 50), 0.1) < 1
    assert evidence(Slow(50_000, 100_000), 0.1) == INF


def test_more_slow_requests_than_the_plan_allows_are_certain() -> None:
    assert not is_certain(Slow(100, 500), 0.9, 1000)
    assert is_certain(Slow(101, 500), 0.9, 1000)


@pytest.mark.parametrize(
    ("bounds", "slo", "slow"),
    [
        ((5.0, 6.0, 10.0, INF), HARD, Slow(30, 100)),
        ((5.0, 10.0, 20.0, INF), HARD, Slow(50, 100)),
        ((1.0, 2.0, 5.0, INF), HARD, None),
        ((5.0, 6.0, 10.0, INF), Slo(5.0), None),
    ],
    ids=["at the limit", "at the next bound above it", "no bound is that high", "no hard limit"],
)
def test_slow_is_what_is_surely_over_the_hard_limit(
    bounds: tuple[float, ...], slo: Slo, slow: Slow | None
) -> None:
    counts = {5.0: 20.0, 6.0: 70.0, 10.0: 50.0, 20.0: 90.0, INF: 100.0}
    cumulative = tuple(sorted(counts.get(bound, 10.0) for bound in bounds))
    data = Histogram(bounds, cumulative, 500.0)
    found = slow_requests(data, slo)
    if slow is None:
        assert found is None
    else:
        assert found is not None
        assert found == Slow(100 - data.cumulative[1], 100)
