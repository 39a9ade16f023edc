"""Clients that open a connection of TLS and do not finish its handshake."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from tests.integration.service import PATIENCE, PROBLEM, Json, settings, until
from yarl import URL

from sloscore.api.server import running_service

pytest_plugins = ["tests.integration.tls_fixtures"]

GET = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
# Past the limit so many are told so, and more than those are dropped.
TOLD = 64


@contextlib.asynccontextmanager
async def serving_tls(certificates: Path, place: Path, **limits: Json) -> AsyncIterator[str]:
    tls = {"cert_file": certificates / "server.pem", "key_file": certificates / "server.key"}
    given = settings(place, listen={"port": 0, "tls": tls}, limits=limits)
    async with running_service(given) as url:
        yield url


@contextlib.asynccontextmanager
async def silent(url: str, number: int) -> AsyncIterator[Sequence[asyncio.StreamReader]]:
    """So many connections that say nothing."""
    place = URL(url)
    opening = (asyncio.open_connection(place.host, place.port) for _ in range(number))
    connections = await asyncio.gather(*opening)
    yield [reader for reader, _ in connections]
    for _, writer in connections:
        writer.close()


async def answer_of(url: str, certificates: Path) -> bytes:
    """The answer to a request on a connection of its own."""
    place = URL(url)
    trusted = ssl.create_default_context(cafile=certificates / "ca.pem")
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection(place.host, place.port, ssl=trusted)
        writer.write(GET)
        answer = await reader.read(-1)
    writer.close()
    return answer


async def test_handshakes_that_never_end_count_as_connections_until_they_are_given_up(
    certificates: Path, tmp_path: Path
) -> None:
    limits = {"max_connections": 20, "idle_timeout": "2s"}
    async with serving_tls(certificates, tmp_path, **limits) as url:
        assert b" 200 " in await answer_of(url, certificates)
        async with silent(url, 20) as readers:
            refused = await answer_of(url, certificates)
            assert refused.startswith(b"HTTP/1.1 503 ")
            assert PROBLEM.encode() in refused
            assert b"20 connections are open" in refused
            async with asyncio.timeout(PATIENCE):
                ended = await asyncio.gather(*(reader.read(-1) for reader in readers))
            assert set(ended) == {b""}
            await until(lambda: answer_of(url, certificates), lambda answer: b" 200 " in answer)


async def test_handshakes_far_past_the_limit_are_dropped_at_once(
    certificates: Path, tmp_path: Path
) -> None:
    async with (
        serving_tls(certificates, tmp_path, max_connections=20) as url,
        silent(url, 20 + TOLD) as readers,
        silent(url, 10) as others,
    ):
        async with asyncio.timeout(PATIENCE):
            assert {await reader.read(-1) for reader in others} == {b""}
        assert not any(reader.at_eof() for reader in readers)


@pytest.mark.parametrize("said", [GET, b"\x16\x03\x01\x00\x05nonsense", b""])
async def test_a_handshake_that_fails_gives_its_place_back(
    certificates: Path, tmp_path: Path, said: bytes
) -> None:
    async with serving_tls(certificates, tmp_path, max_connections=1) as url:
        place = URL(url)
        for _ in range(3):
            reader, writer = await asyncio.open_connection(place.host, place.port)
            writer.write(said)
            writer.write_eof()
            async with asyncio.timeout(PATIENCE):
                await reader.read(-1)
            writer.close()
        # Sooner than any handshake is given up.
        await until(lambda: answer_of(url, certificates), lambda answer: b" 200 " in answer, 5)


async def test_a_service_ends_in_the_middle_of_handshakes(
    certificates: Path, tmp_path: Path
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with serving_tls(certificates, tmp_path) as url:
            readers = await stack.enter_async_context(silent(url, 5))
            # Those before it were accepted.
            assert b" 200 " in await answer_of(url, certificates)
        async with asyncio.timeout(PATIENCE):
            assert {await reader.read(-1) for reader in readers} == {b""}
