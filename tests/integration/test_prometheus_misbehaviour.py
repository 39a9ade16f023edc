"""What a real Prometheus cannot easily be made to do, on a loopback server in its place."""

import asyncio
import gzip

import pytest
from aiohttp import web
from tests.integration.answering import (
    EMPTY,
    SESAME,
    Serve,
    SourceOf,
    answer_nothing,
    failure_of,
    target,
)

from sloscore.errors import SourceDownError, SourceError

pytest_plugins = ["tests.integration.answering_fixtures"]


async def test_a_query_is_a_form_with_deadline_and_time_and_takes_gzip(
    serve: Serve, source_of: SourceOf
) -> None:
    seen: list[tuple[str, dict[str, str], str]] = []

    async def handler(request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        seen.append((request.content_type, form, request.headers["Accept-Encoding"]))
        return web.json_response(EMPTY)

    source = source_of(url=await serve(handler), timeout="10s")

    assert await source.snapshot([target("h:1")], 1795538387.485) == {"h:1": []}

    ((content_type, form, encodings),) = seen
    assert content_type == "application/x-www-form-urlencoded"
    assert form["time"] == "1795538387.485"
    assert form["timeout"] == "9000ms"
    assert 'instance="h:1"' in form["query"]
    assert form["nocache"] == "1"
    assert "gzip" in encodings


async def test_a_path_prefix_leads_every_query(serve: Serve, source_of: SourceOf) -> None:
    url = await serve(answer_nothing, prefix="/a/prometheus")

    await source_of(url=url + "/").check()

    error = await failure_of(source_of(url=url.removesuffix("/prometheus")))
    assert error.kind == "http"
    assert "path prefix" in str(error)


async def test_warnings_fail_the_targets_of_their_chunk_and_no_others(
    serve: Serve, source_of: SourceOf
) -> None:
    async def handler(request: web.Request) -> web.Response:
        partial = "h:2" in str((await request.post())["query"])
        return web.json_response(EMPTY | ({"warnings": ["store h7 is gone"]} if partial else {}))

    source = source_of(url=await serve(handler), max_query_targets=1)

    found = await source.snapshot([target(name) for name in ("h:1", "h:2", "h:3")], 1000.0)

    error = found["h:2"]
    assert isinstance(error, SourceError)
    assert error.kind == "partial"
    assert "store h7 is gone" in str(error)
    assert (found["h:1"], found["h:3"]) == ([], [])


async def test_a_selector_that_is_no_text_fails_only_its_own_target(
    serve: Serve, source_of: SourceOf
) -> None:
    source = source_of(url=await serve(answer_nothing))

    found = await source.snapshot([target("h:1"), target("\ud800")], 1000.0)

    assert found["h:1"] == []
    assert isinstance(found["\ud800"], SourceError)
    with pytest.raises(SourceError, match="not valid Unicode"):
        await source.samples(target("\ud800"), 0.0, 10.0)


@pytest.mark.parametrize(
    ("status", "error_type", "kind"),
    [
        (503, "timeout", "timeout"),
        (503, "canceled", "timeout"),
        (503, "unavailable", "http"),
        (500, "internal", "http"),
        (400, "bad_data", "bad_data"),
        (422, "execution", "bad_data"),
        (422, "422", "bad_data"),
        (429, "too_many_requests", "http"),
        (403, "forbidden", "auth"),
    ],
)
async def test_the_words_of_prometheus_are_kept(
    serve: Serve, source_of: SourceOf, status: int, error_type: str, kind: str
) -> None:
    async def handler(_request: web.Request) -> web.Response:
        answer = {"status": "error", "errorType": error_type, "error": "it said so"}
        return web.json_response(answer, status=status)

    error = await failure_of(source_of(url=await serve(handler)))

    assert error.kind == kind
    assert f"{error_type}: it said so" in str(error)
    assert str(status) in str(error)


async def test_an_error_page_of_a_proxy_is_quoted(serve: Serve, source_of: SourceOf) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(
            status=502,
            text="<style>h1 {color: red}</style><h1>Bad\n  gateway</h1> of\x1b[31m it"
            + "x" * 100_000,
        )

    error = await failure_of(source_of(url=await serve(handler)))

    assert error.kind == "http"
    assert "502: Bad gateway of\N{REPLACEMENT CHARACTER}[31m itxxx" in str(error)
    assert len(str(error)) < 1000


@pytest.mark.parametrize(("status", "down"), [(429, True), (503, True), (500, False), (413, False)])
async def test_a_server_that_has_no_time_is_told_from_one_that_cannot_take_this_query(
    serve: Serve, source_of: SourceOf, status: int, *, down: bool
) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(status=status, text="no", headers={"Retry-After": "120"})

    error = await failure_of(source_of(url=await serve(handler)))

    assert isinstance(error, SourceDownError) is down
    assert f"answered HTTP {status}: no (Retry-After: 120)" in str(error)


async def test_a_slow_answer_meets_the_deadline(serve: Serve, source_of: SourceOf) -> None:
    asked = asyncio.Event()
    released = asyncio.Event()

    async def handler(_request: web.Request) -> web.Response:
        asked.set()
        await released.wait()
        return web.json_response(EMPTY)

    source = source_of(url=await serve(handler), timeout="300ms")

    error = await failure_of(source)

    released.set()
    assert asked.is_set()
    assert error.kind == "timeout"
    assert "within 0.3 s" in str(error)


async def test_an_answer_that_stalls_in_its_middle_meets_the_deadline(
    serve: Serve, source_of: SourceOf
) -> None:
    released = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"status":')
        await released.wait()
        return response

    error = await failure_of(source_of(url=await serve(handler), timeout="300ms"))

    released.set()
    assert error.kind == "timeout"


async def test_an_answer_that_breaks_off_is_an_error(serve: Serve, source_of: SourceOf) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"status":')
        assert request.transport is not None
        request.transport.close()
        return response

    error = await failure_of(source_of(url=await serve(handler)))

    assert error.kind == "http"
    assert "broke off" in str(error)


@pytest.mark.parametrize("text", ["<html>log in</html>", '{"status":"succ', '{"status":"ok"}'])
async def test_an_answer_that_is_not_the_api_s_asks_for_the_address(
    serve: Serve, source_of: SourceOf, text: str
) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(text=text)

    error = await failure_of(source_of(url=await serve(handler)))

    assert error.kind == "decode"
    assert "is the address right?" in str(error)


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_an_answer_larger_than_allowed_is_refused_however_small_it_travels(
    serve: Serve, source_of: SourceOf, encoding: str
) -> None:
    async def handler(_request: web.Request) -> web.Response:
        body = b" " * 5_000_000
        if encoding == "gzip":
            return web.Response(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})
        return web.Response(body=body)

    error = await failure_of(source_of(url=await serve(handler), max_answer_bytes=1_000_000))

    assert error.kind == "too_large"
    assert "1000000 bytes" in str(error)


async def test_raw_samples_that_are_too_large_are_asked_for_in_halves(
    serve: Serve, source_of: SourceOf
) -> None:
    spans: list[int] = []

    async def handler(request: web.Request) -> web.Response:
        query = str((await request.post())["query"])
        if query.startswith("group"):
            return web.json_response(EMPTY)
        spans.append(int(query.rpartition("[")[2].removesuffix("s]")))
        matrix = {"status": "success", "data": {"resultType": "matrix", "result": []}}
        is_small = spans[-1] <= limit
        return web.json_response(matrix) if is_small else web.Response(body=b" " * 2048)

    limit = 100
    source = source_of(url=await serve(handler), max_answer_bytes=1024)

    assert await source.samples(target("h:1"), 0.0, 160.0) == []
    assert spans == [161, 81, 81]

    limit = 0
    with pytest.raises(SourceError, match="max_answer_bytes"):
        await source.samples(target("h:1"), 0.0, 160.0)
    assert min(spans) == 6


async def test_a_redirect_is_not_followed_and_its_target_named_without_secrets(
    serve: Serve, source_of: SourceOf
) -> None:
    asked_elsewhere: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked_elsewhere.append(request.headers.get("Authorization", ""))
        return web.json_response(EMPTY)

    place = await serve(elsewhere)

    async def handler(_request: web.Request) -> web.Response:
        location = f"{place}/api/v1/query?token={SESAME}"
        return web.Response(status=307, headers={"Location": location})

    error = await failure_of(source_of(url=await serve(handler), bearer_token=SESAME))

    assert error.kind == "http"
    assert "redirects are not followed" in str(error)
    assert SESAME not in str(error)
    assert asked_elsewhere == []
