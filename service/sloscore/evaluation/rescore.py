"""Ended experiments judged again under other SLOs, from the counts that are kept of their windows."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from sloscore.core.objective import Direction
from sloscore.core.scoring import Status
from sloscore.errors import SpecError
from sloscore.evaluation.phased import report_phase, with_phases
from sloscore.evaluation.plan import Plan, plan_of, plan_under
from sloscore.evaluation.report import report_window
from sloscore.experiments.counted import CountedWindow, kept_counts, kept_phase_counts
from sloscore.experiments.model import Experiment
from sloscore.experiments.phases import spans_of
from sloscore.spec.slo import SloSpec
from sloscore.wire import RankedScore, Report, RescoredExperiment


def rescore(
    experiments: Sequence[tuple[Experiment, Mapping[str, Any] | None]],
    slo: SloSpec | None,
    direction: Direction,
) -> tuple[RescoredExperiment, ...]:
    """Each experiment as it was scored and as it would be under ``slo``, best first.

    With each experiment come the documents of its counts. All are of one objective, whose
    ``direction`` ranks them; those without a rank come last.
    """
    rows = [_row(experiment, counts, slo) for experiment, counts in experiments]
    before = _ranks([row.before for row in rows], direction)
    after = _ranks([row.after for row in rows], direction)
    ranked = [
        row.model_copy(
            update={
                "before": row.before.model_copy(update={"rank": was}),
                "after": row.after and row.after.model_copy(update={"rank": now}),
            }
        )
        for row, was, now in zip(rows, before, after, strict=True)
    ]
    return tuple(sorted(ranked, key=_place))


def judged_again(
    experiment: Experiment, counts: Mapping[str, Any] | None, slo: SloSpec | None
) -> Report:
    """The report of an ended experiment under other SLOs, as its window would have given it.

    Raises SpecError with the reason where its counts cannot tell: none are kept, or something was
    not read that the SLOs need.
    """
    window = kept_counts(counts)
    if counts is None or window is None:
        raise SpecError(["no counts are kept of its window"])
    was = plan_of(experiment)
    plan = plan_under(was, slo)
    _require_same_warmups(was, slo)
    _require_read(was, plan, window)
    base, now = experiment.base_score, experiment.updated_at
    bounds = (window.start, window.end)
    whole = report_window(plan, window.counts, bounds, now=now, base_score=base)
    spans = spans_of(experiment.phases, *bounds, was.rules.phases.warmup)
    phases = kept_phase_counts(counts)
    parts = [
        (span, report_phase(plan, phases.get(span.phase.name), span, now=now, base_score=base))
        for span in spans
    ]
    return with_phases(plan, whole, parts)


def _row(
    experiment: Experiment, counts: Mapping[str, Any] | None, slo: SloSpec | None
) -> RescoredExperiment:
    before = _scored(Report.model_validate(experiment.report))
    after, why = None, None
    try:
        after = _scored(judged_again(experiment, counts, slo))
    except SpecError as error:
        why = "; ".join(error.problems)
    return RescoredExperiment(experiment=experiment.id, before=before, after=after, unscorable=why)


def _scored(report: Report) -> RankedScore:
    return RankedScore(
        status=report.status,
        rank=None,
        score=report.score,
        finite_score=report.finite_score,
        penalty=report.penalty,
        slo_violation=report.slo_violation,
        certain=report.certain,
        constraints=report.constraints,
        binding_constraint=report.binding_constraint,
        reason=report.reason,
    )


def _ranks(scores: Sequence[RankedScore | None], direction: Direction) -> list[int | None]:
    """Equal scores share a place, as they do in the service's list."""
    sign = -1 if direction is Direction.MAXIMIZE else 1
    keys = [
        sign * one.score
        if one is not None and one.status is Status.SUCCESS and one.score is not None
        else None
        for one in scores
    ]
    ordered = sorted(key for key in keys if key is not None)
    return [None if key is None else 1 + bisect_left(ordered, key) for key in keys]


def _place(row: RescoredExperiment) -> tuple[bool, int, bool, int]:
    after = row.after.rank if row.after is not None else None
    before = row.before.rank
    return (after is None, after or 0, before is None, before or 0)


def _require_same_warmups(was: Plan, slo: SloSpec | None) -> None:
    """The stored windows were cut once; a warm-up that is left out is that of the window."""
    problems = []
    wanted = slo and slo.warmup
    if wanted is not None and wanted != was.warmup:
        problems.append(f"its window was cut by a warm-up of {was.warmup:g} s, not {wanted:g} s")
    phases = slo and slo.phases
    if phases and phases.rules.warmup not in {0.0, was.rules.phases.warmup}:
        problems.append(
            f"its phases were cut by a warm-up of {was.rules.phases.warmup:g} s, "
            f"not {phases.rules.warmup:g} s"
        )
    if problems:
        raise SpecError(problems)


def _require_read(was: Plan, plan: Plan, window: CountedWindow) -> None:
    counts = window.counts
    read = {role for sli in was.spec.measured for role in sli.roles}
    read |= counts.histograms.keys() | counts.counters.keys()
    needed = [role for sli in plan.spec.measured for role in sli.roles]
    if missing := [role for role in dict.fromkeys(needed) if role not in read]:
        raise SpecError(
            [f"{', '.join(missing)} was not read in its window, as its SLOs had no need"]
        )
