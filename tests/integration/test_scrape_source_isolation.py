"""Targets that hang or fail, beside others that the direct scrape follows."""

import asyncio
import itertools
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest
from aiohttp import web
from tests.integration.pages import FAMILIES, HOST, PATIENCE, PageServer
from tests.integration.scraping import (
    OFTEN,
    SELDOM,
    Connect,
    Talk,
    followed,
    has_failed,
    is_up,
    once,
    silence,
)

from sloscore.core.samples import Target

pytest_plugins = ["tests.integration.scrape_fixtures"]


async def test_no_more_scrapes_than_allowed_are_under_way_at_once(
    connect: Connect, server: PageServer
) -> None:
    under_way: set[int] = set()
    most = 0
    gate = asyncio.Event()
    plain, numbers = server.answer, itertools.count()

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal most
        number = next(numbers)
        under_way.add(number)
        most = max(most, len(under_way))
        await gate.wait()
        under_way.remove(number)
        return await plain(request)

    server.answer = answer
    source = connect(max_concurrency=3)
    for number in range(12):
        source.restore(followed(server, f"t{number}", SELDOM), ())
    await server.asked_again(1, "/t2")
    gate.set()
    await server.asked_again(1, "/t11")

    assert most == 3


async def test_targets_that_hang_or_fail_do_not_hold_up_the_others(
    connect: Connect, server: PageServer, listen: Callable[[Talk], Awaitable[str]]
) -> None:
    source = connect(timeout=PATIENCE)
    hanging = await listen(silence)
    bad = [Target(f"hangs{n}", (), FAMILIES, url=hanging, scrape_interval=OFTEN) for n in range(20)]
    nobody = Target("nobody", (), FAMILIES, url=f"http://{HOST}:1/", scrape_interval=OFTEN)
    good = followed(server)
    for target in (*bad, nobody, good):
        source.restore(target, ())

    await server.asked_again(5, "/t")
    await once(source, nobody, has_failed)
    found = await source.snapshot([*bad, nobody, good], time.time())

    assert is_up(found["t"])
    assert "Connect call failed" in str(found["nobody"])
    assert all(found[target.key] == [] for target in bad)


@pytest.fixture
def lost_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Names that end in .lost get no answer from any name server until the event is set."""
    over = threading.Event()
    look_up: Callable[..., object] = socket.getaddrinfo

    def hang(host: object, *arguments: object, **more: object) -> object:
        if str(host).endswith(".lost"):
            over.wait(PATIENCE)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return look_up(host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield over
    over.set()


async def test_names_that_no_name_server_answers_for_do_not_hold_up_the_others(
    connect: Connect, server: PageServer, lost_names: threading.Event
) -> None:
    source = connect(timeout=PATIENCE, allowed_targets=("*.lost", HOST))
    lost = [Target(f"{n}", (), FAMILIES, url=f"http://{n}.lost/metrics") for n in range(40)]
    good = followed(server)
    for target in (*lost, good):
        source.restore(target, ())

    await once(source, good, is_up)
    await server.asked_again(5, "/t")
    lost_names.set()
    error = await once(source, lost[0], has_failed)

    assert "cannot scrape http://0.lost/metrics" in str(error)
