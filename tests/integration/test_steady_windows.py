"""Windows of which Prometheus tells that nothing began anew, and those of which all samples count."""

import dataclasses
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest
from aiohttp import web
from tests.integration.pages import Engine, PageServer
from tests.integration.traps import Ports, between_scrapes, plan_of
from tests.unit.memory_source import sample

from sloscore.core.samples import Target
from sloscore.evaluation.replay import replay, resumed
from sloscore.settings import PrometheusSettings
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.sources.prometheus import PrometheusSource
from sloscore.sources.steady import Marks, shared_moments, was_by

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
    assert found["steady"].window.counts() == expected.counts()
    assert expected.counts().histograms["latency"].count == 2 * (14 + 5)


def started(name: str, number: int, at: float) -> dict[Target, float]:
    """So many experiments on the steady engines, a millisecond apart."""
    target = plan_of("steady").target
    return {
        dataclasses.replace(target, key=f"{name}-{one}"): at + one / 1000 for one in range(number)
    }


async def test_windows_that_began_between_the_same_scrapes_share_the_query_for_their_baseline(
    ports: Ports, prometheus: PrometheusProcess
) -> None:
    engines = [engine_of("steady", 3) for _ in ports["steady"]]
    asked: list[str] = []
    starts = started("", 0, 0.0)
    settings = PrometheusSettings(url=prometheus.url)
    async with AsyncExitStack() as stack:
        source = PrometheusSource(settings, lambda kind, *_: asked.append(kind))
        stack.push_async_callback(source.close)
        for engine, port in zip(engines, ports["steady"], strict=True):
            await stack.enter_async_context(PageServer(engine.answer, port))
        for scrape in range(3):
            # A query looks a little further back than to the first, where another process was.
            starts |= started(str(scrape), 4, await between_scrapes(*engines, more=4))
            engines[0].finish(0.75, times=5)
        end = await between_scrapes(*engines, more=2)

        found = await resumed(source, starts, end)
        # Those of three moments, and of the end.
        assert asked.count("snapshot") == 4
        for target, start in starts.items():
            expected = await replay(source, target, start, None, end)
            assert found[target.key].window.counts() == expected.counts()
            since = 3 - int(target.key[0])
            assert expected.counts().histograms["latency"].count == 5 * since


def marked(*times: float) -> Marks:
    return Marks({round(time * 1000): 1.0 for time in times})


def test_a_shared_moment_lies_between_each_start_and_the_next_scrape_of_any_instance() -> None:
    one, other, late, unseen = (plan_of(job).target for job in ("one", "other", "late", "unseen"))
    two = {("j", "a"): marked(95.0, 110.0), ("j", "b"): marked(94.0, 107.5)}

    found = shared_moments(
        {
            one: (100.0, two),
            other: (107.0, {("j", "c"): marked(90.0, 107.0, 122.0)}),
            late: (107.5, two),
            unseen: (130.0, two),
        }
    )

    assert found == {107.499: [one, other], 109.999: [late]}


def test_a_snapshot_with_a_later_scrape_is_none_of_the_start() -> None:
    early, late = sample(99.9, 1), sample(100.001, 1, instance="b")

    assert was_by(100.0, [early])
    assert not was_by(100.0, [early, late])
    assert not was_by(100.0, [])
