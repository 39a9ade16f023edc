"""The end of an experiment: wait for the scrape that closes its window, then the final report."""

import asyncio
import time
from collections.abc import Callable

from sloscore.core.scoring import Status
from sloscore.errors import SourceError
from sloscore.evaluation.plan import Plan
from sloscore.evaluation.recognise import with_server_soon
from sloscore.evaluation.replay import catch_up, open_window
from sloscore.evaluation.report import report_failure, report_window
from sloscore.experiments.model import Experiment, State
from sloscore.experiments.window import WindowAccumulator
from sloscore.settings import EvaluationSettings
from sloscore.sources.base import MetricSource
from sloscore.wire import Report

FINAL_STATE = {
    Status.SUCCESS: State.SCORED,
    Status.FAILED: State.FAILED,
    Status.NO_DATA: State.NO_DATA,
}
# A scrape is late by up to its own timeout, which is its interval at most.
_LATE_INTERVALS = 2
_LATE_SECONDS = 5.0
_POLL_SECONDS = 1.0
# A window of this length has a scrape by any Prometheus that looks at its servers at all.
_LONG_SECONDS = 60.0
_NAME_A_TARGET = (
    " A window between two scrapes needs a target: register the experiment with the URL of the "
    "server's metrics page, and the service scrapes it itself at both ends."
)


async def settle(
    source: MetricSource,
    plan: Plan,
    experiment: Experiment,
    settings: EvaluationSettings,
    clock: Callable[[], float] = time.time,
) -> Report:
    """The final report of an experiment whose load has ended, from all raw samples of its window.

    Waits until every instance was scraped at or after the end, but not longer than
    ``closing_wait``, nor than two scrape intervals for an instance that is gone. While the source
    does not answer it waits ``source_wait``, after which there is no data; the wait for the closing
    scrape begins when it answers again, as a source that was away scraped nobody. A server that
    the service scrapes itself and that never answered is waited for as for a closing scrape.
    """
    if experiment.end is None:
        raise ValueError(f"experiment {experiment.id} has not ended")
    span = (experiment.start + plan.warmup, experiment.end)
    if span[0] >= span[1]:
        reason = f"the load ended within its warm-up of {plan.warmup:g} s"
        return report_failure(plan, reason, span, now=clock())
    poll = min(settings.interval, _POLL_SECONDS)
    give_up = clock() + _source_wait(plan, settings)
    waits_since = experiment.end
    window: WindowAccumulator | None = None
    while True:
        now = clock()
        try:
            if window is None:
                plan = await with_server_soon(source, plan, *span)
                window = await open_window(source, plan.target, *span)
            await catch_up(source, plan.target, window, now)
        except SourceError as error:
            if error.kind == "unrecognised" and now >= experiment.end + settings.closing_wait:
                return report_failure(plan, str(error), span, now=now)
            waits_since = now
            if now >= give_up:
                reason = f"the metric source failed: {error}"
                return report_failure(plan, reason, span, now=now)
        else:
            if not window.awaits_scrape or now >= waits_since + _patience(window, settings):
                return _advised(
                    plan,
                    report_window(
                        plan, window.counts(), span, now=now, base_score=experiment.base_score
                    ),
                )
        await asyncio.sleep(poll)


def _source_wait(plan: Plan, settings: EvaluationSettings) -> float:
    if plan.target.url is None:
        return settings.source_wait
    interval = plan.target.scrape_interval or _LATE_SECONDS
    return min(settings.closing_wait, _LATE_INTERVALS * interval + _LATE_SECONDS)


def _advised(plan: Plan, report: Report) -> Report:
    """The report with advice where Prometheus has no scrape of the window."""
    window = report.window
    if report.status is not Status.NO_DATA or plan.target.url or not window or not window.end:
        return report
    seen = window.observed_end
    unseen = window.end - window.start < _LONG_SECONDS if seen is None else seen <= window.start
    if not unseen:
        return report
    return report.model_copy(update={"reason": f"{report.reason}{_NAME_A_TARGET}"})


def _patience(window: WindowAccumulator, settings: EvaluationSettings) -> float:
    interval = window.counts().scrape_interval
    if interval is None:
        return settings.closing_wait
    return min(settings.closing_wait, _LATE_INTERVALS * interval + _LATE_SECONDS)
