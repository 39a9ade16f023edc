"""The service as a process of its own, which can be killed."""

import contextlib
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
from tests.cli.command import Process, running
from tests.integration.service import NOWHERE, Api


@contextlib.asynccontextmanager
async def starting(
    place: Path | str,
    url: str | None = NOWHERE,
    *,
    interval: str = "200ms",
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[Process]:
    """A service with its store at this place, which may not listen yet; no URL is no Prometheus.

    The place is a directory, or the URL of a PostgreSQL.
    """
    source = ("--no-prometheus",) if url is None else ("--prometheus", url)
    store = place if isinstance(place, str) else str(place / "sloscore.db")
    arguments = ("--port", "0", "--store", store, *source, "--interval", interval)
    async with running("serve", *arguments, env=env) as process:
        yield process


async def announced(process: Process) -> str:
    """The URL at which it listens, once it does."""
    line = await process.line()
    assert line.startswith("sloscore listens on http://"), await process.end()
    return line.split()[-1]


@contextlib.asynccontextmanager
async def started(
    place: Path | str,
    url: str | None = NOWHERE,
    *,
    interval: str = "200ms",
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[tuple[Process, Api]]:
    """A service that listens, and a client of it."""
    async with (
        starting(place, url, interval=interval, env=env) as process,
        aiohttp.ClientSession() as session,
    ):
        yield process, Api(session, await announced(process))


async def kill(process: Process) -> None:
    process.send(signal.SIGKILL)
    assert (await process.end()).code == -signal.SIGKILL
