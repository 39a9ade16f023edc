"""The files that pages load, all of them from this package."""

from functools import cache
from importlib import resources
from typing import Final

from aiohttp import web

from sloscore.api.page.cached import send_if_changed

_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


async def show(request: web.Request) -> web.Response:
    """GET /static/{file}: a file of the package's folder of this name, and no other one."""
    name = request.match_info["file"]
    file = _files().get(name)
    if file is None:
        raise web.HTTPNotFound(text=f"There is no file {name!a} among those of the pages.")
    content_type, body = file
    return send_if_changed(request, body, content_type)


@cache
def _files() -> dict[str, tuple[str, bytes]]:
    folder = resources.files("sloscore.api.page").joinpath("static")
    return {
        file.name: (_TYPES[suffix], file.read_bytes())
        for file in folder.iterdir()
        if (suffix := "." + file.name.rpartition(".")[2]) in _TYPES
    }
