"""The page at /: live and recent experiments, rendered on the server."""

import html
from functools import cache
from importlib import resources

from aiohttp import web

from sloscore.api.context import CONTEXT
from sloscore.evaluation.board import Posted
from sloscore.wire import Report

_NOTHING = '<p class="none">No experiment is running, and none ended lately.</p>'


async def show(request: web.Request) -> web.Response:
    """GET /."""
    posted = sorted(request.app[CONTEXT].board, key=_newest_first)
    rows = "".join(_row(one) for one in posted)
    table = _file("table.html").replace("{rows}", rows) if rows else _NOTHING
    body = _file("page.html").replace("{content}", table)
    return web.Response(text=body, content_type="text/html")


async def style(_: web.Request) -> web.Response:
    """GET /page.css."""
    return web.Response(text=_file("page.css"), content_type="text/css")


def _newest_first(posted: Posted) -> tuple[bool, float]:
    window = posted.report.window
    return (posted.ended_at is not None, -(window.start if window else 0.0))


def _row(posted: Posted) -> str:
    report = posted.report
    cells = [
        report.task or "",
        report.experiment or "",
        report.status,
        _number(report.base_score),
        _number(report.penalty),
        _number(report.score),
        _slis(report),
    ]
    verdict = "hard_fail" if report.slo_violation else "soft" if report.penalty else "met"
    if report.score is None:
        verdict = "no_data"
    return f'<tr class="{verdict}">' + "".join(f"<td>{cell(c)}</td>" for c in cells) + "</tr>\n"


def cell(text: str) -> str:
    """Text as HTML, with its line ends kept."""
    return html.escape(text).replace("\n", "<br>")


def _slis(report: Report) -> str:
    return "\n".join(sli.explanation for sli in report.slis)


def _number(value: float | None) -> str:
    return "no data" if value is None else f"{value:.4g}"


@cache
def _file(name: str) -> str:
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")
