"""Handlers for operators: metrics, reload and the OpenAPI document."""

import asyncio
from collections.abc import Collection, Iterable, Mapping

import orjson
import structlog
from aiohttp import web
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from sloscore.api.body import refuse_unknown, respond
from sloscore.api.context import CONTEXT, Context
from sloscore.api.openapi import openapi_document
from sloscore.api.reload import reload
from sloscore.errors import StoreError
from sloscore.experiments.model import State, TaskTally
from sloscore.exporter import (
    ReportCollector,
    SettingsCollector,
    StoreCollector,
    TaskCollector,
    tasks_on,
)
from sloscore.wire import Reloaded

_log = structlog.get_logger()


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics: of a store that cannot be read there are no numbers, but all others."""
    context = request.app[CONTEXT]
    counts, tallies = await _read_store(context)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(context.telemetry.registry.collect()))
    registry.register(SettingsCollector(context.settings))
    if context.replica is None or context.replica.is_valid:
        registry.register(ReportCollector(context.board))
    registry.register(TaskCollector(tallies))
    failed = context.store.last_write_failed
    registry.register(StoreCollector(counts, last_write_failed=failed))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    # Seconds of work with thousands of experiments, which other requests must not wait for.
    body = await asyncio.to_thread(encode, registry)
    return web.Response(body=body, headers={"Content-Type": content_type})


async def _read_store(
    context: Context,
) -> tuple[Mapping[State, int] | None, Mapping[str, TaskTally]]:
    try:
        counts = await context.store.count_by_state()
        if context.replica is None:
            tasks: Collection[str] = tasks_on(context.board)
        elif context.replica.leads:
            tasks = await context.replica.leases.active_tasks(context.evaluator.shown_since)
        else:
            # One of the services that share the store tells.
            return {}, {}
        return counts, await context.store.tallies(tasks)
    except StoreError as error:
        context.telemetry.evaluation_errors.labels("store").inc()
        _log.warning("store not read", error=str(error))
        return None, {}


async def reload_settings(request: web.Request) -> web.Response:
    """POST /-/reload."""
    refuse_unknown(request, frozenset())
    return respond(Reloaded(changed=tuple(await reload(request.app[CONTEXT]))))


async def openapi(_: web.Request) -> web.Response:
    """GET /openapi.json."""
    return web.Response(body=orjson.dumps(openapi_document()), content_type="application/json")
