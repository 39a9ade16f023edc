"""The service as a process of its own, which can be killed."""

import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from tests.cli.command import Process, running
from tests.integration.service import NOWHERE, Api


@contextlib.asynccontextmanager
async def started(place: Path, url: str | None = NOWHERE) -> AsyncIterator[tuple[Process, Api]]:
    """A service with its store at this place, and a client of it; no URL is no Prometheus."""
    source = ("--no-prometheus",) if url is None else ("--prometheus", url)
    store = str(place / "sloscore.db")
    arguments = ("--port", "0", "--store", store, *source, "--interval", "200ms")
    async with running("serve", *arguments) as process, aiohttp.ClientSession() as session:
        announced = await process.line()
        assert announced.startswith("sloscore listens on http://"), await process.end()
        yield process, Api(session, announced.split()[-1])


async def kill(process: Process) -> None:
    process.send(signal.SIGKILL)
    assert (await process.end()).code == -signal.SIGKILL
