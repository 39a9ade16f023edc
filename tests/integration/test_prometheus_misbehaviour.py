"""What a real Prometheus cannot easily be made to do, on a loopback server in its place."""

import asyncio
import base64
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.integration.certificates import server_context

from sloscore.core.samples import Family, FamilyKind, Target
from sloscore.errors import SourceDownError, SourceError
from sloscore.settings import PrometheusSettings
from sloscore.sources.prometheus import PrometheusSource

pytest_plugins = ["tests.integration.tls_fixtures"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[..., Awaitable[str]]
Connect = Callable[..., PrometheusSource]

FAMILY = Family("ttft", FamilyKind.HISTOGRAM, ("a:ttft",))
SESAME = "hunter2"
EMPTY = {"status": "success", "data": {"resultType": "vector", "result": []}}


def target(name: str) -> Target:
    return Target(name, (("instance", name),), (FAMILY,))


async def answer_nothing(_request: web.Request) -> web.Response:
    return web.json_response(EMPTY)


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    servers: list[TestServer] = []

    async def start(
        handler: Handler, prefix: str = "", context: ssl.SSLContext | None = None
    ) -> str:
        app = web.Application()
        app.router.add_post(f"{prefix}/api/v1/query", handler)
        server = TestServer(app, host="127.0.0.1")
        servers.append(server)
        await server.start_server(ssl=context)
        return f"{'https' if context else 'http'}://127.0.0.1:{server.port}{prefix}"

    yield start
    for server in servers:
        await server.close()


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    sources: list[PrometheusSource] = []

    def make(
        on_query: Callable[[str, float, str | None], None] | None = None, **settings: object
    ) -> PrometheusSource:
        sources.append(PrometheusSource(PrometheusSettings.model_validate(settings), on_query))
        return sources[-1]

    yield make
    for source in sources:
        await source.close()


async def failure_of(source: PrometheusSource) -> SourceError:
    with pytest.raises(SourceError) as raised:
        await source.check()
    return raised.value


async def test_a_query_is_a_form_with_deadline_and_time_and_takes_gzip(
    serve: Serve, connect: Connect
) -> None:
    seen: list[tuple[str, dict[str, str], str]] = []

    async def handler(request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        seen.append((request.content_type, form, request.headers["Accept-Encoding"]))
        return web.json_response(EMPTY)

    source = connect(url=await serve(handler), timeout="10s")

    assert await source.snapshot([target("h:1")], 1795538387.485) == {"h:1": []}

    ((content_type, form, encodings),) = seen
    assert content_type == "application/x-www-form-urlencoded"
    assert form["time"] == "1795538387.485"
    assert form["timeout"] == "9000ms"
    assert 'instance="h:1"' in form["query"]
    assert form["nocache"] == "1"
    assert "gzip" in encodings


async def test_a_path_prefix_leads_every_query(serve: Serve, connect: Connect) -> None:
    url = await serve(answer_nothing, prefix="/a/prometheus")

    await connect(url=url + "/").check()

    error = await failure_of(connect(url=url.removesuffix("/prometheus")))
    assert error.kind == "http"
    assert "path prefix" in str(error)


async def test_warnings_fail_the_targets_of_their_chunk_and_no_others(
    serve: Serve, connect: Connect
) -> None:
    async def handler(request: web.Request) -> web.Response:
        partial = "h:2" in str((await request.post())["query"])
        return web.json_response(EMPTY | ({"warnings": ["store h7 is gone"]} if partial else {}))

    source = connect(url=await serve(handler), max_query_targets=1)

    found = await source.snapshot([target(name) for name in ("h:1", "h:2", "h:3")], 1000.0)

    error = found["h:2"]
    assert isinstance(error, SourceError)
    assert error.kind == "partial"
    assert "store h7 is gone" in str(error)
    assert (found["h:1"], found["h:3"]) == ([], [])


async def test_a_selector_that_is_no_text_fails_only_its_own_target(
    serve: Serve, connect: Connect
) -> None:
    source = connect(url=await serve(answer_nothing))

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
    serve: Serve, connect: Connect, status: int, error_type: str, kind: str
) -> None:
    async def handler(_request: web.Request) -> web.Response:
        answer = {"status": "error", "errorType": error_type, "error": "it said so"}
        return web.json_response(answer, status=status)

    error = await failure_of(connect(url=await serve(handler)))

    assert error.kind == kind
    assert f"{error_type}: it said so" in str(error)
    assert str(status) in str(error)


async def test_an_error_page_of_a_proxy_is_quoted(serve: Serve, connect: Connect) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(
            status=502,
            text="<style>h1 {color: red}</style><h1>Bad\n  gateway</h1> of\x1b[31m it"
            + "x" * 100_000,
        )

    error = await failure_of(connect(url=await serve(handler)))

    assert error.kind == "http"
    assert "502: Bad gateway of\N{REPLACEMENT CHARACTER}[31m itxxx" in str(error)
    assert len(str(error)) < 1000


@pytest.mark.parametrize(("status", "down"), [(429, True), (503, True), (500, False), (413, False)])
async def test_a_server_that_has_no_time_is_told_from_one_that_cannot_take_this_query(
    serve: Serve, connect: Connect, status: int, *, down: bool
) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(status=status, text="no", headers={"Retry-After": "120"})

    error = await failure_of(connect(url=await serve(handler)))

    assert isinstance(error, SourceDownError) is down
    assert f"answered HTTP {status}: no (Retry-After: 120)" in str(error)


async def test_a_slow_answer_meets_the_deadline(serve: Serve, connect: Connect) -> None:
    asked = asyncio.Event()
    released = asyncio.Event()

    async def handler(_request: web.Request) -> web.Response:
        asked.set()
        await released.wait()
        return web.json_response(EMPTY)

    source = connect(url=await serve(handler), timeout="300ms")

    error = await failure_of(source)

    released.set()
    assert asked.is_set()
    assert error.kind == "timeout"
    assert "within 0.3 s" in str(error)


async def test_an_answer_that_stalls_in_its_middle_meets_the_deadline(
    serve: Serve, connect: Connect
) -> None:
    released = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"status":')
        await released.wait()
        return response

    error = await failure_of(connect(url=await serve(handler), timeout="300ms"))

    released.set()
    assert error.kind == "timeout"


async def test_an_answer_that_breaks_off_is_an_error(serve: Serve, connect: Connect) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"status":')
        assert request.transport is not None
        request.transport.close()
        return response

    error = await failure_of(connect(url=await serve(handler)))

    assert error.kind == "http"
    assert "broke off" in str(error)


@pytest.mark.parametrize("text", ["<html>log in</html>", '{"status":"succ', '{"status":"ok"}'])
async def test_an_answer_that_is_not_the_api_s_asks_for_the_address(
    serve: Serve, connect: Connect, text: str
) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(text=text)

    error = await failure_of(connect(url=await serve(handler)))

    assert error.kind == "decode"
    assert "is the address right?" in str(error)


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_an_answer_larger_than_allowed_is_refused_however_small_it_travels(
    serve: Serve, connect: Connect, encoding: str
) -> None:
    async def handler(_request: web.Request) -> web.Response:
        body = b" " * 5_000_000
        if encoding == "gzip":
            return web.Response(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})
        return web.Response(body=body)

    error = await failure_of(connect(url=await serve(handler), max_answer_bytes=1_000_000))

    assert error.kind == "too_large"
    assert "1000000 bytes" in str(error)


async def test_raw_samples_that_are_too_large_are_asked_for_in_halves(
    serve: Serve, connect: Connect
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
    source = connect(url=await serve(handler), max_answer_bytes=1024)

    assert await source.samples(target("h:1"), 0.0, 160.0) == []
    assert spans == [161, 81, 81]

    limit = 0
    with pytest.raises(SourceError, match="max_answer_bytes"):
        await source.samples(target("h:1"), 0.0, 160.0)
    assert min(spans) == 6


async def test_a_redirect_is_not_followed_and_its_target_named_without_secrets(
    serve: Serve, connect: Connect
) -> None:
    asked_elsewhere: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked_elsewhere.append(request.headers.get("Authorization", ""))
        return web.json_response(EMPTY)

    place = await serve(elsewhere)

    async def handler(_request: web.Request) -> web.Response:
        location = f"{place}/api/v1/query?token={SESAME}"
        return web.Response(status=307, headers={"Location": location})

    error = await failure_of(connect(url=await serve(handler), bearer_token=SESAME))

    assert error.kind == "http"
    assert "redirects are not followed" in str(error)
    assert SESAME not in str(error)
    assert asked_elsewhere == []


def guarded(expected: Callable[[], str]) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != expected():
            return web.Response(status=401, text="Unauthorized")
        return web.json_response(EMPTY)

    return handler


async def test_refused_credentials_are_named_but_not_shown(serve: Serve, connect: Connect) -> None:
    url = await serve(guarded(lambda: f"Bearer {SESAME}"))
    await connect(url=url, bearer_token=SESAME).check()

    error = await failure_of(connect(url=url, bearer_token=SESAME + "!"))

    assert error.kind == "auth"
    assert "401" in str(error)
    assert SESAME not in str(error)


async def test_basic_auth_sends_user_and_password(serve: Serve, connect: Connect) -> None:
    expected = "Basic " + base64.b64encode("ann:pä:ss".encode()).decode()
    url = await serve(guarded(lambda: expected))

    await connect(url=url, basic_auth={"username": "ann", "password": "pä:ss"}).check()


@pytest.mark.parametrize("scheme", ["Bearer", "Basic"])
async def test_a_credentials_file_is_read_again_when_it_changes(
    serve: Serve, connect: Connect, tmp_path: Path, scheme: str
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
        source = connect(url=url, bearer_token_file=path)
    else:
        source = connect(url=url, basic_auth={"username": "ann", "password_file": path})
    await source.check()

    replacement = tmp_path / "new"
    replacement.write_text("second\n")
    replacement.replace(path)
    current = "second"

    await source.check()


@pytest.mark.parametrize("content", [None, b"", b"two\nlines", b"\xff\xfe"])
async def test_a_credentials_file_that_cannot_be_used_is_named(
    serve: Serve, connect: Connect, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)

    error = await failure_of(connect(url=await serve(answer_nothing), bearer_token_file=path))

    assert error.kind == "auth"
    assert str(path) in str(error)


async def test_extra_headers_go_with_every_query(serve: Serve, connect: Connect) -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.headers.get("X-Scope-OrgID") != "team-a":
            return web.Response(status=401, text="no org id")
        return web.json_response(EMPTY)

    await connect(url=await serve(handler), headers={"X-Scope-OrgID": "team-a"}).check()


async def test_an_address_where_nobody_listens_says_what_to_look_at(
    serve: Serve, connect: Connect, unused_tcp_port: int
) -> None:
    error = await failure_of(connect(url=f"http://127.0.0.1:{unused_tcp_port}"))

    assert error.kind == "unreachable"
    assert f"cannot reach Prometheus at http://127.0.0.1:{unused_tcp_port}" in str(error)
    assert "is it running, is the address right?" in str(error)


async def test_a_connection_that_the_server_closed_meanwhile_is_opened_again(
    serve: Serve, connect: Connect
) -> None:
    asked = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        if asked == 2:
            assert request.transport is not None
            request.transport.close()
        return web.json_response(EMPTY)

    source = connect(url=await serve(handler))
    await source.check()

    await source.check()

    assert asked == 3


async def test_no_more_queries_run_at_once_than_allowed(serve: Serve, connect: Connect) -> None:
    running = most = 0
    pair = asyncio.Barrier(2)

    async def handler(_request: web.Request) -> web.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await pair.wait()
        running -= 1
        return web.json_response(EMPTY)

    source = connect(url=await serve(handler), max_query_targets=1, max_concurrency=2)

    found = await source.snapshot([target(f"h:{n}") for n in range(6)], 1000.0)

    assert len(found) == 6
    assert most == 2


async def test_each_query_is_reported_with_its_kind_and_error(
    serve: Serve, connect: Connect
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

    source = connect(on_query, url=await serve(handler), max_query_targets=1, max_concurrency=1)
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
    serve: Serve, connect: Connect, certificates: Path
) -> None:
    url = await serve(answer_nothing, context=context_of(certificates))

    await connect(url=url, tls={"ca_file": certificates / "ca.pem"}).check()

    error = await failure_of(connect(url=url))
    assert error.kind == "unreachable"
    assert "not trusted" in str(error)
    assert "ca_file" in str(error)


async def test_a_server_is_not_verified_only_where_that_is_asked_for(
    serve: Serve, connect: Connect, certificates: Path
) -> None:
    url = await serve(answer_nothing, context=context_of(certificates))

    await connect(url=url, tls={"insecure_skip_verify": True}).check()


async def test_a_client_certificate_is_shown_to_the_server(
    serve: Serve, connect: Connect, certificates: Path
) -> None:
    url = await serve(answer_nothing, context=context_of(certificates, wants_client=True))
    trust = {"ca_file": certificates / "ca.pem"}
    shown = {"cert_file": certificates / "client.pem", "key_file": certificates / "client.key"}

    await connect(url=url, tls=trust | shown).check()

    error = await failure_of(connect(url=url, tls=trust))
    assert error.kind == "unreachable"


async def test_tls_files_that_cannot_be_used_are_an_error(
    serve: Serve, connect: Connect, certificates: Path, tmp_path: Path
) -> None:
    url = await serve(answer_nothing, context=context_of(certificates))

    error = await failure_of(connect(url=url, tls={"ca_file": tmp_path / "none.pem"}))

    assert error.kind == "auth"
    assert "none.pem" in str(error)
