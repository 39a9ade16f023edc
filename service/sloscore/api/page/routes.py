"""Where the pages are."""

from typing import Final

from aiohttp import web

from sloscore.api.page import experiments, new, static_files

ROUTES: Final = (
    web.get("/", experiments.show),
    web.get("/new", new.show),
    web.get("/static/{file}", static_files.show),
)
