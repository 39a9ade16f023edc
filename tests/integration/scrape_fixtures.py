"""A direct scrape and a server for it; such a test names this module as a plugin of pytest."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from tests.integration.pages import HOST, Engine, PageServer
from tests.integration.scraping import Connect, Talk

from sloscore.settings import ScrapeSettings
from sloscore.sources.scrape import ScrapeSource


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    sources: list[ScrapeSource] = []

    def make(
        on_query: Callable[[str, float, str | None], None] | None = None, **settings: object
    ) -> ScrapeSource:
        sources.append(ScrapeSource(ScrapeSettings.model_validate(settings), on_query))
        return sources[-1]

    yield make
    for source in sources:
        await source.close()


@pytest.fixture
async def server() -> AsyncIterator[PageServer]:
    """A server that has finished three requests; its answer can be changed."""
    engine = Engine(born=1.6e9)
    engine.finish(0.75, times=3)
    async with PageServer(engine.answer) as server:
        yield server


@pytest.fixture
async def listen() -> AsyncIterator[Callable[[Talk], Awaitable[str]]]:
    """Makes servers of what is said on each connection once a request was read."""
    servers: list[asyncio.Server] = []

    async def start(talk: Talk) -> str:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await reader.readuntil(b"\r\n\r\n")
                await talk(reader, writer)
            finally:
                writer.close()

        servers.append(await asyncio.start_server(serve, HOST))
        return f"http://{HOST}:{servers[-1].sockets[0].getsockname()[1]}/metrics"

    yield start
    for server in servers:
        server.close()
