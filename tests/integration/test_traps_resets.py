"""Processes that are replaced within a window, as their histograms show it or do not."""

import asyncio
import time

import pytest
from aiohttp import web
from tests.integration.pages import Engine, PageServer
from tests.integration.traps import (
    Ports,
    between_scrapes,
    check_counts,
    plan_of,
    settled,
    shown_at,
    window_of,
)

from sloscore.sources.prometheus import PrometheusSource

pytestmark = pytest.mark.prometheus
pytest_plugins = ["tests.integration.trap_fixtures"]


async def test_a_reset_that_only_some_buckets_show_is_one_of_the_whole_histogram(
    ports: Ports, source: PrometheusSource
) -> None:
    """Bucket by bucket the window would hold 6, 4 and 3 requests; there were 18."""
    crashed, back = Engine(tells_start=False), Engine(tells_start=False)
    for engine, numbers in ((crashed, (12, 1, 2)), (back, (6, 11, 1))):
        for seconds, number in zip((0.25, 0.75, 1.5), numbers, strict=True):
            engine.finish(seconds, times=number)
    async with PageServer(crashed.answer, ports["buckets"][0]) as server:
        start = await between_scrapes(crashed, more=2)
        server.answer = back.answer
        end = await between_scrapes(back)
        report = await settled(source, plan_of("buckets"), start, end)

    check_counts(report, back.log, resets=1)
    (latency, _) = report.slis
    assert (latency.requests, latency.requests_over) == (18, 1)


async def test_a_process_with_other_bounds_is_judged_where_both_tell_their_counts(
    ports: Ports, source: PrometheusSource
) -> None:
    first = Engine(bounds=(0.5, 1.0, 2.0), born=1.6e9)
    second = Engine(bounds=(0.7, 1.0, 4.0), born=1.7e9)
    async with PageServer(first.answer, ports["bounds"][0]) as server:
        start = await between_scrapes(first, more=2)
        first.finish(0.6, times=10)
        swap = await between_scrapes(first)
        second.finish(3.0, times=30)
        server.answer = second.answer
        end = await between_scrapes(second)
        report = await settled(source, plan_of("bounds"), start, end)

    seen = first.log[: shown_at(first, swap).requests]
    assert len(seen) == 10
    check_counts(report, [*seen, *second.log], resets=1)
    (latency, _) = report.slis
    assert (latency.verdict, latency.certain) == ("violated", True)
    assert (latency.lower, latency.upper, latency.requests_over) == (1.0, 4.0, 30)
    assert window_of(report).instances == 1


async def test_a_server_too_busy_for_scrapes_may_have_served_until_the_next_process_began(
    ports: Ports, source: PrometheusSource
) -> None:
    first, idle = Engine(born=1.6e9), asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        await idle.wait()
        return web.Response()

    async with PageServer(first.answer, ports["bounds"][0]) as server:
        start = await between_scrapes(first, more=2)
        first.finish(0.25, times=500)
        seen = shown_at(first, await between_scrapes(first))
        server.answer = wait
        await server.asked_again(5)
        # What this one finished nobody has seen, and Prometheus tells no more than that scrapes failed.
        first.finish(9.0, times=500)
        second, born = Engine(), time.time()
        second.finish(0.25, times=500)
        server.answer = second.answer
        end = await between_scrapes(second)
        report = await settled(source, plan_of("bounds"), start, end)
        idle.set()

    check_counts(report, [*first.log[: seen.requests], *second.log], resets=1)
    assert window_of(report).unseen_gaps == pytest.approx(born - seen.at, abs=0.1)
    assert {sli.uncertainty for sli in report.slis} == {"window"}
