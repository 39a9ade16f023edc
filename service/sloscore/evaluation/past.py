"""The score of a past window that nobody registered."""

from sloscore.errors import field_error
from sloscore.evaluation.phased import with_phases
from sloscore.evaluation.plan import plan_window
from sloscore.evaluation.recognise import with_server
from sloscore.evaluation.replay import replay
from sloscore.evaluation.report import report_window
from sloscore.settings import EvaluationSettings
from sloscore.sources.base import MetricSource
from sloscore.wire import Report, ScoreRequest


async def score_past(
    source: MetricSource, request: ScoreRequest, settings: EvaluationSettings, now: float
) -> Report:
    """Replay the window of a request through the accumulator that live windows go through.

    ``now`` is Unix seconds. Raises SpecError for a window that has not ended or is too long, and
    SourceError where the source does not answer in full.
    """
    plan = plan_window(request)
    if request.window is None:
        raise field_error("window: missing: give its start and its end")
    start, end = request.window.start, request.window.end
    if end > now:
        raise field_error("window.end: lies in the future; register an experiment for a live score")
    if end - start > settings.max_window:
        raise field_error(f"window: is longer than the {settings.max_window:g} s that are allowed")
    start += plan.warmup
    if start >= end:
        raise field_error(f"slo.warmup: {plan.warmup:g} s leave nothing of the window")
    plan = await with_server(source, plan, start, end)
    until = min(now, end + settings.closing_wait)
    window = await replay(source, plan.target, start, end, until)
    whole = report_window(
        plan, window.counts(), (start, end), now=now, base_score=request.base_score
    )
    return with_phases(plan, whole, ())
