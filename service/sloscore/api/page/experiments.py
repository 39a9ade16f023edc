"""The page at /: live and recent experiments."""

from aiohttp import web

from sloscore.api.context import CONTEXT
from sloscore.api.page.layout import show_page
from sloscore.evaluation.board import Posted


async def show(request: web.Request) -> web.Response:
    """GET /."""
    posted = sorted(request.app[CONTEXT].board, key=_newest_first)
    return show_page(request, "experiments.html", reports=[one.report for one in posted])


def _newest_first(posted: Posted) -> tuple[bool, float]:
    window = posted.report.window
    return (posted.ended_at is not None, -(window.start if window else 0.0))
