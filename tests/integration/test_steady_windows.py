"""Windows of which Prometheus tells that nothing began anew, and those of which all samples count."""

from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest
from aiohttp import web
from tests.integration.pages import Engine, PageServer
from tests.integration.traps import Ports, between_scrapes, plan_of

from sloscore.evaluation.replay import replay, resumed
from sloscore.sources.prometheus import PrometheusSource

pytestmark = pytest.mark.prometheus
pytest_plugins = ["tests.integration.trap_fixtures"]
BORN = 1.6e9


def engine_of(job: str, requests: int) -> Engine:
    engine = Engine(born=BORN, tells_start=job != "untold")
    for latency in (0.25, 0.75, 1.5):
        engine.finish(latency, times=requests)
    return engine


# What answers from the middle of the window on; all but the first tell of the same process.
SUCCESSORS: dict[str, Callable[[], Engine]] = {
    "restarted": Engine,
    "fell": lambda: Engine(born=BORN),
    "other-series": lambda: Engine(born=BORN, model="n"),
    "other-bounds": lambda: Engine(born=BORN, bounds=(0.5, 1.0, 2.0, 4.0)),
}


async def unavailable(_: web.Request) -> web.Response:
    return web.Response(status=503)


async def test_few_samples_tell_all_of_a_window_in_which_nothing_began_anew(
    ports: Ports, source: PrometheusSource
) -> None:
    jobs = ["steady", *SUCCESSORS, "paused", "untold"]
    engines = {(job, port): engine_of(job, 3) for job in jobs for port in ports[job]}
    async with AsyncExitStack() as stack:
        servers = {
            place: await stack.enter_async_context(PageServer(engine.answer, place[1]))
            for place, engine in engines.items()
        }
        start = await between_scrapes(*engines.values(), more=2)
        for (job, port), engine in list(engines.items()):
            for latency in (0.25, 1.5):
                engine.finish(latency, times=7)
            if job in SUCCESSORS:
                engines[job, port] = SUCCESSORS[job]()
                engines[job, port].finish(0.75, times=2)
                servers[job, port].answer = engines[job, port].answer
        paused = servers["paused", ports["paused"][0]]
        paused.answer = unavailable
        await paused.asked_again(2)
        paused.answer = engines["paused", ports["paused"][0]].answer
        middle = await between_scrapes(*engines.values(), more=2)
        for engine in engines.values():
            engine.finish(0.75, times=5)
        end = await between_scrapes(*engines.values(), more=2)
        targets = {plan_of(job).target: start for job in jobs}

        found = await resumed(source, targets, end)
        (steady, *_) = targets
        expected = await replay(source, steady, start, None, end)

    assert start < middle < end
    assert found.keys() == {"steady"}
    assert found["steady"].counts() == expected.counts()
    assert expected.counts().histograms["latency"].count == 2 * (14 + 5)
