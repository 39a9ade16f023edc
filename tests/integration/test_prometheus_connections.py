"""The connections to a Prometheus: how many, whether they are up, and whom they trust."""

import asyncio
import ssl
from pathlib import Path

import pytest
from aiohttp import web
from tests.integration.answering import (
    EMPTY,
    Serve,
    SourceOf,
    answer_nothing,
    failure_of,
    target,
)
from tests.integration.certificates import server_context

from sloscore.errors import SourceError

pytest_plugins = ["tests.integration.answering_fixtures", "tests.integration.tls_fixtures"]


async def test_an_address_where_nobody_listens_says_what_to_look_at(
    serve: Serve, source_of: SourceOf, unused_tcp_port: int
) -> None:
    error = await failure_of(source_of(url=f"http://127.0.0.1:{unused_tcp_port}"))

    assert error.kind == "unreachable"
    assert f"cannot reach Prometheus at http://127.0.0.1:{unused_tcp_port}" in str(error)
    assert "is it running, is the address right?" in str(error)


async def test_a_connection_that_the_server_closed_meanwhile_is_opened_again(
    serve: Serve, source_of: SourceOf
) -> None:
    asked = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        if asked == 2:
            assert request.transport is not None
            request.transport.close()
        return web.json_response(EMPTY)

    source = source_of(url=await serve(handler))
    await source.check()

    await source.check()

    assert asked == 3


async def test_no_more_queries_run_at_once_than_allowed(serve: Serve, source_of: SourceOf) -> None:
    running = most = 0
    pair = asyncio.Barrier(2)

    async def handler(_request: web.Request) -> web.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await pair.wait()
        running -= 1
        return web.json_response(EMPTY)

    source = source_of(url=await serve(handler), max_query_targets=1, max_concurrency=2)

    found = await source.snapshot([target(f"h:{n}") for n in range(6)], 1000.0)

    assert len(found) == 6
    assert most == 2


async def test_each_query_is_reported_with_its_kind_and_error(
    serve: Serve, source_of: SourceOf
) -> None:
    async def handler(request: web.Request) -> web.Response:
        if "h:2" in str((await request.post())["query"]):
            return web.Response(status=500)
        return web.json_response(EMPTY)

    seen: list[tuple[str, str | None]] = []
    seconds: list[float] = []

    def on_query(kind: str, duration: float, error: str | None) -> None:
        seen.append((kind, error))
        seconds.append(duration)

    source = source_of(on_query, url=await serve(handler), max_query_targets=1, max_concurrency=1)
    await source.check()
    await source.snapshot([target("h:1"), target("h:2")], 1000.0)
    with pytest.raises(SourceError):
        await source.samples(target("h:2"), 0.0, 10.0)

    assert seen == [("check", None), ("snapshot", None), ("snapshot", "http"), ("samples", "http")]
    assert all(duration > 0 for duration in seconds)


def context_of(certificates: Path, *, wants_client: bool = False) -> ssl.SSLContext:
    context = server_context(certificates)
    if wants_client:
        context.load_verify_locations(certificates / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def test_a_server_is_trusted_by_the_authority_that_is_set(
    serve: Serve, source_of: SourceOf, certificates: Path
) -> None:
    url = await serve(answer_nothing, context=context_of(certificates))

    await source_of(url=url, tls={"ca_file": certificates / "ca.pem"}).check()

    error = await failure_of(source_of(url=url))
    assert error.kind == "unreachable"
    assert "not trusted" in str(error)
    assert "ca_file" in str(error)


async def test_a_server_is_not_verified_only_where_that_is_asked_for(
    serve: Serve, source_of: SourceOf, certificates: Path
) -> None:
    url = await serve(answer_nothing, context=context_of(certificates))

    await source_of(url=url, tls={"insecure_skip_verify": True}).check()


async def test_a_client_certificate_is_shown_to_the_server(
    serve: Serve, source_of: SourceOf, certificates: Path
) -> None:
    url = await serve(answer_nothing, context=context_of(certificates, wants_client=True))
    trust = {"ca_file": certificates / "ca.pem"}
    shown = {"cert_file": certificates / "client.pem", "key_file": certificates / "client.key"}

    await source_of(url=url, tls=trust | shown).check()

    error = await failure_of(source_of(url=url, tls=trust))
    assert error.kind == "unreachable"


async def test_tls_files_that_cannot_be_used_are_an_error(
    serve: Serve, source_of: SourceOf, certificates: Path, tmp_path: Path
) -> None:
    url = await serve(answer_nothing, context=context_of(certificates))

    error = await failure_of(source_of(url=url, tls={"ca_file": tmp_path / "none.pem"}))

    assert error.kind == "auth"
    assert "none.pem" in str(error)
