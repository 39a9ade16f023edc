"""The credentials and headers that go with the queries to a Prometheus."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web
from tests.integration.answering import (
    EMPTY,
    SESAME,
    Handler,
    Serve,
    SourceOf,
    answer_nothing,
    failure_of,
)

pytest_plugins = ["tests.integration.answering_fixtures"]


def guarded(expected: Callable[[], str]) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != expected():
            return web.Response(status=401, text="Unauthorized")
        return web.json_response(EMPTY)

    return handler


async def test_refused_credentials_are_named_but_not_shown(
    serve: Serve, source_of: SourceOf
) -> None:
    url = await serve(guarded(lambda: f"Bearer {SESAME}"))
    await source_of(url=url, bearer_token=SESAME).check()

    error = await failure_of(source_of(url=url, bearer_token=SESAME + "!"))

    assert error.kind == "auth"
    assert "401" in str(error)
    assert SESAME not in str(error)


async def test_basic_auth_sends_user_and_password(serve: Serve, source_of: SourceOf) -> None:
    expected = "Basic " + base64.b64encode("ann:pä:ss".encode()).decode()
    url = await serve(guarded(lambda: expected))

    await source_of(url=url, basic_auth={"username": "ann", "password": "pä:ss"}).check()


@pytest.mark.parametrize("scheme", ["Bearer", "Basic"])
async def test_a_credentials_file_is_read_again_when_it_changes(
    serve: Serve, source_of: SourceOf, tmp_path: Path, scheme: str
) -> None:
    path = tmp_path / "secret"
    path.write_text("first\n")
    current = "first"

    def expected() -> str:
        if scheme == "Bearer":
            return f"Bearer {current}"
        return "Basic " + base64.b64encode(f"ann:{current}".encode()).decode()

    url = await serve(guarded(expected))
    if scheme == "Bearer":
        source = source_of(url=url, bearer_token_file=path)
    else:
        source = source_of(url=url, basic_auth={"username": "ann", "password_file": path})
    await source.check()

    replacement = tmp_path / "new"
    replacement.write_text("second\n")
    replacement.replace(path)
    current = "second"

    await source.check()


@pytest.mark.parametrize("content", [None, b"", b"two\nlines", b"\xff\xfe"])
async def test_a_credentials_file_that_cannot_be_used_is_named(
    serve: Serve, source_of: SourceOf, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)

    error = await failure_of(source_of(url=await serve(answer_nothing), bearer_token_file=path))

    assert error.kind == "auth"
    assert str(path) in str(error)


async def test_extra_headers_go_with_every_query(serve: Serve, source_of: SourceOf) -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.headers.get("X-Scope-OrgID") != "team-a":
            return web.Response(status=401, text="no org id")
        return web.json_response(EMPTY)

    await source_of(url=await serve(handler), headers={"X-Scope-OrgID": "team-a"}).check()
