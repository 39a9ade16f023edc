"""Where the pages are."""

from typing import Final

from aiohttp import web

from sloscore.api.page import experiment, experiments, files, new, static_files, status, what_if
from sloscore.api.page.people import for_people

ROUTES: Final = (
    web.get("/", for_people(experiments.show)),
    web.get("/experiments.csv", files.send_csv, allow_head=False),
    web.get("/experiments.json", files.send_json, allow_head=False),
    web.get("/experiments/{id}", for_people(experiment.show)),
    web.get("/new", new.show),
    web.get("/status", for_people(status.show)),
    web.get("/what-if", for_people(what_if.show)),
    web.get("/static/{file}", static_files.show),
)
