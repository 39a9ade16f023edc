"""What two windows say of the difference between their deployments, at a stated confidence.

The requests of both windows are taken as independent draws, as in ``confidence``. A difference is that of
the candidate to the baseline. Without requests enough for an interval it has infinite ends.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
from typing import Final

from sloscore.core.confidence import mean_error
from sloscore.core.histogram import Histogram
from sloscore.core.measured import measured_quantile
from sloscore.core.nodata import NoData
from sloscore.core.objective import Direction
from sloscore.core.student import student_t

OF_REQUESTS: Final = 1.0
"""``Rate.scatter`` of requests a second."""
OF_TOKENS: Final = 2.0
"""``Rate.scatter`` of tokens a second, where those of a request spread by no more than their mean."""


class Outcome(StrEnum):
    """What a candidate is, next to its baseline."""

    BETTER = "better"
    WORSE = "worse"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, slots=True)
class Bounded:
    """A value, and the limits that it lies within at some confidence."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """Candidate minus baseline with its limits, in their unit, and as a share of the baseline.

    ``sign`` is 1 where the candidate's own value is above the baseline's wherever both lie within
    their limits, -1 where it is below, and 0 where that is not known.
    """

    candidate: float
    baseline: float
    low: float
    high: float
    ratio_low: float
    ratio_high: float
    sign: int

    @property
    def change(self) -> float:
        """The difference of the two windows."""
        return self.candidate - self.baseline

    @property
    def ratio(self) -> float | None:
        """The difference as a share of the baseline; None where that is 0."""
        return self.change / self.baseline if self.baseline else None

    def outcome(self, direction: Direction) -> Outcome:
        """The verdict where values get better in this direction."""
        if self.sign == 0:
            return Outcome.CANNOT_TELL
        return (
            Outcome.BETTER
            if (self.sign > 0) is (direction is Direction.MAXIMIZE)
            else Outcome.WORSE
        )


def compare_quantiles(
    candidate: Histogram, baseline: Histogram, q: float, confidence: float
) -> Difference | NoData:
    """The difference of a quantile; buckets may differ, and what they leave open is in it.

    Either quantile lies within its order statistics (``confidence.quantile_bounds``) at a confidence
    of ``(1 + confidence) / 2``, so both do at ``confidence`` by Bonferroni's inequality, and with
    them their difference.
    """
    each = (1 + confidence) / 2
    new, old = (measured_quantile(one, q, each) for one in (candidate, baseline))
    if isinstance(new, NoData):
        return new
    if isinstance(old, NoData):
        return old
    (new_least, new_most), (old_least, old_most) = new.widest, old.widest
    # The limits that are told are bucket bounds; only above the lower one is what is possible.
    new_low, old_low = (
        min(one.lower, one.sampled[0] if one.sampled else one.lower) for one in (new, old)
    )
    return Difference(
        candidate=new.value,
        baseline=old.value,
        low=new_low - old_most,
        high=new_most - old_low,
        ratio_low=(max(0.0, new_low / old_most) if old_most > 0 else 0.0) - 1,
        ratio_high=(new_most / old_low if old_low > 0 else math.inf) - 1,
        sign=(new_least > old_most) - (new_most < old_least),
    )


def compare_means(
    candidate: Histogram, baseline: Histogram, confidence: float
) -> Difference | NoData:
    """The difference of the means by their standard errors.

    Unequal variances are allowed for (B. L. Welch, Biometrika 34, 1947), and the degrees of freedom
    are rounded down.
    """
    if missing := _missing(candidate.count, baseline.count):
        return missing
    means = [one.sum / one.count for one in (candidate, baseline)]
    errors = [mean_error(one) for one in (candidate, baseline)]
    halves = [math.inf, math.inf]
    if errors[0] is not None and errors[1] is not None:
        degrees = _welch(errors[0], candidate.count, errors[1], baseline.count)
        halves = [student_t(confidence, degrees) * error for error in (errors[0], errors[1])]
    new, old = (
        Bounded(mean, mean - half, mean + half) for mean, half in zip(means, halves, strict=True)
    )
    return _of_limits(new, old)


def compare_shares(
    candidate: tuple[float, float], baseline: tuple[float, float], confidence: float
) -> Difference | NoData:
    """The difference of two shares, each given as (requests, of how many).

    From the score intervals of both (E. B. Wilson, JASA 22, 1927), joined by method 10 of R. G.
    Newcombe (Statistics in Medicine 17, 1998, 873-890).
    """
    if missing := _missing(candidate[1], baseline[1]):
        return missing
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    return _of_limits(_wilson(*candidate, z), _wilson(*baseline, z))


def compare_shares_between(
    candidate: tuple[float, float, float],
    baseline: tuple[float, float, float],
    requests: tuple[float, float],
    confidence: float,
) -> Difference | NoData:
    """The difference of two shares that counting leaves open: each has its value, least and most.

    ``requests`` are those of the candidate and of the baseline.
    """
    (new, new_least, new_most), (old, old_least, old_most) = candidate, baseline
    of_new, of_old = requests

    def compared(one: float, other: float) -> Difference | NoData:
        return compare_shares((one * of_new, of_new), (other * of_old, of_old), confidence)

    least, most = compared(new_least, old_most), compared(new_most, old_least)
    if isinstance(least, NoData):
        return least
    if isinstance(most, NoData):
        return most
    return Difference(
        candidate=new,
        baseline=old,
        low=least.low,
        high=most.high,
        ratio_low=least.ratio_low,
        ratio_high=most.ratio_high,
        sign=_sign(least.low, most.high),
    )


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate in units a second, which lies from ``lower`` to ``upper`` by the window's edges.

    ``scatter`` is its squared relative error if it came of one of its ``requests``.
    """

    value: float
    lower: float
    upper: float
    requests: float
    scatter: float = OF_TOKENS


def compare_rates(candidate: Rate, baseline: Rate, confidence: float) -> Difference:
    """The difference of two rates of requests, or of what they bring.

    Requests are taken to finish as a Poisson process, or more evenly, and their tokens to spread by
    no more than their mean: then the squared relative error is that of a compound Poisson sum,
    ``(1 + spread ** 2) / requests``, at most ``2 / requests``, and without tokens ``1 / requests``. What
    the edges of the windows leave open comes on top.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)

    def limits(value: float, rate: Rate) -> Bounded:
        half = z * math.sqrt(rate.scatter / rate.requests) * value if rate.requests else math.inf
        return Bounded(value, value - half, value + half)

    least = _of_limits(limits(candidate.lower, candidate), limits(baseline.upper, baseline))
    most = _of_limits(limits(candidate.upper, candidate), limits(baseline.lower, baseline))
    return Difference(
        candidate=candidate.value,
        baseline=baseline.value,
        low=least.low,
        high=most.high,
        ratio_low=least.ratio_low,
        ratio_high=most.ratio_high,
        sign=_sign(least.low, most.high),
    )


def _of_limits(candidate: Bounded, baseline: Bounded) -> Difference:
    """Difference and ratio from the limits of both values, each at the wanted confidence.

    The method of variance estimates recovery: G. Y. Zou and A. Donner (Statistics in Medicine 27,
    2008, 1693-1702) for differences; A. Donner and G. Y. Zou (Statistical Methods in Medical Research
    21, 2012, 347-359) for ratios, of which Fieller's interval is a case. Both agree on the sign.
    """
    change = candidate.value - baseline.value
    low = change - math.hypot(candidate.value - candidate.low, baseline.high - baseline.value)
    high = change + math.hypot(candidate.high - candidate.value, baseline.value - baseline.low)
    ratio_low, ratio_high = _ratio_limits(candidate, baseline)
    return Difference(
        candidate=candidate.value,
        baseline=baseline.value,
        low=low,
        high=high,
        ratio_low=ratio_low - 1,
        ratio_high=ratio_high - 1,
        sign=_sign(low, high),
    )


def _ratio_limits(new: Bounded, old: Bounded) -> tuple[float, float]:
    """Limits of ``new / old``, neither of which is below 0: where a line through 0 meets theirs."""
    product = new.value * old.value
    low, high = 0.0, math.inf
    if new.low > 0 and math.isfinite(old.high):
        a, c = old.high * (2 * old.value - old.high), new.low * (2 * new.value - new.low)
        low = c / (product + math.sqrt(max(0.0, product**2 - a * c)))
    if old.low > 0 and math.isfinite(new.high):
        a, c = old.low * (2 * old.value - old.low), new.high * (2 * new.value - new.high)
        high = (product + math.sqrt(max(0.0, product**2 - a * c))) / a
    return low, high


def _welch(one: float, one_count: float, other: float, other_count: float) -> int:
    squares = one**4 / (one_count - 1) + other**4 / (other_count - 1)
    return max(1, math.floor((one**2 + other**2) ** 2 / squares)) if squares > 0 else 1


def _wilson(hits: float, total: float, z: float) -> Bounded:
    share = hits / total
    middle = share + z**2 / (2 * total)
    half = z * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    scale = 1 + z**2 / total
    low = 0.0 if hits == 0 else (middle - half) / scale
    return Bounded(share, low, 1.0 if hits == total else (middle + half) / scale)


def _missing(candidate: float, baseline: float) -> NoData | None:
    for count, whose in ((candidate, "candidate"), (baseline, "baseline")):
        if not count > 0:
            return NoData(f"no requests of the {whose} finished in its window")
    return None


def _sign(low: float, high: float) -> int:
    return (low > 0) - (high < 0)
