"""A log that nobody reads: the service answers all the same, and counts what it drops."""

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import aiohttp
import pytest
from tests.integration.service import EXPERIMENTS, PATIENCE, Api

AT_ONCE = 20


def start(place: Path, stderr: int) -> "subprocess.Popen[str]":
    """A service that logs much."""
    options = ("--port", "0", "--store", str(place / "s.db"), "--no-prometheus")
    logs = ("--log-level", "debug", "--log-format", "json")
    command = [sys.executable, "-m", "sloscore", "serve", *options, *logs]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)


@dataclass(frozen=True, slots=True)
class Unread:
    """A service, its client, and the end of its stderr that nobody reads yet."""

    api: Api
    process: "subprocess.Popen[str]"
    log: TextIO

    async def end(self) -> None:
        self.process.terminate()
        assert await asyncio.to_thread(self.process.wait, PATIENCE) == 0


@contextlib.asynccontextmanager
async def unread(place: Path, *, blocking: bool = True) -> AsyncIterator[Unread]:
    """A service whose stderr is a pipe, which others who have it may have made not to block."""
    read, write = os.pipe()
    os.set_blocking(write, blocking)
    with os.fdopen(read) as log:
        process = await asyncio.to_thread(start, place, write)
        os.close(write)
        try:
            assert process.stdout is not None
            url = (await asyncio.to_thread(process.stdout.readline)).split()[-1]
            async with aiohttp.ClientSession() as session:
                yield Unread(Api(session, url), process, log)
        finally:
            process.kill()
            process.communicate()


async def dropped(api: Api) -> float:
    found = re.search(
        r"^sloscore_log_lines_dropped_total (\S+)$", (await api.get("/metrics")).text, re.MULTILINE
    )
    assert found
    return float(found[1])


async def fill(api: Api) -> None:
    """Ask until lines of the log are dropped; each request is answered."""
    async with asyncio.timeout(PATIENCE):
        while not await dropped(api):
            asked = (api.get(f"{EXPERIMENTS}/none") for _ in range(AT_ONCE))
            assert {answer.status for answer in await asyncio.gather(*asked)} == {404}


@pytest.mark.parametrize("blocking", [True, False])
async def test_a_service_answers_while_nobody_reads_its_log(
    tmp_path: Path, *, blocking: bool
) -> None:
    async with unread(tmp_path, blocking=blocking) as service:
        assert await dropped(service.api) == 0
        await fill(service.api)
        reading = asyncio.create_task(asyncio.to_thread(service.log.read))
        assert (await service.api.get(EXPERIMENTS)).status == 200
        await service.end()
        logged = await asyncio.wait_for(reading, PATIENCE)
    # What is read late is whole, from the first line on.
    events = [json.loads(line) for line in logged.splitlines()]
    assert len(events) > 1000
    assert events[0]["event"] == "Using selector: EpollSelector"


async def test_a_service_ends_while_nobody_reads_its_log(tmp_path: Path) -> None:
    async with unread(tmp_path) as service:
        await fill(service.api)
        await service.end()


async def test_a_service_outlives_who_read_its_log(tmp_path: Path) -> None:
    async with unread(tmp_path) as service:
        service.log.close()
        await fill(service.api)
        await service.end()
