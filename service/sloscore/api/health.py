"""Handlers for probes: is the process alive, and does it take work."""

from typing import Final

from aiohttp import web

from sloscore.api.context import CONTEXT, Context
from sloscore.api.problems import problem
from sloscore.errors import SourceError

# A round begins at each interval whatever became of those before. The alert on stale evaluations
# comes first: a restart is the last resort.
_STALLED_INTERVALS: Final = 10
_STALLED_SECONDS: Final = 60.0


async def healthy(request: web.Request) -> web.Response:
    """GET /-/healthy: the event loop answers, and rounds of evaluations begin."""
    context = request.app[CONTEXT]
    began = context.telemetry.last_evaluation_time or context.started_at
    silence = context.clock() - began
    if silence > _STALLED_SECONDS + _STALLED_INTERVALS * context.settings.evaluation.interval:
        return problem(503, f"No round of evaluations began for {silence:.0f} s: restart it.")
    return web.Response(text="sloscore is healthy.\n")


async def ready(request: web.Request) -> web.Response:
    """GET /-/ready: experiments can be registered, finished and read.

    A metric source that does not answer is told, and keeps nobody from that.
    """
    context = request.app[CONTEXT]
    if (reason := _unready(context)) is not None:
        return problem(503, reason)
    await context.store.check()
    try:
        await context.source.check()
    except SourceError as error:
        return web.Response(text=f"sloscore is ready, but scores nothing for now: {error}\n")
    return web.Response(text="sloscore is ready.\n")


def _unready(context: Context) -> str | None:
    if context.signals.stop.is_set():
        return "The service stops."
    if resuming := context.evaluator.resuming:
        return f"The service has started: {resuming} experiments are still taken up."
    return None
