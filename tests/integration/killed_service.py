"""A service that is killed at chosen moments and started again on its store, and its clients' way to it."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from enum import Enum
from pathlib import Path
from random import Random

import aiohttp
from tests.cli.command import Process
from tests.integration.processes import announced, starting
from tests.integration.service import Answer, Api, Json

# A service is killed within this many seconds of its start.
_LIFE_SECONDS = 0.8
# A write is answered within this many seconds, mostly.
_FLIGHT_SECONDS = 0.03


class Moment(Enum):
    """When a service is killed."""

    STARTING = "before it listens"
    ANY = "at any time"
    SENT = "around a write's commit"
    ANSWERED = "when a write was answered"


class KilledService:
    """One service after the other on a store; clients wait while there is none.

    ``check`` is run on each before its clients may ask anything.
    """

    def __init__(self, place: Path, prometheus: str, random: Random) -> None:
        self.check: Callable[[Api], Awaitable[None]]
        self._place = place
        self._prometheus = prometheus
        self._random = random
        self._api: Api | None = None
        self._pid = 0
        self._open = 0
        self._idle = asyncio.Event()
        self._up = asyncio.Event()
        self._armed: Moment | None = None
        self._killing: asyncio.Task[None] | None = None
        self._start_seconds = 1.0

    async def ask(
        self, method: str, path: str, body: Json = None, on_send: Callable[[], None] | None = None
    ) -> Answer | None:
        """The answer of the service that runs next, or None where it is killed first."""
        await self._up.wait()
        assert self._api is not None
        armed, self._armed = (self._armed, None) if on_send else (None, self._armed)
        if on_send is not None:
            on_send()
        if armed is Moment.SENT:
            self._kill_after(self._random.uniform(0, _FLIGHT_SECONDS))
        self._open += 1
        self._idle.clear()
        try:
            answer = await self._api.request(method, path, body=body)
        except (aiohttp.ClientError, ConnectionError):
            assert self._killing is not None, "it ended by itself"
            self._up.clear()
            return None
        finally:
            self._open -= 1
            if not self._open:
                self._idle.set()
        if armed is Moment.ANSWERED:
            self._kill_after(0)
        return answer

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Process]:
        """Start it, check it, and let its clients ask."""
        began = time.monotonic()
        async with starting(self._place, self._prometheus) as process:
            url = await announced(process)
            self._start_seconds = time.monotonic() - began
            async with aiohttp.ClientSession() as session:
                self._api = Api(session, url)
                await self.check(self._api)
                self._pid, self._killing = process.pid, None
                self._up.set()
                yield process
                self._up.clear()
                if self._open:
                    await self._idle.wait()

    async def live_until(self, moment: Moment) -> None:
        """Start it, and kill it at this moment."""
        if moment is Moment.STARTING:
            async with starting(self._place, self._prometheus) as process:
                self._pid = process.pid
                self._kill_after(self._random.uniform(0.4, 1.1) * self._start_seconds)
                await self._dead(process)
            return
        async with self.serving() as process:
            seconds = self._random.uniform(0, _LIFE_SECONDS)
            if moment is Moment.ANY:
                self._kill_after(seconds)
            else:
                await asyncio.sleep(seconds)
                self._armed = moment
            await self._dead(process)

    def _kill_after(self, seconds: float) -> None:
        # In a thread: the event loop sleeps for whole milliseconds, and is busy with the clients.
        self._killing = asyncio.create_task(asyncio.to_thread(_kill, self._pid, seconds))

    async def _dead(self, process: Process) -> None:
        ended = await process.end()
        self._up.clear()
        assert ended.code == -signal.SIGKILL, ended
        assert self._killing is not None
        await self._killing


def _kill(pid: int, seconds: float) -> None:
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
