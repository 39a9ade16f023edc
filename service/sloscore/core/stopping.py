"""Whether an experiment is bound to fail, told while it runs and as often as one likes to look.

Two rules on the requests that took longer than an SLO's hard limit. The certain one: more of them were
slow than the whole plan allows. The other bounds how often it is wrong, however often it is asked: an
e-process, the likelihood of what was seen averaged over all shares above the allowed one, against that
of the allowed share. Where no more than that share is slow it is a supermartingale that starts at 1, so
it ever reaches 1 / alpha with a probability of at most alpha (Ville's inequality; Howard, Ramdas,
McAuliffe and Sekhon, Time-uniform, nonparametric, nonasymptotic confidence sequences, 2021).
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from sloscore.core.confidence import binomial_at_most
from sloscore.core.histogram import Histogram
from sloscore.core.penalty import Slo, hard_limit


class StopRule(StrEnum):
    """What a stop rests on."""

    CERTAIN = "certain"
    EVIDENCE = "evidence"


@dataclass(frozen=True, slots=True)
class Slow:
    """Requests that took longer than a hard limit, of how many."""

    over: float
    total: float


def slow_requests(histogram: Histogram, slo: Slo) -> Slow | None:
    """Requests that are surely over the hard limit: over the first bucket bound at or above it.

    None where no bucket tells, or where the SLO has no hard limit.
    """
    if not slo.hard_fail or slo.is_minimum:
        return None
    limit = hard_limit(slo)
    for bound, within in zip(histogram.bounds[:-1], histogram.cumulative, strict=False):
        if bound >= limit or math.isclose(bound, limit, rel_tol=1e-9):
            return Slow(histogram.count - within, histogram.count)
    return None


def is_certain(slow: Slow, q: float, planned: int) -> bool:
    """Whether the quantile q of ``planned`` requests is past the limit whatever the rest takes."""
    allowed = planned - q * planned
    # 1000 - 0.99 * 1000 is a little above or below 10.
    return slow.over > allowed and not math.isclose(slow.over, allowed, rel_tol=1e-9)


def evidence(slow: Slow, share: float) -> float:
    """The e-value against "at most ``share`` of requests are slow": 1 says nothing, more is against.

    A uniform mixture over the shares above it. Infinite where it leaves the range of a float.
    """
    over, total = round(slow.over), round(slow.total)
    mass = binomial_at_most(total + 1, over, share)
    if mass <= 0:
        return 0.0
    log_beta = math.lgamma(1 + over) + math.lgamma(1 + total - over) - math.lgamma(2 + total)
    log_value = (
        log_beta
        + math.log(mass)
        - math.log1p(-share)
        - over * math.log(share)
        - (total - over) * math.log1p(-share)
    )
    return math.exp(log_value) if log_value < 700 else math.inf
