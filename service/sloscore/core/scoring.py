"""From SLI estimates and a base score to one score an experiment, by the scoring contract."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sloscore.core import penalty as slo_penalty
from sloscore.core.explain import explain
from sloscore.core.nodata import NoData
from sloscore.core.objective import Direction
from sloscore.core.penalty import DEFAULT_STEEPNESS, Slo
from sloscore.core.sli import Estimate, Sli
from sloscore.core.verdict import Severity, Verdict, severity_of, verdict_at

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
class SliResult:
    """One SLI against its SLO; ratio, penalty and their interval are None without data.

    ``penalty_interval`` and ``verdict_interval`` hold what the best and the worst possible value
    would give, in this order.
    """

    sli: Sli
    slo: Slo
    estimate: Estimate | NoData
    verdict: Verdict
    severity: Severity | None
    violation_ratio: float | None
    penalty: float | None
    penalty_interval: tuple[float, float] | None
    verdict_interval: tuple[Verdict, Verdict] | None
    explanation: str

    @property
    def certain(self) -> bool:
        """Whether the verdict is the same wherever in its interval the true value lies."""
        return self.verdict_interval is not None and len(set(self.verdict_interval)) == 1


@dataclass(frozen=True, slots=True)
class Score:
    """The score of an experiment with everything that led to it.

    ``score`` is None without data, and infinite on a hard fail (+inf where minimised, -inf where
    maximised); ``finite_score`` is what the formula gives when hard fails are left aside;
    ``constraints`` maps an SLI's id to its violation ratio, which is feasible at or below 0.
    """

    status: Status
    slo_violation: bool
    reason: str | None
    base: float | None
    penalty: float | None
    score: float | None
    interval: Interval | None
    finite_score: float | None
    slis: tuple[SliResult, ...]

    @property
    def multiplier(self) -> float | None:
        """``1 + penalty``: what the base is multiplied with, or divided by where maximised."""
        return None if self.penalty is None else 1 + self.penalty

    @property
    def constraints(self) -> Mapping[str, float | None]:
        """Violation ratio by SLI id."""
        return {result.sli.id: result.violation_ratio for result in self.slis}


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


def judge(
    sli: Sli, slo: Slo, estimate: Estimate | NoData, steepness: float = DEFAULT_STEEPNESS
) -> SliResult:
    """One SLI against its SLO: the verdict at its value and at both ends of its interval."""
    if isinstance(estimate, NoData):
        return _no_data(sli, slo, estimate)
    worst = estimate.lower if slo.is_minimum else estimate.upper
    best = estimate.upper if slo.is_minimum else estimate.least
    if math.isinf(worst) and not slo_penalty.is_violated(best, slo):
        beyond = f"it lies above the last bucket bound, {estimate.lower:g} {sli.signal.unit}"
        return _no_data(sli, slo, NoData(f"{beyond}, which does not reach the threshold"))
    value = max(estimate.value, estimate.least)
    verdict = verdict_at(value, slo)
    ratio = slo_penalty.violation_ratio(value, slo)
    verdicts = (verdict_at(best, slo), verdict_at(worst, slo))
    return SliResult(
        sli=sli,
        slo=slo,
        estimate=estimate,
        verdict=verdict,
        severity=severity_of(verdict, ratio),
        violation_ratio=ratio,
        penalty=slo_penalty.penalty(value, slo, steepness),
        penalty_interval=(
            slo_penalty.penalty(best, slo, steepness),
            slo_penalty.penalty(worst, slo, steepness),
        ),
        verdict_interval=verdicts,
        explanation=explain(sli, slo, estimate, verdict, certain=verdicts[0] is verdicts[1]),
    )


def combine(base: float | NoData, direction: Direction, slis: Sequence[SliResult]) -> Score:
    """All SLIs and the base score as one score.

    A hard fail outranks missing data elsewhere: what is known to fail has failed. Missing data
    outranks everything else: a score is a number only when all of it was measured.
    Raises ValueError for a base that is negative, infinite or NaN.
    """
    known = None if isinstance(base, NoData) else base
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
        interval=_interval(known, direction, slis),
        finite_score=finite,
        slis=tuple(slis),
    )


def _no_data(sli: Sli, slo: Slo, missing: NoData) -> SliResult:
    return SliResult(
        sli=sli,
        slo=slo,
        estimate=missing,
        verdict=Verdict.NO_DATA,
        severity=None,
        violation_ratio=None,
        penalty=None,
        penalty_interval=None,
        verdict_interval=None,
        explanation=f"{sli.title} is unknown: {missing.reason}.",
    )


def _total(penalties: Sequence[float | None]) -> float | None:
    total = 0.0
    for value in penalties:
        if value is None:
            return None
        total += value
    return total


def _interval(
    base: float | None, direction: Direction, slis: Sequence[SliResult]
) -> Interval | None:
    ends = []
    for end in (0, 1):
        verdicts = [result.verdict_interval[end] for result in slis if result.verdict_interval]
        total = _total([r.penalty_interval and r.penalty_interval[end] for r in slis])
        if base is None or total is None:
            return None
        if Verdict.HARD_FAIL in verdicts:
            ends.append(-math.inf if direction is Direction.MAXIMIZE else math.inf)
        else:
            ends.append(apply_penalty(base, total, direction))
    return Interval(min(ends), max(ends))
