"""A second address of a server: connections are passed on, and counted."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class Relay:
    """Where it listens, and how many connections came so far."""

    url: str = ""
    connections: int = 0


@contextlib.asynccontextmanager
async def relayed(url: str) -> AsyncIterator[Relay]:
    """A relay to the server at ``url``."""
    parts, relay, tasks = urlsplit(url), Relay(), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relay.connections += 1
        there_reader, there_writer = await asyncio.open_connection(parts.hostname, parts.port)
        for source, sink in ((reader, there_writer), (there_reader, writer)):
            tasks.add(asyncio.create_task(_pass_on(source, sink)))

    server = await asyncio.start_server(serve, "127.0.0.1")
    relay.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield relay
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(1 << 16):
            sink.write(data)
            await sink.drain()
    finally:
        sink.close()
