"""Handlers for operators: metrics, reload and the OpenAPI document."""

from collections.abc import Iterable

import orjson
from aiohttp import web
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from sloscore.api.body import refuse_unknown, respond
from sloscore.api.context import CONTEXT
from sloscore.api.openapi import openapi_document
from sloscore.api.reload import reload
from sloscore.exporter import (
    ReportCollector,
    SettingsCollector,
    TaskCollector,
    states_family,
    tasks_on,
)
from sloscore.wire import Reloaded


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics."""
    context = request.app[CONTEXT]
    counts = await context.store.count_by_state()
    tallies = await context.store.tallies(tasks_on(context.board))
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(context.telemetry.registry.collect()))
    registry.register(SettingsCollector(context.settings))
    registry.register(ReportCollector(context.board))
    registry.register(TaskCollector(tallies))
    registry.register(_Families([states_family({str(k): n for k, n in counts.items()})]))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return web.Response(body=encode(registry), headers={"Content-Type": content_type})


async def reload_settings(request: web.Request) -> web.Response:
    """POST /-/reload."""
    refuse_unknown(request, frozenset())
    return respond(Reloaded(changed=tuple(await reload(request.app[CONTEXT]))))


async def openapi(_: web.Request) -> web.Response:
    """GET /openapi.json."""
    return web.Response(body=orjson.dumps(openapi_document()), content_type="application/json")
