"""The numbers of a report that outlive it in memory, for /metrics and the service's status.

A report of four SLIs is some 20 KB of objects, its figures are 1 (bench/bench_core.py).
"""

import sys
from dataclasses import dataclass

from sloscore.conventions import BASE_SCORE
from sloscore.core.compare import Outcome
from sloscore.core.objective import Objective
from sloscore.core.scoring import Status
from sloscore.core.verdict import Verdict
from sloscore.wire import Change, Report


@dataclass(frozen=True, slots=True)
class SliFigures:
    """One SLI against its SLO, as the report of these names has it."""

    sli: str
    value: float | None
    lower: float | None
    upper: float | None
    threshold: float
    violation_ratio: float | None
    penalty: float | None
    verdict: Verdict
    certain: bool


@dataclass(frozen=True, slots=True)
class ChangeFigures:
    """One value next to that of the baseline; ``sli`` is BASE_SCORE for the objective's."""

    sli: str
    change_ratio: float | None
    change_ratio_interval: tuple[float, float] | None
    verdict: Outcome


@dataclass(frozen=True, slots=True)
class Figures:
    """What a report says in numbers.

    ``start`` is that of its window in Unix seconds, ``requests`` those that finished in it, both None
    without one; ``instances`` were seen in it.
    """

    task: str | None
    experiment: str | None
    objective: Objective
    status: Status
    reason: str | None
    score: float | None
    penalty: float | None
    penalty_multiplier: float | None
    slo_violation: bool
    start: float | None
    requests: float | None
    instances: int
    evaluated_at: float
    slis: tuple[SliFigures, ...]
    changes: tuple[ChangeFigures, ...]


def figures_of(report: Report) -> Figures:
    """The figures of a report."""
    window, comparison = report.window, report.comparison
    changes: dict[str, Change] = {}
    if comparison is not None:
        changes = {change.sli: change for change in comparison.slis}
        if comparison.base_score is not None:
            changes[BASE_SCORE] = comparison.base_score
    return Figures(
        task=None if report.task is None else sys.intern(report.task),
        experiment=report.experiment,
        objective=report.objective,
        status=report.status,
        reason=report.reason,
        score=report.score,
        penalty=report.penalty,
        penalty_multiplier=report.penalty_multiplier,
        slo_violation=report.slo_violation,
        start=None if window is None else window.start,
        requests=None if window is None else window.requests,
        instances=0 if window is None else window.instances,
        evaluated_at=report.evaluated_at,
        slis=tuple(
            SliFigures(
                sli=sys.intern(one.sli),
                value=one.value,
                lower=one.lower,
                upper=one.upper,
                threshold=one.threshold,
                violation_ratio=one.violation_ratio,
                penalty=one.penalty,
                verdict=one.verdict,
                certain=one.certain,
            )
            for one in report.slis
        ),
        changes=tuple(
            ChangeFigures(
                sys.intern(sli), change.change_ratio, change.change_ratio_interval, change.verdict
            )
            for sli, change in changes.items()
        ),
    )
