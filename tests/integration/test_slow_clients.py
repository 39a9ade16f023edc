"""Clients that are slow, stop halfway or never begin: they end, and hold up nobody else."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import orjson
import pytest
from tests.integration.service import EXPERIMENTS, PATIENCE, PROBLEM, Api, serving, settings, until
from yarl import URL

GET = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
POST = (
    f"POST {EXPERIMENTS} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    "Content-Length: 1000\r\n\r\n"
).encode()

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def connected(api: Api, number: int) -> AsyncIterator[Sequence[Connection]]:
    """So many connections to the service."""
    url = URL(api.url)
    opening = (asyncio.open_connection(url.host, url.port) for _ in range(number))
    connections = await asyncio.gather(*opening)
    yield connections
    for _, writer in connections:
        writer.close()


async def all_of(reader: asyncio.StreamReader) -> bytes:
    """What comes until the service hangs up."""
    async with asyncio.timeout(PATIENCE):
        return await reader.read(-1)


async def check_others(api: Api) -> None:
    assert (await api.get(EXPERIMENTS)).status == 200


async def test_headers_that_come_byte_by_byte_never_end_the_wait(tmp_path: Path) -> None:
    async with (
        serving(settings(tmp_path, limits={"idle_timeout": "500ms"})) as api,
        connected(api, 1) as [(reader, writer)],
    ):
        hung_up = asyncio.create_task(all_of(reader))
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        while not hung_up.done():
            writer.write(b"x")
            await asyncio.sleep(0.02)
            await check_others(api)
        assert await hung_up == b""


async def test_hundreds_of_connections_that_send_nothing_are_closed(tmp_path: Path) -> None:
    async with (
        serving(settings(tmp_path, limits={"idle_timeout": "500ms"})) as api,
        connected(api, 300) as connections,
    ):
        await check_others(api)
        assert set(await asyncio.gather(*(all_of(reader) for reader, _ in connections))) == {b""}


async def test_a_body_that_stops_in_the_middle_is_answered_with_408(tmp_path: Path) -> None:
    async with (
        serving(settings(tmp_path, limits={"body_timeout": "500ms"})) as api,
        connected(api, 20) as connections,
    ):
        for _, writer in connections:
            writer.write(POST + b'{"id": ')
        await check_others(api)
        for reader, _ in connections:
            async with asyncio.timeout(PATIENCE):
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"Content-Length: (\d+)", head)
                assert length
                problem = orjson.loads(await reader.readexactly(int(length[1])))
            assert head.startswith("HTTP/1.1 408 ")
            assert PROBLEM in head
            assert problem["detail"] == "The body did not come within the 0.5 s that are allowed."


async def test_a_client_that_never_reads_its_answers_is_dropped(tmp_path: Path) -> None:
    async with (
        serving(settings(tmp_path, limits={"unread_timeout": "500ms"})) as api,
        connected(api, 1) as [(_, writer)],
    ):
        asked = asyncio.create_task(ask_for_ever(writer))
        while not asked.done():
            await check_others(api)
        with pytest.raises(ConnectionError):
            await asked


async def ask_for_ever(writer: asyncio.StreamWriter) -> None:
    """Send requests and read nothing, until the connection is lost."""
    async with asyncio.timeout(PATIENCE):
        while True:
            writer.write(GET)
            await writer.drain()


async def test_one_connection_past_the_limit_is_told_so(tmp_path: Path) -> None:
    async with serving(settings(tmp_path, limits={"max_connections": 50})) as api:
        async with connected(api, 50):
            refused = await until(lambda: asked_anew(api), lambda answer: b" 503 " in answer)
            head, _, body = refused.partition(b"\r\n\r\n")
            assert PROBLEM.encode() in head
            detail = orjson.loads(body)["detail"]
            assert detail.startswith("50 connections are open, and no more are allowed")
        await until(lambda: asked_anew(api), lambda answer: b" 200 " in answer)


async def asked_anew(api: Api) -> bytes:
    """The answer to a request on a connection of its own."""
    async with connected(api, 1) as [(reader, writer)]:
        writer.write(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        return await all_of(reader)
