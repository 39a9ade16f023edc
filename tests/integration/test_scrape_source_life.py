"""Targets that the direct scrape follows: from when on, how often, and until when."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from tests.integration.pages import FAMILIES, PATIENCE, PageServer
from tests.integration.scraping import (
    OFTEN,
    SELDOM,
    Connect,
    Talk,
    always,
    followed,
    has_failed,
    is_down,
    is_up,
    once,
    requests,
    seen,
    silence,
)

from sloscore.core.samples import Target
from sloscore.errors import SourceError
from sloscore.settings import ScrapeSettings
from sloscore.sources.scrape import ScrapeSource

pytest_plugins = ["tests.integration.scrape_fixtures"]


@pytest.mark.parametrize(("interval", "setting"), [(OFTEN, SELDOM), (None, OFTEN)])
async def test_a_target_is_scraped_at_once_and_at_every_interval(
    connect: Connect, server: PageServer, interval: float | None, setting: float
) -> None:
    source = connect(interval=setting)

    source.restore(followed(server, interval=interval), ())

    await server.asked_again(4, "/t")


async def test_a_target_with_a_long_interval_is_not_scraped_more_often(
    connect: Connect, server: PageServer
) -> None:
    source = connect(interval=OFTEN)
    source.restore(followed(server, "seldom", SELDOM), ())
    source.restore(followed(server, "often"), ())

    await server.asked_again(8, "/often")

    assert server.asked.count("/seldom") == 1


async def test_a_target_that_is_restored_twice_is_scraped_as_if_once(
    connect: Connect, server: PageServer
) -> None:
    source = connect()
    for _ in range(2):
        source.restore(followed(server, "twice", SELDOM), ())
    source.restore(followed(server, "often"), ())

    await server.asked_again(8, "/often")

    assert server.asked.count("/twice") == 1


async def test_what_is_known_already_is_filed_between_the_scrapes(
    connect: Connect, server: PageServer
) -> None:
    source, target = connect(), followed(server)
    (captured,) = await source.capture(target)
    source.restore(target, [captured])
    await server.asked_again(3, "/t")
    (again,) = await source.capture(target)
    source.restore(target, [captured, again])

    samples = await source.samples(target, 0.0, again.time)

    times = [sample.time for sample in samples]
    assert times == sorted(set(times))
    assert (samples[0], samples[-1]) == (captured, again)
    assert len(samples) >= 4


async def test_a_capture_by_itself_is_not_recorded(connect: Connect, server: PageServer) -> None:
    source, target = connect(), followed(server, interval=SELDOM)
    source.restore(target, ())
    await once(source, target, is_up)

    await source.capture(target)

    assert len(await source.samples(target, 0.0, time.time())) == 1


async def test_a_capture_takes_its_turn_among_the_scrapes_of_its_target(
    connect: Connect, server: PageServer
) -> None:
    source, target = connect(), followed(server)
    answer, under_way, most = server.answer, 0, 0

    async def slow(request: web.Request) -> web.StreamResponse:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(OFTEN)
        under_way -= 1
        return await answer(request)

    server.answer = slow
    source.restore(target, ())
    for _ in range(3):
        await server.asked_again(1, "/t")
        await source.capture(target)

    assert most == 1


async def test_a_forgotten_target_is_scraped_no_more_and_its_samples_are_gone(
    connect: Connect, server: PageServer
) -> None:
    source = connect()
    gone, stays = followed(server, "gone"), followed(server, "stays")
    source.restore(gone, ())
    source.restore(stays, ())
    await server.asked_again(3, "/gone")

    source.forget("gone")
    source.forget("gone")
    # What is under way arrives with this one.
    await server.asked_again(1, "/stays")
    asked = server.asked.count("/gone")
    await server.asked_again(8, "/stays")

    assert server.asked.count("/gone") == asked
    found = await source.snapshot([gone, stays], time.time())
    assert "is not followed" in str(found["gone"])
    assert is_up(found["stays"])
    with pytest.raises(SourceError, match="is not followed"):
        await source.samples(gone, 0.0, time.time())


async def test_a_closed_source_leaves_no_task_and_no_connection(
    server: PageServer, listen: Callable[[Talk], Awaitable[str]]
) -> None:
    connected = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await silence(reader, writer)

    url = await listen(hang)
    before = asyncio.all_tasks()
    source = ScrapeSource(ScrapeSettings(timeout=PATIENCE))
    source.restore(Target("hangs", (), FAMILIES, url=url), ())
    source.restore(followed(server), ())
    await connected.wait()
    await server.asked_again(2, "/t")

    await source.close()

    # The server's own tasks see the end of their connections.
    async with asyncio.timeout(PATIENCE):
        while asyncio.all_tasks() - before:  # noqa: ASYNC110  they tell nobody
            await asyncio.sleep(0.01)


async def test_a_target_that_never_answered_is_an_error_with_its_reason(
    connect: Connect, server: PageServer
) -> None:
    server.answer = always("", status=503)
    source, target = connect(), followed(server)
    source.restore(target, ())

    error = await once(source, target, has_failed)

    assert "answered HTTP 503" in str(error)
    plain = always("vllm:generation_tokens_total 1\n")
    server.answer = plain
    await once(source, target, is_up)


async def test_a_target_that_was_not_scraped_yet_has_no_samples(
    connect: Connect, server: PageServer
) -> None:
    source, target = connect(), followed(server)

    source.restore(target, ())

    assert await source.snapshot([target], time.time()) == {"t": []}


async def test_a_target_that_goes_down_is_down_until_it_is_back(
    connect: Connect, server: PageServer
) -> None:
    source, target, plain = connect(), followed(server), server.answer
    source.restore(target, ())
    await once(source, target, is_up)

    server.answer = always("", status=503)
    (down,) = seen(await once(source, target, is_down))
    server.answer = plain
    (back,) = seen(await once(source, target, is_up))

    assert (down.instance, down.histograms) == (("", server.address), {})
    assert requests(back) == [3]
    told = [sample.up for sample in await source.samples(target, 0.0, time.time())]
    assert [up for up, _ in itertools.groupby(told)] == [True, False, True]


async def test_a_scrape_that_fails_has_the_time_at_which_it_was_asked_for(
    server: PageServer,
) -> None:
    ticks = itertools.count(1000)
    server.answer = always("", status=503)
    source = ScrapeSource(ScrapeSettings(), clock=lambda: float(next(ticks)))
    target = followed(server, interval=SELDOM)
    source.restore(target, ())
    await once(source, target, has_failed)
    samples = await source.samples(target, 0.0, 2000.0)
    await source.close()

    assert [(sample.time, sample.up) for sample in samples] == [(1000.0, False)]
