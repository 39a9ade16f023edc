"""How many more requests would settle a verdict that too few requests leave open."""

import math
from collections.abc import Iterable
from statistics import NormalDist

from sloscore.core.confidence import requests_to_tell, requests_to_tell_share
from sloscore.core.histogram import Histogram
from sloscore.core.sli import SHARE, Estimate, Sli

_RELATIVE_TOLERANCE = 1e-9


def requests_to_settle(estimate: Estimate, sli: Sli, limits: Iterable[float]) -> int | None:
    """About how many more requests put the value's interval on one side of each of the limits.

    That is if they are like those of the window; None where no number of them would.
    """
    is_share = sli.statistic == SHARE
    if estimate.requests is None or estimate.confidence is None:
        return None
    if estimate.histogram is None and not is_share:
        return None
    low, high = estimate.widest
    most = 0
    for limit in limits:
        if not low <= limit <= high:
            continue
        if is_share:
            needed = _share_needs(estimate, limit)
        elif sli.quantile is None:
            needed = _mean_needs(estimate, limit)
        else:
            needed = _quantile_needs(estimate, sli.quantile, limit)
        if needed is None:
            return None
        most = max(most, needed)
    more = most - math.floor(estimate.requests)
    return max(1, more)


def _share_needs(estimate: Estimate, limit: float) -> int | None:
    assert estimate.confidence is not None  # noqa: S101  the caller has looked
    if not 0 < limit < 1:
        return None
    # The end of the interval that is next to the limit has to be told from it.
    nearest = estimate.lower if estimate.value > limit else estimate.upper
    return requests_to_tell_share(nearest, limit, estimate.confidence)


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
