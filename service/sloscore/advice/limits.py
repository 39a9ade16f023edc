"""The limits that verdicts turn on, and where they lie among the bounds of a histogram."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sloscore.core.objective import Signal
from sloscore.core.penalty import Slo, hard_limit, is_at_hard_limit
from sloscore.core.sli import Sli

# Digits that tell any two floats apart.
_ALL_DIGITS = 17


class LimitKind(StrEnum):
    """Where a verdict turns from met to violated, where to a hard fail, and where requests are good."""

    THRESHOLD = "threshold"
    HARD_LIMIT = "hard limit"
    WITHIN = "limit"


@dataclass(frozen=True, slots=True)
class Bucket:
    """The values above ``lower``, at or under ``upper``; the first bucket begins at 0."""

    lower: float
    upper: float

    def __str__(self) -> str:
        if math.isinf(self.upper):
            return f"({self.lower:.12g}, +Inf]"
        return f"{'(' if self.lower else '['}{self.lower:.12g}, {self.upper:.12g}]"


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of an SLI in seconds; ``bound`` is the bucket bound that tells on which side it is.

    It is one of a ``signal``, of which a goodput has several.
    """

    sli: Sli
    slo: Slo
    signal: Signal
    kind: LimitKind
    value: float
    bound: float

    @property
    def title(self) -> str:
        """The limit as a sentence names it: ``threshold of 4 s of latency_p90``."""
        return f"{self.kind} of {self.bound:.12g} {self.signal.unit} of {self.name}"

    @property
    def name(self) -> str:
        """What it is a limit of: ``latency_p90``, ``latency of goodput_share``."""
        within = self.kind is LimitKind.WITHIN
        return f"{self.signal} of {self.sli.id}" if within else self.sli.id

    def is_told_by(self, bound: float) -> bool:
        """Whether a bucket that ends at this bound keeps what lies on either side apart.

        A threshold has to be a bound itself, as the scoring tolerates no rounding there.
        """
        if self.kind is not LimitKind.HARD_LIMIT:
            return bound == self.value
        return bound == self.bound or is_at_hard_limit(bound, self.slo)

    def bucket_in(self, bounds: Sequence[float]) -> Bucket | None:
        """The bucket that the limit lies inside of, or None where it is a bound.

        ``bounds`` ascend, without +Inf.
        """
        index = bisect_left(bounds, self.bound)
        near = bounds[max(0, index - 1) : index + 1]
        if any(self.is_told_by(bound) for bound in near):
            return None
        lower = bounds[index - 1] if index else 0.0
        return Bucket(lower, bounds[index] if index < len(bounds) else math.inf)


def limits_of(slos: Iterable[tuple[Sli, Slo]]) -> tuple[Limit, ...]:
    """The limits of every percentile and goodput; other means and rates are exact and need no bound."""
    found = []
    for sli, slo in slos:
        for signal, value in sli.within:
            found.append(Limit(sli, slo, signal, LimitKind.WITHIN, value, value))
        if sli.quantile is None:
            continue
        threshold = slo.threshold
        found.append(Limit(sli, slo, sli.signal, LimitKind.THRESHOLD, threshold, threshold))
        hard = hard_limit(slo)
        if slo.hard_fail and slo.threshold < hard < math.inf:
            bound = hard_bound(slo)
            found.append(Limit(sli, slo, sli.signal, LimitKind.HARD_LIMIT, hard, bound))
    return tuple(found)


def hard_bound(slo: Slo) -> float:
    """The hard limit with the fewest digits that the scoring takes for it: 3.3, not 3.3000000000000003."""
    limit = hard_limit(slo)
    for digits in range(1, _ALL_DIGITS + 1):
        short = float(f"{limit:.{digits}g}")
        if is_at_hard_limit(short, slo):
            return short
    return limit


def plain(bound: float) -> str:
    """A bound in the fewest digits that read back as the same float, without a trailing ``.0``."""
    return repr(float(bound)).removesuffix(".0")
