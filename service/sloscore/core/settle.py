"""How many more requests would settle a verdict that too few requests leave open."""

import math
from collections.abc import Iterable
from statistics import NormalDist

from sloscore.core.confidence import requests_to_tell
from sloscore.core.histogram import Histogram
from sloscore.core.sli import Estimate

_RELATIVE_TOLERANCE = 1e-9


def requests_to_settle(estimate: Estimate, q: float | None, limits: Iterable[float]) -> int | None:
    """About how many more requests put the value's interval on one side of each of the limits.

    That is if they are like those of the window; None where no number of them would. ``q`` is the
    quantile, or None for a mean.
    """
    if estimate.histogram is None or estimate.confidence is None:
        return None
    low, high = estimate.widest
    most = 0
    for limit in limits:
        if not low <= limit <= high:
            continue
        needed = _mean_needs(estimate, limit) if q is None else _quantile_needs(estimate, q, limit)
        if needed is None:
            return None
        most = max(most, needed)
    more = most - math.floor(estimate.histogram.count)
    return max(1, more)


def _quantile_needs(estimate: Estimate, q: float, limit: float) -> int | None:
    assert estimate.histogram is not None  # noqa: S101  the caller has looked
    assert estimate.confidence is not None  # noqa: S101  the caller has looked
    share = _share_at(estimate.histogram, limit, value_is_over=estimate.value > limit)
    if share is None or (share < q) is not (estimate.value > limit):
        return None
    return requests_to_tell(share, q, estimate.confidence)


def _share_at(histogram: Histogram, limit: float, *, value_is_over: bool) -> float | None:
    """Share of requests within the bucket bound that tells a value from the limit.

    A value over the limit is told by the first bound at or above it, one within it by the last
    bound at or below it.
    """
    told: float | None = None
    for bound, count in zip(histogram.bounds[:-1], histogram.cumulative, strict=False):
        is_limit = math.isclose(bound, limit, rel_tol=_RELATIVE_TOLERANCE)
        if value_is_over and (is_limit or bound > limit):
            return count / histogram.count
        if not value_is_over and (is_limit or bound < limit):
            told = count / histogram.count
    return told


def _mean_needs(estimate: Estimate, limit: float) -> int | None:
    assert estimate.histogram is not None  # noqa: S101  the caller has looked
    assert estimate.confidence is not None  # noqa: S101  the caller has looked
    distance = abs(estimate.value - limit)
    if estimate.error is None or distance == 0:
        return None
    z = NormalDist().inv_cdf((1 + estimate.confidence) / 2)
    return math.ceil(estimate.histogram.count * (z * estimate.error / distance) ** 2)
