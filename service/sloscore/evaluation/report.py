"""The report of an experiment from its window's counts."""

from collections.abc import Sequence

from sloscore.core.nodata import NoData
from sloscore.core.objective import Objective
from sloscore.core.scoring import Score, SliResult, Status, combine, judge
from sloscore.core.sli import given
from sloscore.errors import SpecError
from sloscore.evaluation.measure import measure, measure_base, requests_in
from sloscore.evaluation.plan import Plan, limits_of, steepness_of
from sloscore.experiments.window import WindowCounts
from sloscore.wire import Decision, Report, ScoreRequest, SliReport, WindowReport

ENDED = Decision(action="stop", reason="The experiment has ended.", confidence=1.0)


def report_window(
    plan: Plan,
    counts: WindowCounts,
    window: tuple[float, float | None],
    *,
    now: float,
    base_score: float | None = None,
) -> Report:
    """The report of a window in Unix seconds; without an end it is still running at ``now``."""
    start, end = window
    span = (start, now if end is None else end)
    slis = [
        judge(sli, slo, measure(sli, counts, span, plan.min_requests), plan.steepness)
        for sli, slo in plan.limits
    ]
    measured = measure_base(plan.objective, counts, span)
    score = combine(measured if base_score is None else base_score, plan.objective.direction, slis)
    return _report(
        score,
        plan.objective,
        experiment=plan.experiment,
        task=plan.task,
        running=end is None,
        window=_window(counts, start, end),
        now=now,
    )


def report_values(request: ScoreRequest, now: float) -> Report:
    """The report of numbers that the client measured itself.

    Raises SpecError for a value that belongs to no SLO, or that cannot be measured.
    """
    limits = limits_of(request.slo)
    values = dict(request.values or {})
    problems = _unknown_values(values, [sli.id for sli, _ in limits])
    slis: list[SliResult] = []
    for sli, slo in limits:
        try:
            estimate = given(values.get(sli.id))
        except ValueError as error:
            problems.append(f"values.{sli.id}: {error}")
        else:
            slis.append(judge(sli, slo, estimate, steepness_of(request.slo)))
    if problems:
        raise SpecError(problems)
    base = NoData("no base_score was given") if request.base_score is None else request.base_score
    score = combine(base, request.objective.direction, slis)
    return _report(
        score, request.objective, experiment=None, task=None, running=False, window=None, now=now
    )


def report_failure(
    plan: Plan, reason: str, window: tuple[float, float | None], *, now: float
) -> Report:
    """A report without any data, for a reason that lies outside of the window."""
    missing = NoData(reason)
    slis = [judge(sli, slo, missing, plan.steepness) for sli, slo in plan.limits]
    score = combine(missing, plan.objective.direction, slis)
    empty = WindowCounts({}, {}, None, None, 0.0, 0.0, 0, 0, None)
    report = _report(
        score,
        plan.objective,
        experiment=plan.experiment,
        task=plan.task,
        running=window[1] is None,
        window=_window(empty, *window),
        now=now,
    )
    return report.model_copy(update={"reason": reason})


def _unknown_values(values: dict[str, float | None], known: Sequence[str]) -> list[str]:
    listed = ", ".join(known) or "none, as there is no slo section"
    return [
        f"values.{name}: no SLO has this id; the SLOs given are: {listed}"
        for name in values
        if name not in known
    ]


def _report(  # noqa: PLR0913  a report is made of these
    score: Score,
    objective: Objective,
    *,
    experiment: str | None,
    task: str | None,
    running: bool,
    window: WindowReport | None,
    now: float,
) -> Report:
    interval = score.interval
    return Report(
        experiment=experiment,
        task=task,
        status=Status.RUNNING if running else score.status,
        slo_violation=score.slo_violation,
        reason=score.reason,
        objective=objective,
        direction=objective.direction,
        base_score=score.base,
        penalty=score.penalty,
        penalty_multiplier=score.multiplier,
        score=score.score,
        score_interval=None if interval is None else (interval.low, interval.high),
        finite_score=score.finite_score,
        constraints=dict(score.constraints),
        decision=_running_decision(score) if running else ENDED,
        slis=tuple(_sli(result) for result in score.slis),
        window=window,
        evaluated_at=now,
    )


def _running_decision(score: Score) -> Decision:
    if score.slo_violation:
        reason = "A hard SLO is violated so far; requests still to come can change that."
    elif score.status is Status.NO_DATA:
        reason = "There is too little data so far."
    else:
        reason = "No hard SLO is violated so far."
    return Decision(action="continue", reason=reason)


def _sli(result: SliResult) -> SliReport:
    estimate = None if isinstance(result.estimate, NoData) else result.estimate
    return SliReport(
        sli=result.sli.id,
        value=estimate and estimate.value,
        lower=estimate and estimate.lower,
        upper=estimate and estimate.upper,
        certain=result.certain,
        threshold=result.slo.threshold,
        violation_ratio=result.violation_ratio,
        penalty=result.penalty,
        severity=result.severity,
        verdict=result.verdict,
        explanation=result.explanation,
    )


def _window(counts: WindowCounts, start: float, end: float | None) -> WindowReport:
    return WindowReport(
        start=start,
        end=end,
        observed_start=counts.observed_start,
        observed_end=counts.observed_end,
        requests=requests_in(counts),
        resets=counts.resets,
        instances=counts.instances,
        scrape_interval=counts.scrape_interval,
        unseen_head=counts.unseen_head,
        unseen_tail=counts.unseen_tail,
    )
