"""Cumulative bucket histograms: deltas, merging, and the quantile that Prometheus would give."""

import math
import operator
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise

from sloscore.core.nodata import NoData
from sloscore.core.sli import Estimate

# Prometheus smooths a fall between neighbouring buckets that is only float noise.
_SMALL_DELTA = 1e-12


class Layout(StrEnum):
    """What a histogram's buckets are.

    A CLASSIC one exposes all of its buckets, whose bounds stay for the life of its process. Native
    ones show only the buckets that hold something, so that bounds come and go: those of CUSTOM are
    what the server named, those of EXPONENTIAL have one ratio, which can grow while it runs.
    """

    CLASSIC = "classic"
    CUSTOM = "custom"
    EXPONENTIAL = "exponential"


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts at or under each upper bound, as a scrape exposes them.

    ``bounds`` ascends (in the signal's unit, seconds) and ends in +Inf; ``cumulative`` has one
    count of requests for each bound; ``sum`` is the total of all observed values.
    """

    bounds: tuple[float, ...]
    cumulative: tuple[float, ...]
    sum: float
    layout: Layout = Layout.CLASSIC

    def __post_init__(self) -> None:
        if not self.bounds or self.bounds[-1] != math.inf:
            raise ValueError("a histogram's last bound must be +Inf")
        if len(self.bounds) != len(self.cumulative):
            raise ValueError(f"{len(self.bounds)} bounds but {len(self.cumulative)} counts")
        if any(map(operator.ge, self.bounds, self.bounds[1:])):
            raise ValueError("a histogram's bounds must ascend")

    @classmethod
    def from_buckets(cls, buckets: Mapping[float, float], total: float) -> "Histogram":
        """A histogram of ``le -> cumulative count`` in any order, with the sum of the values."""
        bounds = _only_copy(tuple(sorted(buckets)))
        return cls(bounds, tuple(buckets[bound] for bound in bounds), total)

    @property
    def count(self) -> float:
        """Number of observations (requests)."""
        return self.cumulative[-1]

    @property
    def falls(self) -> bool:
        """Whether a bucket holds less than one below it, which no server counts."""
        return any(map(operator.gt, self.cumulative, self.cumulative[1:]))

    def scaled(self, factor: float) -> "Histogram":
        """The same histogram in another unit: 0.001 takes milliseconds to seconds."""
        if factor == 1:
            return self
        return Histogram(
            _scaled(self.bounds, factor), self.cumulative, self.sum * factor, self.layout
        )

    def minus(self, earlier: "Histogram") -> "Histogram":
        """Observations since ``earlier``, on the bounds at which both tell their count.

        Raises ValueError for two classic ones with different bounds.
        """
        if self.bounds != earlier.bounds and _are_classic(self, earlier):
            raise ValueError("a delta needs the same bounds on both sides")
        if self.bounds == earlier.bounds:
            rises = tuple(map(operator.sub, self.cumulative, earlier.cumulative))
            return Histogram(self.bounds, rises, self.sum - earlier.sum, self.layout)
        rows = [(bound, now - before) for bound, now, before in _shared(self, earlier)]
        bounds, counts = zip(*rows, strict=True)
        return Histogram(bounds, counts, self.sum - earlier.sum, self.layout)

    def falls_below(self, earlier: "Histogram") -> bool:
        """Whether it cannot have grown from ``earlier``, so that the process must have restarted.

        That is where a bucket holds less than before, a classic layout is another, or a native one
        is finer: without a restart it can only become coarser.
        """
        if self.bounds != earlier.bounds:
            if _are_classic(self, earlier):
                return True
            if Layout.CLASSIC not in {self.layout, earlier.layout} and any(
                earlier.count_at_or_under(bound) is None for bound in self.bounds
            ):
                return True
        if self.bounds == earlier.bounds and self.layout is not Layout.EXPONENTIAL:
            return any(map(operator.lt, self.cumulative, earlier.cumulative))
        rises = [now - before for _, now, before in _shared(self, earlier)]
        if self.layout is earlier.layout is Layout.EXPONENTIAL:
            # Its buckets come from one instant, so none of them falls by itself, either.
            return rises[0] < 0 or any(a > b for a, b in pairwise(rises))
        return any(rise < 0 for rise in rises)

    def plus(self, other: "Histogram") -> "Histogram":
        """Observations of both, on the bounds at which both tell their count."""
        if self.bounds == other.bounds:
            both = tuple(map(operator.add, self.cumulative, other.cumulative))
            return Histogram(self.bounds, both, self.sum + other.sum, _layout_of_both(self, other))
        rows = [(bound, left + right) for bound, left, right in _shared(self, other)]
        bounds, counts = zip(*rows, strict=True)
        return Histogram(bounds, counts, self.sum + other.sum, _layout_of_both(self, other))

    def count_at_or_under(self, bound: float) -> float | None:
        """Requests at or under a bound, or None inside a bucket that holds any."""
        index = bisect_left(self.bounds, bound)
        below = self.cumulative[index - 1] if index else 0.0
        if self.bounds[index] == bound or self.cumulative[index] == below:
            return self.cumulative[index]
        return None

    def counts_around(self, limit: float) -> tuple[float, float]:
        """Requests that are surely within a limit, and those that may be: at the bounds around it."""
        exact = self.count_at_or_under(limit)
        if exact is not None:
            return exact, exact
        index = bisect_left(self.bounds, limit)
        return (self.cumulative[index - 1] if index else 0.0), self.cumulative[index]

    def mean(self) -> Estimate | NoData:
        """Exact mean: the sum of the values over their count."""
        if not self.count > 0:
            return NoData("no requests finished in the window")
        return Estimate.exact(self.sum / self.count, requests=self.count)

    def quantile(self, q: float) -> Estimate | NoData:
        """The quantile q in (0, 1) with the bucket that holds it.

        The value is that of Prometheus' ``histogram_quantile`` (promql/quantile.go): interpolation
        inside the bucket that the rank ``q * count`` falls into, linear, or on a logarithmic scale
        for exponential buckets above 0; the lowest bucket starts at 0, and a rank in +Inf gives the
        last finite bound. The interval is the bucket itself, so in +Inf it has no upper end.
        """
        if not 0 < q < 1:
            raise ValueError(f"a quantile lies between 0 and 1, not {q}")
        if not self.count > 0:
            return NoData("no requests finished in the window")
        if len(self.bounds) < 2:
            return NoData("the histogram has no bucket besides +Inf")
        counts = _monotonic(self.cumulative)
        rank = q * counts[-1]
        index = bisect_left(counts, rank, 0, len(counts) - 1)
        if index == len(counts) - 1:
            last = self.bounds[-2]
            return Estimate(last, last, math.inf, lower_open=True, requests=self.count)
        upper = self.bounds[index]
        if index == 0:
            if upper <= 0:
                return Estimate.exact(upper, requests=self.count)
            value = upper * (rank / counts[0])
            return Estimate(min(value, upper), 0.0, upper, requests=self.count)
        lower, below = self.bounds[index - 1], counts[index - 1]
        fraction = (rank - below) / (counts[index] - below)
        if self.layout is Layout.EXPONENTIAL and lower > 0:
            value = lower * (upper / lower) ** fraction
        else:
            value = lower + (upper - lower) * fraction
        return Estimate(
            min(max(value, lower), upper), lower, upper, lower_open=True, requests=self.count
        )


# Servers have few kinds of bounds: each is held once, however many histograms are.
@lru_cache(maxsize=1024)
def _only_copy(bounds: tuple[float, ...]) -> tuple[float, ...]:
    return bounds


@lru_cache(maxsize=1024)
def _scaled(bounds: tuple[float, ...], factor: float) -> tuple[float, ...]:
    # 9 ms are 0.009 s, not 0.009000000000000001: a threshold has to meet its bound.
    return tuple(float(f"{bound * factor:.15g}") for bound in bounds)


def _are_classic(*histograms: Histogram) -> bool:
    return all(histogram.layout is Layout.CLASSIC for histogram in histograms)


def _layout_of_both(left: Histogram, right: Histogram) -> Layout:
    if left.layout is right.layout or right.count == 0:
        return left.layout
    return right.layout if left.count == 0 else Layout.CUSTOM


def _shared(left: Histogram, right: Histogram) -> Iterator[tuple[float, float, float]]:
    """The bounds of either at which both tell their count, with these counts; +Inf is the last."""
    if left.bounds == right.bounds:
        yield from zip(left.bounds, left.cumulative, right.cumulative, strict=True)
        return
    for bound in sorted({*left.bounds, *right.bounds}):
        one, other = left.count_at_or_under(bound), right.count_at_or_under(bound)
        if one is not None and other is not None:
            yield bound, one, other


# Several quantiles are asked of each histogram, one after the other.
@lru_cache(maxsize=64)
def _monotonic(cumulative: tuple[float, ...]) -> Sequence[float]:
    if _are_plain_counts(cumulative):
        return cumulative
    counts: list[float] = []
    for count in cumulative:
        previous = counts[-1] if counts else count
        close = abs(count - previous) <= _SMALL_DELTA * max(abs(count), abs(previous))
        counts.append(previous if close else max(previous, count))
    return counts


def _are_plain_counts(cumulative: tuple[float, ...]) -> bool:
    """Whether they are whole and ascend, and small enough that no two are close but not equal."""
    return (
        cumulative[0] >= 0
        and cumulative[-1] < 0.5 / _SMALL_DELTA
        and not any(map(operator.gt, cumulative, cumulative[1:]))
        and all(map(float.is_integer, map(float, cumulative)))
    )


def merge(histograms: Iterable[Histogram]) -> Histogram | None:
    """All observations together on the bounds at which all tell their count, or None of nothing."""
    total: Histogram | None = None
    for histogram in histograms:
        total = histogram if total is None else total.plus(histogram)
    return total
