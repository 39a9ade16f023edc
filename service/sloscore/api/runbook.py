"""The pages of docs/runbooks, so that an alert's link to one leads somewhere."""

from functools import cache
from importlib import resources

from aiohttp import web


async def show(request: web.Request) -> web.Response:
    """GET /runbooks/{page}: as text, which browsers show; Markdown they would save."""
    name = request.match_info["page"]
    text = _pages().get(name)
    if text is None:
        known = ", ".join(sorted(_pages())) or "none"
        raise web.HTTPNotFound(text=f"There is no runbook {name!a}; there are: {known}.")
    return web.Response(text=text, content_type="text/plain")


def names() -> list[str]:
    """The names of all pages."""
    return sorted(_pages())


@cache
def _pages() -> dict[str, str]:
    folder = resources.files("sloscore.api").joinpath("runbooks")
    return {page.name: page.read_text(encoding="utf-8") for page in folder.iterdir()}
