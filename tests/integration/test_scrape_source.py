"""What the direct scrape asks of a server, and what it makes of the page."""

import math
import socket
from collections.abc import Callable
from dataclasses import replace

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest as generate_open_metrics
from tests.integration.pages import FAMILIES, HOST, Engine, PageServer, page_of
from tests.integration.scraping import (
    OPEN_METRICS,
    Connect,
    always,
    failure,
    requests,
    shown,
    target,
)

from sloscore.core.samples import Target
from sloscore.errors import SourceError

pytest_plugins = ["tests.integration.scrape_fixtures"]

RENDER: Callable[[CollectorRegistry], bytes] = generate_open_metrics


async def test_a_capture_is_what_the_page_shows_now(connect: Connect, server: PageServer) -> None:
    sample = await shown(connect(), server.url)

    ((child, histogram),) = sample.histograms.items()
    assert child.labels == (("model_name", "m"),)
    assert (histogram.bounds, histogram.cumulative) == ((0.5, 1.0, 2.0, math.inf), (0, 3, 3, 3))
    assert list(sample.counters.values()) == [30]
    assert (sample.instance, sample.up, sample.process_start) == (("", server.address), True, 1.6e9)


async def test_plain_text_is_asked_for_and_openmetrics_is_read(
    connect: Connect, server: PageServer
) -> None:
    engine = Engine()
    engine.finish(0.75, times=4)
    accepts: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        accepts.append(request.headers["Accept"])
        return page_of(RENDER(engine.registry), OPEN_METRICS)

    server.answer = answer
    # This form of names has no colon.
    families = tuple(
        replace(family, names=tuple(name.replace(":", "_") for name in family.names))
        for family in FAMILIES
    )
    (sample,) = await connect().capture(Target("t", (), families, url=server.url))

    assert requests(sample) == [4]
    assert accepts == ["text/plain;version=0.0.4,*/*;q=0.1"]


@pytest.mark.parametrize("compress", ["gzip", "deflate"])
async def test_compressed_pages_are_read(
    connect: Connect, server: PageServer, compress: str
) -> None:
    plain = server.answer

    async def answer(request: web.Request) -> web.StreamResponse:
        assert compress in request.headers["Accept-Encoding"]
        response = await plain(request)
        response.enable_compression(web.ContentCoding(compress))
        return response

    server.answer = answer

    assert requests(await shown(connect(), server.url)) == [3]


async def test_a_url_is_asked_for_as_it_is_written(connect: Connect, server: PageServer) -> None:
    asked: list[tuple[str, str]] = []
    plain = server.answer

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append((request.path, request.query_string))
        return await plain(request)

    server.answer = answer
    url = f"http://{server.address}/engines/7/metrics?part=a&part=b"

    assert requests(await shown(connect(), url)) == [3]
    assert asked == [("/engines/7/metrics", "part=a&part=b")]


@pytest.mark.parametrize(
    ("patterns", "is_allowed"),
    [
        ([], True),
        ([f"{HOST}:*"], True),
        (["10.0.0.0/24:8000", "127.0.0.0/30:*"], True),
        (["10.0.0.0/24:8000"], False),
        ([f"{HOST}:1"], False),
        (["localhost:*"], False),
    ],
)
async def test_only_allowed_targets_are_asked(
    connect: Connect, server: PageServer, patterns: list[str], *, is_allowed: bool
) -> None:
    source = connect(allowed_targets=patterns)

    if is_allowed:
        assert requests(await shown(source, server.url)) == [3]
    else:
        error = await failure(source, server.url)
        assert error.kind == "bad_data"
        assert str(error).startswith(f"{server.url} is not among scrape.allowed_targets, ")
        with pytest.raises(SourceError):
            await source.names(target(server.url), 0.0, 1.0)
    assert bool(server.asked) is is_allowed


@pytest.fixture
def names_of_here(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names that end in .test lead to this machine; those that were looked up."""
    asked: list[str] = []
    look_up: Callable[..., object] = socket.getaddrinfo

    def answer(host: object, *arguments: object, **more: object) -> object:
        if not str(host).endswith(".test"):
            return look_up(host, *arguments, **more)
        asked.append(str(host))
        return look_up(HOST, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked


@pytest.mark.parametrize(
    ("patterns", "looked_up", "is_allowed"),
    [
        ([], 0, False),
        (["*.test"], 1, False),
        (["*.test", "127.0.0.0/8"], 1, True),
        (["engine.test"], 1, True),
    ],
)
async def test_a_name_is_asked_only_at_an_address_that_is_allowed(
    connect: Connect,
    server: PageServer,
    names_of_here: list[str],
    patterns: list[str],
    looked_up: int,
    *,
    is_allowed: bool,
) -> None:
    source = connect(allowed_targets=patterns)
    url = server.url.replace(HOST, "engine.test")

    if is_allowed:
        assert requests(await shown(source, url)) == [3]
    else:
        error = str(await failure(source, url))
        assert "scrape.allowed_targets" in error
        assert (f"engine.test is {HOST}" in error) is bool(looked_up)
    assert len(names_of_here) == looked_up
    assert bool(server.asked) is is_allowed


async def test_every_scrape_is_told_with_its_error(connect: Connect, server: PageServer) -> None:
    seen: list[tuple[str, str | None]] = []
    source = connect(lambda kind, _seconds, error: seen.append((kind, error)))

    await shown(source, server.url)
    server.answer = always("", status=500)
    await failure(source, server.url)

    assert seen == [("scrape", None), ("scrape", "http")]


async def test_a_server_that_comes_back_on_its_port_is_read_at_the_next_scrape(
    connect: Connect,
) -> None:
    source = connect()
    first = Engine()
    first.finish(0.75, times=3)
    async with PageServer(first.answer) as server:
        url, port = server.url, int(server.address.split(":")[1])
        assert requests(await shown(source, url)) == [3]
    assert (await failure(source, url)).kind == "unreachable"
    second = Engine()
    second.finish(0.75, times=5)
    async with PageServer(second.answer, port):
        assert requests(await shown(source, url)) == [5]


async def test_names_are_those_that_the_page_shows_now(
    connect: Connect, server: PageServer
) -> None:
    names = await connect().names(target(server.url), 0.0, 600.0)

    assert {"vllm:generation_tokens_total", "process_start_time_seconds"} < names
