"""The score of a deployment from now on, scraped without a Prometheus."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from sloscore.errors import SpecError
from sloscore.evaluation.phased import with_phases
from sloscore.evaluation.plan import Plan
from sloscore.evaluation.recognise import with_server
from sloscore.evaluation.replay import replay
from sloscore.evaluation.report import report_window
from sloscore.sources.base import RecordingSource
from sloscore.wire import Report, to_milliseconds


async def score_for(
    source: RecordingSource, plan: Plan, seconds: float, clock: Callable[[], float] = time.time
) -> Report:
    """The report of the ``seconds`` from now on; raises what ``score_during`` raises."""
    if plan.warmup >= seconds:
        raise _all_warmup(plan, seconds)
    return await score_during(source, plan, lambda: asyncio.sleep(seconds), clock)


async def score_during(
    source: RecordingSource,
    plan: Plan,
    load: Callable[[], Awaitable[object]],
    clock: Callable[[], float] = time.time,
) -> Report:
    """The report of the time that ``load`` takes, with a scrape at either end and in between.

    A warm-up is cut off from it. Raises SpecError where that leaves nothing, SourceError where the
    target does not answer at the start or at the end, and what ``load`` raises.
    """
    plan = await with_server(source, plan, clock(), clock())
    baseline = await source.capture(plan.target)
    # To the millisecond, as the times of scrapes are: the one after the end must not seem earlier.
    begin = to_milliseconds(clock())
    start = to_milliseconds(begin + plan.warmup)
    source.restore(plan.target, baseline, start)
    await load()
    end = to_milliseconds(clock())
    if end <= start:
        raise _all_warmup(plan, end - begin)
    source.restore(plan.target, await source.capture(plan.target))
    now = clock()
    window = await replay(source, plan.target, start, end, now)
    whole = report_window(plan, window.counts(), (start, end), now=now)
    return with_phases(plan, whole, ())


def _all_warmup(plan: Plan, seconds: float) -> SpecError:
    return SpecError(
        [f"slo.warmup: {plan.warmup:g} s leave nothing of the window of {seconds:g} s"]
    )
