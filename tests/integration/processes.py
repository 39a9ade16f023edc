"""The service as a process of its own, which can be killed."""

import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from tests.cli.command import Process, running
from tests.integration.service import NOWHERE, Api


@contextlib.asynccontextmanager
async def starting(place: Path, url: str | None = NOWHERE) -> AsyncIterator[Process]:
    """A service with its store at this place, which may not listen yet; no URL is no Prometheus."""
    source = ("--no-prometheus",) if url is None else ("--prometheus", url)
    store = str(place / "sloscore.db")
    arguments = ("--port", "0", "--store", store, *source, "--interval", "200ms")
    async with running("serve", *arguments) as process:
        yield process


async def announced(process: Process) -> str:
    """The URL at which it listens, once it does."""
    line = await process.line()
    assert line.startswith("sloscore listens on http://"), await process.end()
    return line.split()[-1]


@contextlib.asynccontextmanager
async def started(place: Path, url: str | None = NOWHERE) -> AsyncIterator[tuple[Process, Api]]:
    """A service that listens, and a client of it."""
    async with starting(place, url) as process, aiohttp.ClientSession() as session:
        yield process, Api(session, await announced(process))


async def kill(process: Process) -> None:
    process.send(signal.SIGKILL)
    assert (await process.end()).code == -signal.SIGKILL
