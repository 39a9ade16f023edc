"""Service level indicators: which statistic of which signal, and what was measured of it."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from sloscore.core.nodata import NoData
from sloscore.core.objective import Signal

if TYPE_CHECKING:
    from sloscore.core.histogram import Histogram

MEAN = "mean"
RATE = "rate"
SHARE = "share"
_OF_WINDOW = frozenset({MEAN, RATE, SHARE})
_TOKENS_OUT, _TOKENS_IN = "tokens_out", "tokens_in"
# What is made of counters; requests a second are counted by whatever counts those of the window.
_ROLES_OF_COUNTERS: Mapping[Signal, tuple[str, ...]] = {
    Signal.THROUGHPUT: (_TOKENS_OUT,),
    Signal.THROUGHPUT_PER_GPU: (_TOKENS_OUT,),
    Signal.TOTAL_THROUGHPUT: (_TOKENS_IN, _TOKENS_OUT),
    Signal.TOTAL_THROUGHPUT_PER_GPU: (_TOKENS_IN, _TOKENS_OUT),
    Signal.REQUEST_THROUGHPUT: (),
    Signal.ERROR_RATE: ("errors", "requests"),
}
_PERCENTILE = re.compile(r"p([1-9]\d?(?:\.\d)?)")
_PERCENTILE_SUFFIX = re.compile(r"_p[\d.]+$")


@lru_cache(maxsize=1024)
def parse_percentile(name: str) -> float:
    """Quantile in (0, 1) of a percentile's name: ``p90`` is 0.9, ``p99.9`` is 0.999.

    Raises ValueError for anything but p1 to p99.9 with at most one decimal.
    """
    match = _PERCENTILE.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is not a percentile; name one from p1 to p99.9, such as p90")
    return float(Decimal(match[1]) / 100)


def signal_of(sli: str) -> Signal:
    """The signal of an SLI by its id: ``ttft_p99`` is one of TTFT; raises ValueError for no id."""
    return Signal(_PERCENTILE_SUFFIX.sub("", sli))


@lru_cache(maxsize=1024)
def minimum_requests(statistic: str) -> int:
    """Fewest requests from which a statistic can be told: one request beyond the quantile.

    With fewer than ``1 / (1 - q)`` requests the quantile q is the slowest request or past it, so
    p99 needs 100 requests and p50 needs 2; a mean, a rate or a share needs 1.
    """
    if statistic in _OF_WINDOW:
        return 1
    beyond = 1 - Decimal(statistic[1:]) / 100
    return math.ceil(1 / beyond)


@dataclass(frozen=True, slots=True)
class Sli:
    """A statistic (``p90``, ``mean``, ``rate``, ``share``) of a signal under its stable id.

    ``within`` holds the limits, in seconds, of a goodput.
    """

    id: str
    signal: Signal
    statistic: str
    within: tuple[tuple[Signal, float], ...] = ()

    @classmethod
    def of_window(cls, signal: Signal, within: tuple[tuple[Signal, float], ...] = ()) -> "Sli":
        """The one number that a whole window has of a signal: its rate, its share, or its mean."""
        statistic = RATE if signal.is_rate else SHARE if signal.is_share else MEAN
        return cls(signal.value, signal, statistic, within)

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles of the metrics that it is measured on."""
        if self.signal.is_goodput:
            return tuple(signal.value for signal, _ in self.within)
        return _ROLES_OF_COUNTERS.get(self.signal, (self.signal.value,))

    @property
    def quantile(self) -> float | None:
        """The quantile in (0, 1), or None where the statistic is no percentile."""
        return None if self.statistic in _OF_WINDOW else parse_percentile(self.statistic)

    @property
    def title(self) -> str:
        """The SLI as a sentence names it: ``P90 of latency``."""
        if self.statistic in {RATE, SHARE}:
            return self.signal.words
        name = self.statistic if self.statistic == MEAN else self.statistic.upper()
        return f"{name} of {self.signal.words}"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured value with the intervals that it lies in, in the SLI's unit.

    ``lower`` and ``upper`` are what the window's own requests leave open, as buckets do;
    ``lower_open`` says that the value is above ``lower``, not at it: a request counted in the
    bucket (5, 10] took longer than 5 s. ``sampled`` is where the deployment's own value lies at
    ``confidence``, of which the window's requests are a sample (None: nothing was sampled); its
    lower end is exclusive where it is above 0. ``error`` is the standard error of the value.
    ``histogram`` is what it was measured on. Where the interval is not that of a bucket,
    ``open_because`` is a clause on why it is there and what would narrow it.
    """

    value: float
    lower: float
    upper: float
    lower_open: bool = False
    requests: float | None = None
    sampled: tuple[float, float] | None = None
    confidence: float | None = None
    error: float | None = None
    open_because: str = field(default="", compare=False)
    histogram: "Histogram | None" = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.lower <= self.value <= self.upper:
            raise ValueError(f"{self.value} lies outside of [{self.lower}, {self.upper}]")

    @classmethod
    def exact(cls, value: float, requests: float | None = None) -> "Estimate":
        """A value known without doubt."""
        return cls(value, value, value, requests=requests)

    @property
    def least(self) -> float:
        """The smallest value that is possible."""
        if self.lower_open and self.lower < self.upper:
            return math.nextafter(self.lower, math.inf)
        return self.lower

    @property
    def widest(self) -> tuple[float, float]:
        """Least and largest value by buckets and sampling together."""
        if self.sampled is None:
            return self.least, self.upper
        low, high = self.sampled
        if low > 0:
            low = math.nextafter(low, math.inf)
        return min(self.least, low), max(self.upper, high)

    def count_over(self, limit: float) -> float | None:
        """Requests over a limit; None where no bucket ends there."""
        if self.histogram is None:
            return None
        within = self.histogram.count_at_or_under(limit)
        return None if within is None else self.histogram.count - within


def given(value: float | None) -> Estimate | NoData:
    """A value that somebody else measured; None and NaN are missing data.

    Raises ValueError where it is negative, as nothing that is measured is.
    """
    if value is None or math.isnan(value):
        return NoData("no value was given" if value is None else "the value is not a number")
    if value < 0:
        raise ValueError(f"a measured value must be 0 or above, got {value:g}")
    return Estimate.exact(value)
