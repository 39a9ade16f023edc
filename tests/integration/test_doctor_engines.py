"""Engines that answer otherwise than a healthy Prometheus, on a loopback server in their place."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from sloscore.advice.doctor import Doctor
from sloscore.advice.engine import BUILD_INFO
from sloscore.advice.findings import Check, Examination, Finding, Severity
from sloscore.settings import PrometheusSettings
from sloscore.spec.loader import validate
from sloscore.spec.model import TaskSpec

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[..., Awaitable[str]]

SESAME = "hunter2"
QUERY = "/api/v1/query"


def vector(*values: float) -> web.Response:
    rows = [{"metric": {}, "value": [time.time(), str(value)]} for value in values]
    return web.json_response(
        {"status": "success", "data": {"resultType": "vector", "result": rows}}
    )


async def empty(request: web.Request) -> web.Response:
    """An engine that knows the time and holds no series."""
    query = str((await request.post())["query"])
    if "[" in query:
        kind = "matrix" if query.endswith("]") else "vector"
        return web.json_response({"status": "success", "data": {"resultType": kind, "result": []}})
    return vector(time.time()) if query == "vector(time())" else vector()


async def no_build_info(_request: web.Request) -> web.Response:
    return web.Response(status=404)


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    servers: list[TestServer] = []

    async def start(on_query: Handler = empty, on_build_info: Handler = no_build_info) -> str:
        app = web.Application()
        app.router.add_post(QUERY, on_query)
        app.router.add_get(BUILD_INFO, on_build_info)
        server = TestServer(app, host="127.0.0.1")
        servers.append(server)
        await server.start_server()
        return f"http://127.0.0.1:{server.port}"

    yield start
    for server in servers:
        await server.close()


async def examine(url: str, deadline: float = 30.0, **settings: object) -> Examination:
    task = validate(TaskSpec, {"task_name": "t", "server": "vllm", "selector": {"job": "a"}})
    access = PrometheusSettings.model_validate({"url": url, **settings})
    doctor = Doctor(task, access, window=300.0, closing_wait=60.0, deadline=deadline)
    return await doctor.examine()


def worst(found: Examination) -> Finding:
    (finding,) = [one for one in found.findings if one.severity is Severity.CRITICAL]
    return finding


async def test_an_engine_that_hides_its_build_is_examined_all_the_same(serve: Serve) -> None:
    found = await examine(await serve())
    (engine,) = [one for one in found.findings if one.check is Check.ENGINE]
    assert engine.severity is Severity.INFO
    assert found.engine is None
    assert worst(found).found == 'No series carry {job="a"}.'


async def test_the_build_is_asked_for_with_the_headers_and_the_prefix_of_the_settings(
    serve: Serve,
) -> None:
    async def mimir(request: web.Request) -> web.Response:
        if request.headers.get("X-Scope-OrgID") != "team-a":
            return web.Response(status=401, text="no org id")
        data = {"application": "Grafana Mimir", "version": "2.14.0"}
        return web.json_response({"status": "success", "data": data})

    found = await examine(await serve(on_build_info=mimir), headers={"X-Scope-OrgID": "team-a"})
    assert found.engine == "Grafana Mimir 2.14.0"


async def test_a_build_that_is_endless_is_not_read_to_its_end(serve: Serve) -> None:
    async def endless(_request: web.Request) -> web.Response:
        return web.Response(body=b'{"data":{"application":"' + b"x" * 5_000_000)

    found = await examine(await serve(on_build_info=endless), max_answer_bytes=1_000_000)
    assert found.engine is None


async def test_refused_credentials_are_critical_and_not_shown(serve: Serve) -> None:
    async def guarded(_request: web.Request) -> web.Response:
        return web.Response(status=401, text="who are you")

    finding = worst(await examine(await serve(guarded), bearer_token=SESAME))
    assert finding.check is Check.CONNECTION
    assert "refuses the credentials (HTTP 401): who are you" in finding.found
    assert SESAME not in str(finding)


@pytest.mark.parametrize("text", ["<html>log in</html>", '{"status":"success","data":{}}'])
async def test_what_is_no_engine_is_critical(serve: Serve, text: str) -> None:
    async def page(_request: web.Request) -> web.Response:
        return web.Response(text=text)

    finding = worst(await examine(await serve(page)))
    assert finding.check is Check.CONNECTION
    assert finding.found.startswith("The answer ")


@pytest.mark.parametrize("values", [(), (float("nan"),)], ids=["none", "nan"])
async def test_an_engine_that_does_not_know_the_time_is_critical(
    serve: Serve, values: tuple[float, ...]
) -> None:
    async def timeless(_request: web.Request) -> web.Response:
        return vector(*values)

    finding = worst(await examine(await serve(timeless)))
    assert finding.check is Check.CONNECTION


async def test_an_answer_that_is_too_large_is_told_where_it_came(serve: Serve) -> None:
    async def flood(request: web.Request) -> web.Response:
        query = str((await request.post())["query"])
        return vector(time.time()) if query == "vector(time())" else vector(*range(100_000))

    finding = worst(await examine(await serve(flood), max_answer_bytes=1_000_000))
    assert finding.check is Check.SERIES
    assert "larger than 1000000 bytes" in finding.found


async def test_an_examination_that_takes_too_long_ends_with_what_it_found(serve: Serve) -> None:
    released = asyncio.Event()

    async def stalls(request: web.Request) -> web.Response:
        if str((await request.post())["query"]) != "vector(time())":
            await released.wait()
        return vector(time.time())

    found = await examine(await serve(stalls), deadline=0.5)
    released.set()
    finding = worst(found)
    assert finding.found == "The examination was not done after 0.5 s."
    assert {one.check for one in found.findings} >= {Check.ENGINE, Check.CLOCK}


async def test_nothing_but_queries_and_the_build_is_asked_for(serve: Serve) -> None:
    asked: list[tuple[str, str]] = []

    def noted(handler: Handler) -> Handler:
        async def note(request: web.Request) -> web.StreamResponse:
            asked.append((request.method, request.path))
            return await handler(request)

        return note

    await examine(await serve(noted(empty), noted(no_build_info)))
    assert set(asked) == {("POST", QUERY), ("GET", BUILD_INFO)}
    assert len(asked) < 20
