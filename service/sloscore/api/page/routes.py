"""Where the pages are."""

from typing import Final

from aiohttp import web

from sloscore.api.page import experiments, static_files

ROUTES: Final = (
    web.get("/", experiments.show),
    web.get("/static/{file}", static_files.show),
)
