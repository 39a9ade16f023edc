"""The score of a deployment from now on, scraped without a Prometheus."""

import asyncio
import time
from collections.abc import Callable

from sloscore.evaluation.plan import Plan
from sloscore.evaluation.recognise import with_server
from sloscore.evaluation.replay import replay
from sloscore.evaluation.report import report_window
from sloscore.sources.base import RecordingSource
from sloscore.wire import Report


async def score_for(
    source: RecordingSource, plan: Plan, seconds: float, clock: Callable[[], float] = time.time
) -> Report:
    """The report of the ``seconds`` from now on, with a scrape at either end and in between.

    A warm-up is cut off from them. Raises SourceError where the target does not answer at the
    start or at the end.
    """
    plan = await with_server(source, plan, clock(), clock())
    baseline = await source.capture(plan.target)
    start = clock() + plan.warmup
    source.restore(plan.target, baseline)
    await asyncio.sleep(seconds)
    end = clock()
    source.restore(plan.target, await source.capture(plan.target))
    now = clock()
    window = await replay(source, plan.target, start, end, now)
    return report_window(plan, window.counts(), (start, end), now=now)
