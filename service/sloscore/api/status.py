"""Handlers for operators: metrics, reload and the OpenAPI document."""

import asyncio
import zlib
from collections.abc import Collection, Iterator, Mapping

import orjson
import structlog
from aiohttp import web
from prometheus_client.exposition import choose_encoder, gzip_accepted

from sloscore.api.body import refuse_unknown, respond
from sloscore.api.context import CONTEXT, Context
from sloscore.api.openapi import openapi_document
from sloscore.api.reload import reload
from sloscore.errors import StoreError
from sloscore.experiments.model import State, TaskTally
from sloscore.exporter import (
    SettingsCollector,
    StoreCollector,
    add_reports,
    add_tallies,
    tasks_on,
)
from sloscore.gauges import Encoder, Families, Gauges, without_end
from sloscore.wire import Reloaded

_log = structlog.get_logger()
# Each line is much like the one before: more work hardly makes it smaller.
_QUICK = 1
_GZIP = 31


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics: of a store that cannot be read there are no numbers, but all others."""
    context = request.app[CONTEXT]
    counts, tallies = await _read_store(context)
    failed = context.store.last_write_failed
    few = [
        *context.telemetry.registry.collect(),
        *SettingsCollector(context.settings).collect(),
        *StoreCollector(counts, last_write_failed=failed).collect(),
    ]
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
    is_zipped = gzip_accepted(request.headers.get("Accept-Encoding", ""))
    if is_zipped:
        headers["Content-Encoding"] = "gzip"

    def write() -> bytes:
        gauges = Gauges()
        if context.replica is None or context.replica.is_valid:
            add_reports(gauges, context.board)
        add_tallies(gauges, tallies)
        parts = _text(Families(few), gauges, encode)
        return _zipped(parts) if is_zipped else b"".join(parts)

    # With thousands of experiments this takes a while, which other requests must not wait for.
    return web.Response(body=await asyncio.to_thread(write), headers=headers)


def _text(few: Families, gauges: Gauges, encode: Encoder) -> Iterator[bytes]:
    text, end = without_end(encode(few))
    yield text
    yield from gauges.encoded(encode)
    yield end


def _zipped(parts: Iterator[bytes]) -> bytes:
    packer = zlib.compressobj(_QUICK, wbits=_GZIP)
    return b"".join([*map(packer.compress, parts), packer.flush()])


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
