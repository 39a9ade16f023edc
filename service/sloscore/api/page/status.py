"""The page at /status: what the service does, what it was refused, and how it is set."""

from collections.abc import Iterator, Mapping

from aiohttp import web

from sloscore.api import runbook
from sloscore.api.body import refuse_unknown
from sloscore.api.context import CONTEXT
from sloscore.api.overview import status_of
from sloscore.api.page.layout import show_page


async def show(request: web.Request) -> web.Response:
    """GET /status."""
    refuse_unknown(request, frozenset())
    context = request.app[CONTEXT]
    status = await status_of(context)
    return show_page(
        request,
        "status.html",
        status=status,
        settings=dict(_flat(status.settings)),
        runbooks=runbook.names(),
        every=context.settings.evaluation.interval,
    )


def _flat(settings: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Settings by their names as docs/configuration.md writes them."""
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
