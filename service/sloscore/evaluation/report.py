"""The report of an experiment from its window's counts."""

from collections.abc import Sequence

from sloscore.core.judge import SliResult, judge
from sloscore.core.nodata import NoData
from sloscore.core.objective import Objective
from sloscore.core.penalty import Slo
from sloscore.core.samples import Target
from sloscore.core.scoring import Interval, Score, Status, combine
from sloscore.core.sli import Estimate, Sli, given
from sloscore.core.verdict import Verdict
from sloscore.errors import SpecError
from sloscore.evaluation.comparison import not_compared
from sloscore.evaluation.coverage import (
    counted_beyond,
    foreign_counts,
    inseparable_counts,
    measured_span,
    missing_counts,
    with_coverage,
)
from sloscore.evaluation.measure import measure, measure_base, requests_in
from sloscore.evaluation.plan import Plan, Rules, rules_of
from sloscore.experiments.phases import Span
from sloscore.experiments.window import WindowCounts
from sloscore.spec.model import TaskSpec
from sloscore.wire import Decision, Report, ScoreRequest, SliReport, WindowReport

_NO_TASK = TaskSpec(task_name="values")
_NO_TARGET = Target("values", (), ())
ENDED = Decision(action="stop", reason="The experiment has ended.", confidence=1.0)


def report_window(  # noqa: PLR0913  a report is made of these
    plan: Plan,
    counts: WindowCounts,
    window: tuple[float, float | None],
    *,
    now: float,
    base_score: float | None = None,
    phase: Span | None = None,
) -> Report:
    """The report of a window in Unix seconds; without an end it is still running at ``now``.

    It is that of a ``phase`` where that is given.
    """
    start, end = window
    span = (start, now if end is None else end)
    measured = span if phase is None else measured_span(counts, phase, now)
    beyond = counted_beyond(counts, phase, plan.warmup)
    rules = plan.rules
    foreign = foreign_counts(counts)
    missing = None if end is None else missing_counts(counts, start, end)
    if phase is not None and end is not None:
        missing = inseparable_counts(counts, start, end) or missing

    judged = [_judge_window(*limit, counts, measured, plan, foreign) for limit in rules.limits]
    slis = with_coverage(judged, counts, span[1] - start, beyond)
    base: Estimate | NoData = NoData(foreign or missing or "")
    if base_score is not None:
        base = Estimate.exact(base_score)
    elif not (foreign or missing):
        base = measure_base(plan.spec.base, counts, measured, plan.setup)
    if missing and not any(result.verdict is Verdict.HARD_FAIL for result in slis):
        # What was seen may fail for certain; it cannot pass.
        slis = [_judge(sli, slo, NoData(missing), rules) for sli, slo in rules.limits]
    score = _combine(base, plan.objective, slis)
    warmup = plan.warmup if phase is None else phase.start - phase.phase.start
    return _report(
        score,
        plan,
        running=end is None,
        window=window_report(counts, start, end, warmup),
        now=now,
    )


def report_values(request: ScoreRequest, now: float) -> Report:
    """The report of numbers that the client measured itself.

    Raises SpecError for a value that belongs to no SLO, or that cannot be measured.
    """
    rules = rules_of(request.slo)
    values = dict(request.values or {})
    mistakes = _unknown_values(values, [sli.id for sli, _ in rules.limits])
    slis: list[SliResult] = []
    for sli, slo in rules.limits:
        try:
            estimate = given(values.get(sli.id))
        except ValueError as error:
            mistakes.append((sli.id, str(error)))
        else:
            slis.append(_judge(sli, slo, estimate, rules))
    if mistakes:
        raise SpecError(
            [f"values.{name}: {sentence}" for name, sentence in mistakes],
            [(("values", name), sentence) for name, sentence in mistakes],
        )
    base = (
        NoData("no base_score was given")
        if request.base_score is None
        else Estimate.exact(request.base_score)
    )
    plan = Plan(None, None, request.objective, rules, 0.0, _NO_TARGET, _NO_TASK)
    score = _combine(base, request.objective, slis)
    return _report(score, plan, running=False, window=None, now=now)


def report_failure(
    plan: Plan, reason: str, window: tuple[float, float | None], *, now: float
) -> Report:
    """A report without any data, for a reason that lies outside of the window."""
    missing = NoData(reason)
    slis = [_judge(sli, slo, missing, plan.rules) for sli, slo in plan.rules.limits]
    score = _combine(missing, plan.objective, slis)
    empty = WindowCounts({}, {}, None, None, 0.0, 0.0, 0, 0, None)
    report = _report(
        score,
        plan,
        running=window[1] is None,
        window=window_report(empty, *window, plan.warmup),
        now=now,
    )
    if plan.spec.baseline is not None:
        comparison = not_compared(plan, None, f"this experiment has no data: {reason}")
        report = report.model_copy(update={"comparison": comparison})
    return with_reason(report, reason)


def with_reason(report: Report, reason: str) -> Report:
    """The report without data, with another reason for it."""
    infeasible = None if report.status is Status.RUNNING else reason
    return report.model_copy(update={"reason": reason, "infeasibility_reason": infeasible})


def _judge_window(  # noqa: PLR0913, PLR0917  a verdict on a window rests on these
    sli: Sli,
    slo: Slo,
    counts: WindowCounts,
    span: tuple[float, float],
    plan: Plan,
    foreign: str | None,
) -> SliResult:
    rules = plan.rules
    if foreign is not None:
        return _judge(sli, slo, NoData(foreign), rules)
    estimate = measure(
        sli,
        counts,
        span,
        setup=plan.setup,
        confidence=rules.confidence,
        min_requests=rules.min_requests,
    )
    return _judge(sli, slo, estimate, rules)


def _judge(sli: Sli, slo: Slo, estimate: Estimate | NoData, rules: Rules) -> SliResult:
    return judge(sli, slo, estimate, rules.hard_fail_on)


def _combine(base: Estimate | NoData, objective: Objective, slis: Sequence[SliResult]) -> Score:
    direction = objective.direction
    if isinstance(base, NoData):
        return combine(base, direction, slis)
    # Values that were not sampled, as a client's own, have no error.
    error = 0.0 if base.sampled is None else base.error
    ends = (base.lower, base.upper)
    return combine(base.value, direction, slis, base_error=error, base_ends=ends)


def _unknown_values(values: dict[str, float | None], known: Sequence[str]) -> list[tuple[str, str]]:
    listed = ", ".join(known) or "none, as there is no slo section"
    return [
        (name, f"no SLO has this id; the SLOs given are: {listed}")
        for name in values
        if name not in known
    ]


def _report(
    score: Score, plan: Plan, *, running: bool, window: WindowReport | None, now: float
) -> Report:
    return Report(
        experiment=plan.experiment,
        task=plan.task,
        status=Status.RUNNING if running else score.status,
        slo_violation=score.slo_violation,
        reason=score.reason,
        objective=plan.objective,
        direction=plan.objective.direction,
        base_score=score.base,
        penalty=score.penalty,
        penalty_multiplier=score.multiplier,
        score=score.score,
        score_interval=_ends(score.interval),
        score_confidence_interval=_ends(score.sampled_interval),
        confidence=plan.rules.confidence,
        standard_error=score.error,
        certain=all(result.certain for result in score.slis) and score.base is not None,
        finite_score=score.finite_score,
        log_score=score.log_score,
        constraints=dict(score.constraints),
        binding_constraint=score.binding_constraint,
        infeasibility_reason=None if running else score.infeasibility_reason,
        decision=(
            running_decision(violated=score.slo_violation, scored=score.score is not None)
            if running
            else ENDED
        ),
        slis=tuple(_sli(result) for result in score.slis),
        window=window,
        evaluated_at=now,
    )


def _ends(interval: Interval | None) -> tuple[float, float] | None:
    return None if interval is None else (interval.low, interval.high)


def running_decision(*, violated: bool, scored: bool) -> Decision:
    """To go on, as a hard fail so far is none of the end; ``scored`` says whether there is data."""
    if violated:
        reason = "A hard SLO is violated so far; requests still to come can change that."
    elif not scored:
        reason = "There is too little data so far."
    else:
        reason = "No hard SLO is violated so far."
    return Decision(action="continue", reason=reason)


def _sli(result: SliResult) -> SliReport:
    estimate = None if isinstance(result.estimate, NoData) else result.estimate
    sampled = estimate and estimate.sampled
    return SliReport(
        sli=result.sli.id,
        value=estimate and estimate.value,
        lower=estimate and estimate.lower,
        upper=estimate and estimate.upper,
        confidence_lower=sampled and sampled[0],
        confidence_upper=sampled and sampled[1],
        certain=result.certain,
        uncertainty=result.uncertainty,
        requests_to_settle=result.requests_to_settle,
        threshold=result.slo.threshold,
        requests=estimate and estimate.requests,
        requests_over=estimate and estimate.count_over(result.slo.threshold),
        violation_ratio=result.violation_ratio,
        penalty=result.penalty,
        penalty_interval=result.by_buckets and result.by_buckets.penalties,
        penalty_function=result.slo.curve.function,
        severity=result.severity,
        verdict=result.verdict,
        explanation=result.explanation,
        unit=result.sli.signal.unit,
    )


def window_report(
    counts: WindowCounts, start: float, end: float | None, warmup: float
) -> WindowReport:
    """What a window was counted over; times in Unix seconds, ``warmup`` in seconds."""
    return WindowReport(
        start=start,
        end=end,
        warmup=warmup,
        observed_start=counts.observed_start,
        observed_end=counts.observed_end,
        requests=requests_in(counts),
        resets=counts.resets,
        instances=counts.instances,
        scrape_interval=counts.scrape_interval,
        unseen_head=counts.unseen_head,
        unseen_tail=counts.unseen_tail,
        unseen_gaps=counts.unseen_gaps,
        widened_head=counts.widened_head,
        widened_tail=counts.widened_tail,
    )
