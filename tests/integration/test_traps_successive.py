"""Experiments one after the other on one address: nothing of one is in the next."""

import math
import time

import pytest
from tests.integration.pages import Engine, PageServer
from tests.integration.scraping import once, seen
from tests.integration.traps import (
    Ports,
    between_scrapes,
    check_counts,
    closing,
    plan_of,
    settled,
    window_of,
)

from sloscore.errors import SourceError
from sloscore.evaluation.plan import Plan
from sloscore.sources.base import Snapshot
from sloscore.sources.prometheus import PrometheusSource

pytestmark = pytest.mark.prometheus
pytest_plugins = ["tests.integration.trap_fixtures"]


async def found_gone(source: PrometheusSource, plan: Plan) -> None:
    """Return when a scrape has found nobody at the plan's port."""

    def is_gone(found: Snapshot | SourceError) -> bool:
        return [sample.up for sample in seen(found)] == [False]

    await once(source, plan.target, is_gone)


async def test_each_candidate_on_a_port_counts_its_own_requests(
    ports: Ports, source: PrometheusSource
) -> None:
    """Each has finished more than the one before when it is scraped first, so no counter falls."""
    latencies = (0.25, 0.75, 1.5)
    plan = plan_of("successive")
    for number, latency in enumerate(latencies, start=1):
        await found_gone(source, plan)
        start = time.time()
        engine = Engine()
        engine.finish(latency, times=20 * number)
        async with PageServer(engine.answer, ports["successive"][0]):
            await between_scrapes(engine)
            engine.finish(latency, times=5)
            end = await between_scrapes(engine)
            report = await settled(source, plan, start, end)

        check_counts(report, [latency] * (20 * number + 5))
        window = window_of(report)
        assert (window.unseen_head, window.unseen_tail, window.instances) == (0, 0, 1)


async def test_a_candidate_that_is_there_before_its_experiment_counts_from_its_first_scrape(
    ports: Ports, source: PrometheusSource
) -> None:
    """A process that tells no start, whose port nobody answered on when it was last scraped."""
    plan = plan_of("successive-hidden")
    for number, latency in enumerate((0.25, 0.75), start=1):
        await found_gone(source, plan)
        engine = Engine(tells_start=False)
        engine.finish(latency, times=50 * number)
        async with PageServer(engine.answer, ports["successive-hidden"][0]):
            start = time.time()
            await between_scrapes(engine)
            engine.finish(latency, times=20)
            end = await between_scrapes(engine)
            report = await settled(source, plan, start, end)

        check_counts(report, [latency] * 20)
        window = window_of(report)
        assert window.observed_start is not None
        assert window.unseen_head == pytest.approx(window.observed_start - start, abs=0.002)
        assert (window.unseen_head > 0, window.instances) == (True, 1)


async def test_a_process_that_takes_over_between_two_scrapes_brings_nothing_of_the_last(
    ports: Ports, source: PrometheusSource
) -> None:
    old, new = Engine(born=time.time() - 100), Engine()
    old.finish(5.0, times=100)
    async with PageServer(old.answer, ports["swapped"][0]) as server:
        await between_scrapes(old, more=2)
        server.answer = new.answer
        start = time.time()
        new.finish(0.25, times=200)
        end = await between_scrapes(new)
        report = await settled(source, plan_of("swapped"), start, end)

    check_counts(report, new.log[: closing(new, end).requests])
    (latency, _) = report.slis
    assert (latency.verdict, latency.upper) == ("met", 0.5)


async def test_a_process_that_is_born_right_after_the_start_counts_from_zero(
    ports: Ports, source: PrometheusSource
) -> None:
    """Kernels tell in whole seconds when they booted, so that it looks older than the window."""
    start = time.time()
    engine = Engine(born=math.nextafter(start - 1, math.inf))
    engine.finish(0.75, times=40)
    async with PageServer(engine.answer, ports["rounded"][0]):
        end = await between_scrapes(engine)
        report = await settled(source, plan_of("rounded"), start, end)

    check_counts(report, engine.log)
    assert window_of(report).unseen_head == 0
