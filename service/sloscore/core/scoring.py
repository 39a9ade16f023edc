"""From SLI estimates and a base score to one score an experiment, by the scoring contract."""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sloscore.core.judge import Range, SliResult
from sloscore.core.learning import binding_constraint, infeasibility, log_score
from sloscore.core.nodata import NoData
from sloscore.core.objective import Direction
from sloscore.core.verdict import Verdict

HARD_VIOLATION = "Hard SLO violation"


class Status(StrEnum):
    """What an experiment came to."""

    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    NO_DATA = "NO_DATA"
    RUNNING = "RUNNING"


@dataclass(frozen=True, slots=True)
class Interval:
    """Both ends of what is possible, ``low <= high``."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Score:
    """The score of an experiment with everything that led to it.

    ``score`` is None without data, and infinite on a hard fail (+inf where minimised, -inf where
    maximised); ``finite_score`` is what the formula gives when hard fails are left aside, at most
    the largest float; ``log_score`` is its natural logarithm, which no penalty saturates;
    ``interval`` is what the window's own requests leave open of the score, ``sampled_interval``
    what the deployment's behaviour can be; ``error`` is the standard error of ``finite_score``.
    ``constraints`` maps an SLI's id to its violation ratio, which is feasible at or below 0.
    """

    status: Status
    slo_violation: bool
    reason: str | None
    base: float | None
    penalty: float | None
    score: float | None
    interval: Interval | None
    sampled_interval: Interval | None
    finite_score: float | None
    log_score: float | None
    error: float | None
    slis: tuple[SliResult, ...]

    @property
    def multiplier(self) -> float | None:
        """``1 + penalty``: what the base is multiplied with, or divided by where maximised."""
        return None if self.penalty is None else 1 + self.penalty

    @property
    def constraints(self) -> Mapping[str, float | None]:
        """Violation ratio by SLI id."""
        return {result.sli.id: result.violation_ratio for result in self.slis}

    @property
    def binding_constraint(self) -> str | None:
        """Id of the SLI with the largest violation ratio, violated or not."""
        return binding_constraint(self.slis)

    @property
    def infeasibility_reason(self) -> str | None:
        """Why there is no score to optimise: sentences on a hard fail and without data."""
        if self.slo_violation:
            return infeasibility(self.slis)
        return self.reason if self.status is Status.NO_DATA else None


def apply_penalty(base: float, penalty: float, direction: Direction) -> float:
    """``base * (1 + penalty)`` where minimised, ``base / (1 + penalty)`` where maximised.

    An infinite penalty is worse than any finite one whatever the base: +inf, or 0.
    Raises ValueError where the base is negative or not a finite number: a penalty would make a
    negative score better.
    """
    if not 0 <= base < math.inf:
        raise ValueError(f"a base score must be a finite number of 0 or above, got {base}")
    if direction is Direction.MAXIMIZE:
        return 0.0 if math.isinf(penalty) else base / (1 + penalty)
    return math.inf if math.isinf(penalty) else base * (1 + penalty)


def combine(
    base: float | NoData,
    direction: Direction,
    slis: Sequence[SliResult],
    *,
    base_error: float | None = 0.0,
    base_ends: tuple[float, float] | None = None,
) -> Score:
    """All SLIs and the base score as one score.

    A hard fail outranks missing data elsewhere: what is known to fail has failed. Missing data
    outranks everything else: a score is a number only when all of it was measured.
    ``base_error`` is the base's standard error, ``base_ends`` the least and the largest value that
    it can have. Raises ValueError for a base that is negative,
    infinite or NaN.
    """
    known = None if isinstance(base, NoData) else base
    ends = base_ends or (None if known is None else (known, known))
    penalties = [result.penalty for result in slis]
    total = _total(penalties)
    finite = None if known is None or total is None else apply_penalty(known, total, direction)
    hard_fails = [result for result in slis if result.verdict is Verdict.HARD_FAIL]
    worst = -math.inf if direction is Direction.MAXIMIZE else math.inf
    if hard_fails:
        status, score = Status.FAILED, worst
        reason: str | None = HARD_VIOLATION
    elif finite is None:
        missing = [r.explanation for r in slis if r.verdict is Verdict.NO_DATA]
        if isinstance(base, NoData):
            missing.append(f"The base score is unknown: {base.reason}.")
        status, score, reason = Status.NO_DATA, None, " ".join(missing)
    else:
        status, score, reason = Status.SUCCESS, finite, None
    return Score(
        status=status,
        slo_violation=bool(hard_fails),
        reason=reason,
        base=known,
        penalty=total,
        score=score,
        interval=_interval(ends, direction, [r.by_buckets for r in slis]),
        sampled_interval=_interval(ends, direction, [r.by_sampling for r in slis]),
        finite_score=None if finite is None else min(finite, sys.float_info.max),
        log_score=None if known is None else log_score(known, direction, slis),
        error=_error(known, total, direction, base_error, [r.penalty_error for r in slis]),
        slis=tuple(slis),
    )


def _total(penalties: Sequence[float | None]) -> float | None:
    total = 0.0
    for value in penalties:
        if value is None:
            return None
        total += value
    return total


def _interval(
    base: tuple[float, float] | None, direction: Direction, ranges: Sequence[Range | None]
) -> Interval | None:
    if base is None:
        return None
    best_first = sorted(base, reverse=direction is Direction.MAXIMIZE)
    ends = []
    for end in (0, 1):
        total = _total([None if known is None else known.penalties[end] for known in ranges])
        if total is None:
            return None
        if any(known and known.verdicts[end] is Verdict.HARD_FAIL for known in ranges):
            ends.append(-math.inf if direction is Direction.MAXIMIZE else math.inf)
        else:
            ends.append(apply_penalty(best_first[end], total, direction))
    return Interval(min(ends), max(ends))


def _error(
    base: float | None,
    penalty: float | None,
    direction: Direction,
    base_error: float | None,
    errors: Sequence[float | None],
) -> float | None:
    """Standard error of the score: linearised, all errors taken to point the same way."""
    penalty_error = _total(errors)
    if base is None or penalty is None or base_error is None or penalty_error is None:
        return None
    if math.isinf(penalty):
        return None
    if direction is Direction.MAXIMIZE:
        return (base_error + base * (penalty_error / (1 + penalty))) / (1 + penalty)
    return base_error * (1 + penalty) + base * penalty_error
