"""What a finite number of requests leaves open: intervals at a stated confidence.

The requests of a window are taken as independent draws from what the deployment does under this
load. Warm-up, drifting load and bursts that queue behind each other break that: the intervals are
then too narrow.
"""

import math
from bisect import bisect_left
from functools import lru_cache
from statistics import NormalDist
from typing import Final

from sloscore.core.histogram import Histogram

DEFAULT_CONFIDENCE: Final = 0.95
_NEGLIGIBLE: Final = 1e-17
_LEAST: Final = 1e-300
_CLOSE: Final = 1e-10
_STEPS: Final = 50


@lru_cache(maxsize=65536)
def rank_bounds(count: int, q: float, confidence: float) -> tuple[int, int]:
    """Ranks between whose order statistics the quantile q lies with at least this confidence.

    Of ``count`` requests sorted by their value, the ones at rank ``low`` and ``high`` (from 1)
    enclose the quantile of the distribution that they come from, whatever that is: the number of
    requests at or under the quantile is binomial (David and Nagaraja, Order Statistics, 7.1). Rank
    0 and rank ``count + 1`` say that there is no bound on that side.
    """
    tail = (1 - confidence) / 2
    low = _largest_within(count, q, tail) + 1
    high = count - _largest_within(count, 1 - q, tail)
    return low, high


def quantile_bounds(histogram: Histogram, q: float, confidence: float) -> tuple[float, float]:
    """Where the deployment's own quantile lies: the outer bounds of the buckets of both ranks.

    The lower end is exclusive where it is above 0. Without any request nothing is known.
    """
    count = round(histogram.count)
    if count < 1:
        return 0.0, math.inf
    low, high = rank_bounds(count, q, confidence)
    counts = histogram.cumulative
    first = bisect_left(counts, max(low, 1))
    lower = histogram.bounds[first - 1] if first else min(0.0, histogram.bounds[0])
    upper = math.inf if high > count else histogram.bounds[bisect_left(counts, high)]
    return (0.0 if low == 0 else lower), upper


@lru_cache(maxsize=65536)
def share_bounds(hits: int, count: int, confidence: float) -> tuple[float, float]:
    """Where the share lies of which ``hits`` of ``count`` draws were one, at least this surely.

    The exact interval of C. J. Clopper and E. S. Pearson (Biometrika 26, 1934, 404-413). Without any
    draw nothing is known.
    """
    if count < 1:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    return 1 - _largest_share(count - hits, count, tail), _largest_share(hits, count, tail)


def mean_bounds(histogram: Histogram, confidence: float) -> tuple[float, float]:
    """Where the deployment's own mean lies, by the normal approximation."""
    error = mean_error(histogram)
    if error is None:
        return 0.0, math.inf
    mean = histogram.sum / histogram.count
    half = NormalDist().inv_cdf((1 + confidence) / 2) * error
    return max(0.0, mean - half), mean + half


def mean_error(histogram: Histogram) -> float | None:
    """Standard error of the mean, with values spread evenly inside their buckets.

    What lies above the last bound is put where the sum of all values says it is, on average.
    None where fewer than two requests tell nothing of the spread.
    """
    total = histogram.count
    if total < 2:
        return None
    first = second = below = lower = 0.0
    for bound, cumulative in zip(histogram.bounds[:-1], histogram.cumulative, strict=False):
        inside = cumulative - below
        middle, width = (lower + bound) / 2, bound - lower
        first += inside * middle
        second += inside * (middle**2 + width**2 / 12)
        below, lower = cumulative, bound
    beyond = total - below
    if beyond > 0:
        value = max(lower, (histogram.sum - first) / beyond)
        first += beyond * value
        second += beyond * value**2
    variance = max(0.0, second / total - (first / total) ** 2)
    return math.sqrt(variance / (total - 1))


def quantile_error(histogram: Histogram, q: float) -> float | None:
    """Standard error of the quantile: ``sqrt(q (1 - q) / n) / density`` (its asymptotic variance).

    The density is that of the bucket that the quantile lies in; None where that is +Inf. A bucket
    without any width, as the first one up to 0, leaves no error.
    """
    counts, total = histogram.cumulative, histogram.count
    if total < 1:
        return None
    index = bisect_left(counts, q * total, 0, len(counts) - 1)
    if index == len(counts) - 1:
        return None
    lower, below = (histogram.bounds[index - 1], counts[index - 1]) if index else (0.0, 0.0)
    width = histogram.bounds[index] - lower
    if width == 0:
        return 0.0
    density = (counts[index] - below) / total / width
    return math.sqrt(q * (1 - q) / total) / density if density > 0 else None


def requests_to_tell(share: float, q: float, confidence: float) -> int | None:
    """About how many requests tell whether a quantile is past a bound that ``share`` are within.

    That is when the ranks of ``rank_bounds`` no longer reach across the bound, if the share stays
    as it is; None where it is just q, which no number of requests tells apart.
    """
    if share in {0.0, 1.0}:
        return math.ceil(math.log((1 - confidence) / 2) / math.log(q if share else 1 - q))
    distance = abs(share - q)
    if distance == 0:
        return None
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    # The second part is the rounding of ranks, which matters where few are beyond the bound.
    return math.ceil(z**2 * q * (1 - q) / distance**2 + 1 / distance)


def requests_to_tell_share(share: float, limit: float, confidence: float) -> int | None:
    """About how many requests tell a share from a limit, by the interval of ``share_bounds``.

    From the binomial distribution at the limit, normal but for its skewness and its steps (W. Feller,
    An Introduction to Probability Theory and Its Applications, volume 2, XVI.4). None where the
    share is the limit.
    """
    if share in {0.0, 1.0}:
        return math.ceil(math.log((1 - confidence) / 2) / math.log(limit if share else 1 - limit))
    distance = abs(share - limit)
    if distance == 0:
        return None
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    skewness = (1 - 2 * limit) * (z**2 - 1) / 6
    step = max(0.0, 0.5 + (skewness if share > limit else -skewness))
    spread = z * math.sqrt(limit * (1 - limit))
    root = (spread + math.sqrt(spread**2 + 4 * distance * step)) / (2 * distance)
    return math.ceil(root**2)


def binomial_at_most(count: int, m: int, p: float) -> float:
    """The probability that at most m of ``count`` happen, each with probability p."""
    if m >= count:
        return 1.0
    if m <= count * p:
        return _sum_downwards(count, m, p, _binomial(count, m, p))
    # From the far side, where the terms fall from the first on.
    rest = count - m - 1
    return 1 - _sum_downwards(count, rest, 1 - p, _binomial(count, rest, 1 - p))


def _largest_share(hits: int, count: int, tail: float) -> float:
    """The share of which at most ``hits`` of ``count`` have a probability of ``tail``."""
    if hits == count:
        return 1.0

    def excess(share: float) -> float:
        return math.log(max(binomial_at_most(count, hits, share), _LEAST) / tail)

    high = hits / count or _NEGLIGIBLE
    low, step = high, 4 * math.sqrt((high * (1 - high) + 4 / count) / count)
    while excess(high) > 0:
        low, high = high, high + min(step, (1 - high) / 2)
    # The method of false position in the version called Illinois, on a smooth curve that falls.
    below, above, side = excess(low), excess(high), 0
    for _ in range(_STEPS):
        share = (low * above - high * below) / (above - below)
        found = excess(share)
        if abs(found) < _CLOSE:
            break
        if found > 0:
            low, below, above, side = share, found, above / (2 if side > 0 else 1), 1
        else:
            high, above, below, side = share, found, below / (2 if side < 0 else 1), -1
    return share


def _largest_within(count: int, p: float, tail: float) -> int:
    """The largest m for which at most m of ``count`` have a probability within ``tail``, or -1."""
    spread = math.sqrt(count * p * (1 - p))
    guess = math.floor(count * p + NormalDist().inv_cdf(tail) * spread)
    m = min(max(guess, 0), count)
    term = _binomial(count, m, p)
    at_most = _sum_downwards(count, m, p, term)
    while at_most <= tail and m < count:
        term *= (count - m) / (m + 1) * (p / (1 - p))
        m += 1
        at_most += term
    while at_most > tail and m >= 0:
        at_most -= term
        term *= m / (count - m + 1) * ((1 - p) / p)
        m -= 1
    return m


def _sum_downwards(count: int, m: int, p: float, term: float) -> float:
    total = 0.0
    while m >= 0 and term > total * _NEGLIGIBLE:
        total += term
        term *= m / (count - m + 1) * ((1 - p) / p)
        m -= 1
    return total


def _binomial(count: int, m: int, p: float) -> float:
    logarithm = math.lgamma(count + 1) - math.lgamma(m + 1) - math.lgamma(count - m + 1)
    return math.exp(logarithm + m * math.log(p) + (count - m) * math.log1p(-p))
