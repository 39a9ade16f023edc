"""A loopback server that answers in the place of a Prometheus, and sources that ask it."""

import ssl
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.integration.answering import Handler, Serve, SourceOf

from sloscore.settings import PrometheusSettings
from sloscore.sources.prometheus import PrometheusSource


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    servers: list[TestServer] = []

    async def start(
        handler: Handler, prefix: str = "", context: ssl.SSLContext | None = None
    ) -> str:
        app = web.Application()
        app.router.add_post(f"{prefix}/api/v1/query", handler)
        server = TestServer(app, host="127.0.0.1")
        servers.append(server)
        await server.start_server(ssl=context)
        return f"{'https' if context else 'http'}://127.0.0.1:{server.port}{prefix}"

    yield start
    for server in servers:
        await server.close()


@pytest.fixture
async def source_of() -> AsyncIterator[SourceOf]:
    sources: list[PrometheusSource] = []

    def make(
        on_query: Callable[[str, float, str | None], None] | None = None, **settings: object
    ) -> PrometheusSource:
        sources.append(PrometheusSource(PrometheusSettings.model_validate(settings), on_query))
        return sources[-1]

    yield make
    for source in sources:
        await source.close()
