"""Many windows scored under the same SLOs: the numbers of ``judge`` and ``combine``, without words.

What is the same for all of them is worked out once. Not with numpy: its exponential is another one
than ``math.exp`` in the last bit, and a score that is worked out again has to be the one before.
"""

import math
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sloscore.core.judge import standing
from sloscore.core.objective import Direction
from sloscore.core.penalty import Slo
from sloscore.core.scoring import Status, apply_penalty
from sloscore.core.sli import Estimate
from sloscore.core.verdict import HardFailOn, Verdict

# Wider than the tolerance of fail ratios: nearer to one than this, ``standing`` decides.
_NEAR = 1e-6


class Measured(NamedTuple):
    """An SLI's value in its unit, and what it can be.

    ``least`` to ``upper`` is what buckets leave open, ``low`` to ``high`` contains that and what
    sampling leaves open.
    """

    value: float
    least: float
    upper: float
    low: float
    high: float

    @classmethod
    def of(cls, estimate: Estimate) -> "Measured":
        """What an estimate says."""
        least = estimate.least
        return cls(max(estimate.value, least), least, estimate.upper, *estimate.widest)


class Scored(NamedTuple):
    """A window's score as that of ``combine``; ``ratios`` are violation ratios, one for each SLO.

    ``certain`` says whether no verdict would be another one wherever the true values lie.
    """

    status: Status
    score: float
    finite_score: float
    penalty: float
    slo_violation: bool
    certain: bool
    ratios: tuple[float, ...]


class _Limit(NamedTuple):
    slo: Slo
    threshold: float
    is_minimum: bool
    weight: float
    cost: Callable[[float], float]
    # Violation ratios under the first surely do not fail hard, those over the second do.
    surely_soft: float
    surely_hard: float


class Scorer:
    """Scores windows under ``slos``, each against the value at its own place."""

    def __init__(
        self,
        slos: Sequence[Slo],
        direction: Direction,
        hard_fail_on: HardFailOn = HardFailOn.ESTIMATE,
    ) -> None:
        self._limits = [_limit_of(slo) for slo in slos]
        self._direction = direction
        self._hard_fail_on = hard_fail_on

    def score(self, base: float, measured: Sequence[Measured]) -> Scored | None:
        """The score of a window; None where an SLI cannot be told, which ``judge`` has words for.

        Raises ValueError for a base that is negative, infinite or NaN, and for another number of
        values than of SLOs.
        """
        total, fails, certain = 0.0, False, True
        ratios = []
        # Without calls where it can be: many windows are scored at once (bench/bench_core.py).
        for limit, (value, least, upper, low, high) in zip(self._limits, measured, strict=True):
            slo, threshold, is_minimum, weight, cost, surely_soft, surely_hard = limit
            if is_minimum:
                ratio = (threshold - value) / threshold
                best, worst = (threshold - high) / threshold, (threshold - low) / threshold
            else:
                ratio = (value - threshold) / threshold
                best, worst = (low - threshold) / threshold, (high - threshold) / threshold
            ratios.append(ratio)
            if ratio > 0 and weight != 0:
                total += weight * cost(ratio)
            if worst <= 0 or (best > 0 and worst < surely_soft):
                continue
            if best > surely_hard:
                fails = True
                continue
            stands = standing(slo, value, (least, upper), (low, high), self._hard_fail_on)
            if stands is None:
                return None
            fails = fails or stands.verdict is Verdict.HARD_FAIL
            certain = certain and stands.uncertainty is None
        score = apply_penalty(base, total, self._direction)
        finite = min(score, sys.float_info.max)
        status = Status.SUCCESS
        if fails:
            status = Status.FAILED
            score = -math.inf if self._direction is Direction.MAXIMIZE else math.inf
        return Scored(status, score, finite, total, fails, certain, tuple(ratios))


def _limit_of(slo: Slo) -> _Limit:
    near = _NEAR * (1 + slo.fail_ratio)
    return _Limit(
        slo,
        slo.threshold,
        slo.is_minimum,
        slo.weight,
        slo.curve.value,
        slo.fail_ratio - near if slo.hard_fail else math.inf,
        slo.fail_ratio + near if slo.hard_fail else math.inf,
    )
