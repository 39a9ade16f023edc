"""Cumulative bucket histograms: deltas, merging, and the quantile that Prometheus would give."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sloscore.core.nodata import NoData
from sloscore.core.sli import Estimate

# Prometheus smooths a fall between neighbouring buckets that is only float noise.
_SMALL_DELTA = 1e-12


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts at or under each upper bound, as a scrape exposes them.

    ``bounds`` ascends (in the signal's unit, seconds) and ends in +Inf; ``cumulative`` has one
    count of requests for each bound; ``sum`` is the total of all observed values.
    """

    bounds: tuple[float, ...]
    cumulative: tuple[float, ...]
    sum: float

    def __post_init__(self) -> None:
        if not self.bounds or self.bounds[-1] != math.inf:
            raise ValueError("a histogram's last bound must be +Inf")
        if len(self.bounds) != len(self.cumulative):
            raise ValueError(f"{len(self.bounds)} bounds but {len(self.cumulative)} counts")
        if any(a >= b for a, b in zip(self.bounds, self.bounds[1:], strict=False)):
            raise ValueError("a histogram's bounds must ascend")

    @classmethod
    def from_buckets(cls, buckets: Mapping[float, float], total: float) -> "Histogram":
        """A histogram of ``le -> cumulative count`` in any order, with the sum of the values."""
        bounds = tuple(sorted(buckets))
        return cls(bounds, tuple(buckets[bound] for bound in bounds), total)

    @property
    def count(self) -> float:
        """Number of observations (requests)."""
        return self.cumulative[-1]

    def scaled(self, factor: float) -> "Histogram":
        """The same histogram in another unit: 0.001 takes milliseconds to seconds."""
        if factor == 1:
            return self
        bounds = tuple(bound * factor for bound in self.bounds)
        return Histogram(bounds, self.cumulative, self.sum * factor)

    def minus(self, earlier: "Histogram") -> "Histogram":
        """Observations since ``earlier``, which must have the same bounds."""
        if self.bounds != earlier.bounds:
            raise ValueError("a delta needs the same bounds on both sides")
        counts = tuple(
            now - before for now, before in zip(self.cumulative, earlier.cumulative, strict=True)
        )
        return Histogram(self.bounds, counts, self.sum - earlier.sum)

    def falls_below(self, earlier: "Histogram") -> bool:
        """Whether any bucket holds less than before, so that the process must have restarted."""
        return any(
            now < before for now, before in zip(self.cumulative, earlier.cumulative, strict=True)
        )

    def plus(self, other: "Histogram") -> "Histogram":
        """Observations of both, on the bounds that both have."""
        if self.bounds == other.bounds:
            bounds, left, right = self.bounds, self.cumulative, other.cumulative
        else:
            shared = frozenset(other.bounds)
            bounds = tuple(bound for bound in self.bounds if bound in shared)
            left, right = _counts_at(self, bounds), _counts_at(other, bounds)
        counts = tuple(a + b for a, b in zip(left, right, strict=True))
        return Histogram(bounds, counts, self.sum + other.sum)

    def count_at_or_under(self, bound: float) -> float | None:
        """Requests at or under a bucket bound, or None where no bucket ends there."""
        index = bisect_left(self.bounds, bound)
        if index == len(self.bounds) or self.bounds[index] != bound:
            return None
        return self.cumulative[index]

    def mean(self) -> Estimate | NoData:
        """Exact mean: the sum of the values over their count."""
        if not self.count > 0:
            return NoData("no requests finished in the window")
        return Estimate.exact(self.sum / self.count, requests=self.count)

    def quantile(self, q: float) -> Estimate | NoData:
        """The quantile q in (0, 1) with the bucket that holds it.

        The value is that of Prometheus' ``histogram_quantile`` (promql/quantile.go, bucketQuantile):
        linear interpolation inside the bucket that the rank ``q * count`` falls into, the lowest
        bucket starting at 0, and the last finite bound where the rank lies in +Inf. The interval
        is the bucket itself, so in +Inf it has no upper end.
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
        value = lower + (upper - lower) * ((rank - below) / (counts[index] - below))
        return Estimate(
            min(max(value, lower), upper), lower, upper, lower_open=True, requests=self.count
        )


def _counts_at(histogram: Histogram, bounds: tuple[float, ...]) -> tuple[float, ...]:
    index = dict(zip(histogram.bounds, histogram.cumulative, strict=True))
    return tuple(index[bound] for bound in bounds)


def _monotonic(cumulative: tuple[float, ...]) -> list[float]:
    counts: list[float] = []
    for count in cumulative:
        previous = counts[-1] if counts else count
        close = abs(count - previous) <= _SMALL_DELTA * max(abs(count), abs(previous))
        counts.append(previous if close else max(previous, count))
    return counts


def merge(histograms: Iterable[Histogram]) -> Histogram | None:
    """All observations together on the bounds that every histogram has, or None of nothing."""
    total: Histogram | None = None
    for histogram in histograms:
        total = histogram if total is None else total.plus(histogram)
    return total
