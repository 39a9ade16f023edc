"""The end of an experiment: wait for the scrape that closes its window, then the final report."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sloscore.core.scoring import Status
from sloscore.errors import SourceError, SpecError
from sloscore.evaluation.phased import report_phase, report_unseen, with_phases
from sloscore.evaluation.plan import Plan
from sloscore.evaluation.recognise import UNEXPOSED, UNRECOGNISED, names_seen, with_server_soon
from sloscore.evaluation.replay import catch_up, opened
from sloscore.evaluation.report import report_window, with_reason
from sloscore.experiments.counted import CountedWindow
from sloscore.experiments.model import Experiment, State
from sloscore.experiments.phases import PhasedWindow, spans_of
from sloscore.experiments.window import WindowAccumulator
from sloscore.settings import EvaluationSettings
from sloscore.sources.base import MetricSource
from sloscore.spec.detect import recognise
from sloscore.spec.preset import named_server
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
# Where nothing matched so far a server may still be scraped for the first time. One that is scraped
# less often than this is found to be there within the window itself, unless that is shorter.
UNMATCHED_SECONDS = 15.0
_UNMATCHED_EVALUATIONS = 2
# VictoriaMetrics shows a scrape up to some seconds after it was made: a baseline that is read sooner
# may be an older one.
_SHOWN_SECONDS = 15.0
# A window of this length has a scrape by any Prometheus that looks at its servers at all.
_LONG_SECONDS = 60.0
_NAME_A_TARGET = (
    " A window between two scrapes needs a target: register the experiment with the URL of the "
    "server's metrics page, and the service scrapes it itself at both ends."
)


@dataclass(frozen=True, slots=True)
class Settled:
    """How an experiment ended; ``counted`` is None where nothing was read of its window.

    ``phases`` holds what was counted of each of its phases.
    """

    report: Report
    counted: CountedWindow | None = None
    phases: Mapping[str, CountedWindow] = field(default_factory=dict)


async def settle(
    source: MetricSource,
    plan: Plan,
    experiment: Experiment,
    settings: EvaluationSettings,
    clock: Callable[[], float] = time.time,
) -> Settled:
    """The final report of an experiment whose load has ended, from all raw samples of its window.

    Waits until every instance was scraped at or after the end, but not longer than
    ``closing_wait``, nor than two scrape intervals for an instance that is gone, nor than
    ``UNMATCHED_SECONDS`` and two evaluations where the selector matched nothing at all, or only
    servers that show no metric of the plan's. While the source does not answer it waits
    ``source_wait``, after which there is no data; the wait for the closing scrape begins when it
    answers again, as a source that was away scraped nobody. A server that the service scrapes
    itself and that never answered is waited for as for a closing scrape.
    """
    if experiment.end is None:
        raise ValueError(f"experiment {experiment.id} has not ended")
    span = (experiment.start + plan.warmup, experiment.end)
    spans = spans_of(experiment.phases, *span, plan.rules.phases.warmup)
    if span[0] >= span[1]:
        reason = f"the load ended within its warm-up of {plan.warmup:g} s"
        return Settled(report_unseen(plan, reason, span, spans, now=clock()))
    poll = min(settings.interval, _POLL_SECONDS)
    give_up = clock() + _source_wait(plan, settings)
    waits_since = experiment.end
    window: PhasedWindow | None = None
    baseline_read = 0.0
    read_again_at: float | None = None
    while True:
        now = read_again_at or clock()
        is_sure, read_again_at = read_again_at is not None, None
        try:
            if window is None:
                plan = await with_server_soon(source, plan, span[0], _latest(now, span, settings))
                window = await opened(source, plan.target, PhasedWindow(*span, spans))
                baseline_read = now
            await catch_up(source, plan.target, window, now)
        except SourceError as error:
            waits_since = now
            if given_up := _resignation(error, now, span[1], give_up, settings):
                return Settled(report_unseen(plan, given_up, span, spans, now=now))
        else:
            # VictoriaMetrics shows that a new server is up seconds before it shows its series.
            shows_nothing = plan.target.url is None and window.shows_nothing
            is_closed = not (window.awaits_scrape or shows_nothing)
            if is_closed and not is_sure and baseline_read < span[0] + _SHOWN_SECONDS:
                # By the time at which the closing scrape is shown the baseline is, too.
                window, read_again_at = None, now
                continue
            if is_closed or now >= waits_since + _patience(window, settings):
                base, counts = experiment.base_score, window.counts()
                whole = report_window(plan, counts, span, now=now, base_score=base)
                other = await _other_server(source, plan, whole, _latest(now, span, settings))
                parts = [(s, one.counts()) for s, one in window.parts]
                reports = [
                    (s, report_phase(plan, one, s, now=now, base_score=base)) for s, one in parts
                ]
                return Settled(
                    with_phases(plan, _advised(plan, whole, other), reports),
                    CountedWindow(*span, counts),
                    {
                        s.phase.name: CountedWindow(s.start, s.end, one)
                        for s, one in parts
                        if not s.is_empty
                    },
                )
            window = None if shows_nothing else window
        await asyncio.sleep(poll)


def _resignation(
    error: SourceError, now: float, end: float, give_up: float, settings: EvaluationSettings
) -> str | None:
    """The reason for no data where an error of the source is not waited out any longer."""
    waits = {UNEXPOSED: _unmatched_wait(settings), UNRECOGNISED: settings.closing_wait}
    patience = waits.get(error.kind)
    if patience is not None and now >= end + patience:
        return str(error)
    return f"the metric source failed: {error}" if now >= give_up else None


def _source_wait(plan: Plan, settings: EvaluationSettings) -> float:
    if plan.target.url is None:
        return settings.source_wait
    interval = plan.target.scrape_interval or _LATE_SECONDS
    return min(settings.closing_wait, _LATE_INTERVALS * interval + _LATE_SECONDS)


def _latest(now: float, span: tuple[float, float], settings: EvaluationSettings) -> float:
    """Up to when the names of a window's series are looked at: its server's first scrape, too."""
    return min(now, span[1] + settings.closing_wait)


async def _other_server(
    source: MetricSource, plan: Plan, report: Report, until: float
) -> str | None:
    """A preset that fits the selector's series where the plan's own matched none of them."""
    window = report.window
    if report.status is not Status.NO_DATA or window is None or window.instances:
        return None
    with contextlib.suppress(SourceError, SpecError):
        found = recognise(await names_seen(source, plan, window.start, until))
        return None if found == named_server(plan.spec) else found
    return None


def _advised(plan: Plan, report: Report, other: str | None) -> Report:
    """The report with advice where it was read as the wrong server, or has no scrape of its window."""
    if other is not None:
        server = named_server(plan.spec) or "the task's own metrics"
        hint = f"It was read as {server}, but the selector's series look like {other}."
        return with_reason(report, f"{report.reason} {hint}")
    window = report.window
    if report.status is not Status.NO_DATA or plan.target.url or not window or not window.end:
        return report
    seen = window.observed_end
    unseen = window.end - window.start < _LONG_SECONDS if seen is None else seen <= window.start
    if not unseen:
        return report
    return with_reason(report, f"{report.reason}{_NAME_A_TARGET}")


def _unmatched_wait(settings: EvaluationSettings) -> float:
    return min(
        settings.closing_wait, _UNMATCHED_EVALUATIONS * settings.interval + UNMATCHED_SECONDS
    )


def _patience(window: WindowAccumulator, settings: EvaluationSettings) -> float:
    if window.last_sample_time() is None or window.shows_nothing:
        return _unmatched_wait(settings)
    interval = window.counts().scrape_interval
    if interval is None:
        return settings.closing_wait
    return min(settings.closing_wait, _LATE_INTERVALS * interval + _LATE_SECONDS)
