"""Series whose times are not those of their scrapes, so that no stale marker ends them."""

import asyncio
import time

import pytest
from aiohttp import web
from prometheus_client import generate_latest
from tests.integration.pages import Engine, PageServer, Shown, page_of
from tests.integration.scraping import seen
from tests.integration.traps import Ports, check_counts, check_no_data, plan_of, settled, window_of

from sloscore.sources.prometheus import PrometheusSource

pytestmark = pytest.mark.prometheus

pytest_plugins = ["tests.integration.trap_fixtures"]


class Cache:
    """An exporter that shows its engine as it was when it looked last, with that time."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.looked: list[Shown] = []
        self._page = b""

    def look(self, age: float = 0.0) -> None:
        at = round(time.time() - age, 3)
        self.looked.append(Shown(at, len(self.engine.log)))
        text = generate_latest(self.engine.registry).decode()
        self._page = "".join(
            line if line.startswith("#") else line.rstrip("\n") + f" {round(at * 1000)}\n"
            for line in text.splitlines(keepends=True)
        ).encode()

    async def keep_looking(self, every: float, age: float) -> None:
        while True:
            self.look(age)
            await asyncio.sleep(every)

    async def answer(self, _: web.Request) -> web.Response:
        return page_of(self._page)


async def test_an_exporter_that_stamps_its_series_counts_by_its_own_times(
    ports: Ports, source: PrometheusSource
) -> None:
    await asyncio.gather(*(count_stamped(ports, source, age) for age in (0, 2)))


async def count_stamped(ports: Ports, source: PrometheusSource, age: int) -> None:
    engine = Engine(born=1.6e9)
    engine.finish(0.75, times=100)
    cache = Cache(engine)
    job = f"stamped-{age}"
    async with PageServer(cache.answer, ports[job][0]) as server, asyncio.TaskGroup() as group:
        looking = group.create_task(cache.keep_looking(0.3, age))
        # It has to be there for some time before its own times reach the start.
        await server.asked_again(3 + 2 * age)
        start = time.time() - age
        for _ in range(5):
            engine.finish(0.75, times=4)
            await server.asked_again()
        end = time.time() - age
        report = await settled(source, plan_of(job), start, end, closing_wait=4.0)
        looking.cancel()

    check_counts(report, engine.log[100:])
    window = window_of(report)
    assert (window.unseen_head, window.unseen_tail, window.instances) == (0, 0, 1)
    times = {looked.at for looked in cache.looked}
    assert {window.observed_start, window.observed_end} <= times


async def test_an_exporter_that_repeats_an_old_page_is_no_data(
    ports: Ports, source: PrometheusSource
) -> None:
    engine = Engine(born=1.6e9)
    engine.finish(0.75, times=100)
    cache = Cache(engine)
    cache.look()
    async with PageServer(cache.answer, ports["frozen"][0]) as server:
        await server.asked_again(3)
        start = time.time()
        engine.finish(5.0, times=40)
        await server.asked_again(3)
        report = await settled(source, plan_of("frozen"), start, time.time(), closing_wait=0.5)

    check_no_data(report, "no scrape showed the server after the window's start")
    assert window_of(report).requests == 0


async def test_a_server_that_has_gone_is_not_what_it_showed_last(
    ports: Ports, source: PrometheusSource
) -> None:
    """Prometheus goes on to answer the old values of such series for five minutes."""
    engine = Engine(born=1.6e9)
    engine.finish(0.75, times=100)
    cache = Cache(engine)
    async with PageServer(cache.answer, ports["left"][0]) as server, asyncio.TaskGroup() as group:
        looking = group.create_task(cache.keep_looking(0.2, 0))
        await server.asked_again(3)
        start = time.time()
        engine.finish(0.75, times=20)
        await server.asked_again(5)
        looking.cancel()
    end = time.time()
    report = await settled(source, plan_of("left"), start, end)

    check_counts(report, engine.log[100:])
    window = window_of(report)
    assert window.observed_end in {looked.at for looked in cache.looked}
    assert window.unseen_tail == pytest.approx(end - window.observed_end, abs=0.002)
    assert window.unseen_tail > 0
    found = (await source.snapshot([plan_of("left").target], time.time()))["left"]
    assert [sample.up for sample in seen(found)] == [False]
