"""Several instances under one selector: replicas that differ, and one server scraped twice."""

import itertools
from dataclasses import replace

import pytest
from tests.integration.pages import HOST, Engine, PageServer
from tests.integration.traps import (
    Ports,
    between_scrapes,
    check_counts,
    check_no_data,
    plan_of,
    settled,
    window_of,
)

from sloscore.evaluation.plan import Plan
from sloscore.sources.prometheus import PrometheusSource

pytestmark = pytest.mark.prometheus
pytest_plugins = ["tests.integration.trap_fixtures"]


async def test_replicas_with_different_bounds_are_judged_where_both_tell_their_counts(
    ports: Ports, source: PrometheusSource
) -> None:
    one, other = Engine(bounds=(0.5, 1.0, 2.0)), Engine(bounds=(0.2, 1.0, 4.0))
    first, second = ports["replicas"]
    async with PageServer(one.answer, first), PageServer(other.answer, second):
        start = await between_scrapes(one, other, more=2)
        one.finish(0.6, times=20)
        other.finish(3.0, times=200)
        end = await between_scrapes(one, other)
        report = await settled(source, plan_of("replicas"), start, end)

    check_counts(report, [*one.log, *other.log])
    (latency, _) = report.slis
    assert (latency.verdict, latency.certain, latency.requests_over) == ("violated", True, 200)
    assert window_of(report).instances == 2


async def test_replicas_without_a_common_bound_have_no_certain_quantile(
    ports: Ports, source: PrometheusSource
) -> None:
    one, other = Engine(bounds=(0.5, 1.5)), Engine(bounds=(1.0, 2.0))
    first, second = ports["strangers"]
    async with PageServer(one.answer, first), PageServer(other.answer, second):
        start = await between_scrapes(one, other, more=2)
        one.finish(1.2, times=200)
        other.finish(1.2, times=200)
        end = await between_scrapes(one, other)
        report = await settled(source, plan_of("strangers"), start, end)

    check_counts(report, [*one.log, *other.log])
    (latency, _) = report.slis
    # Neither 1.0 nor 1.5 tells anything of both.
    assert (latency.lower, latency.upper) == (0.5, 2.0)
    assert (latency.certain, latency.uncertainty) == (False, "buckets")


def by_address(ports: Ports, job: str) -> Plan:
    """An experiment on whatever has this address."""
    plan = plan_of(job)
    selector = (("instance", f"{HOST}:{ports[job][0]}"),)
    return replace(plan, target=replace(plan.target, selector=selector))


async def test_a_server_that_two_jobs_scrape_counts_once(
    ports: Ports, source: PrometheusSource
) -> None:
    engine = Engine()
    async with PageServer(engine.answer, ports["twice"][0]):
        start = await between_scrapes(engine, more=4)
        engine.finish(0.75, times=20)
        end = await between_scrapes(engine, more=4)
        report = await settled(source, by_address(ports, "twice"), start, end)

    check_counts(report, engine.log)
    assert window_of(report).instances == 1
    (latency, _) = report.slis
    assert latency.requests == 20


async def test_a_server_that_two_jobs_scrape_and_that_hides_its_start_is_no_data(
    ports: Ports, source: PrometheusSource
) -> None:
    engine = Engine(tells_start=False)
    async with PageServer(engine.answer, ports["anonymous"][0]) as server:
        start = await between_scrapes(engine, more=4)
        engine.finish(0.75, times=20)
        end = await between_scrapes(engine, more=4)
        both = await settled(source, by_address(ports, "anonymous"), start, end)
        one = await settled(source, plan_of("anonymous"), start, end)

    check_no_data(both, f"several jobs scrape {server.address}, whose requests may be counted more")
    assert "add its job to the selector" in str(both.reason)
    check_counts(one, engine.log)


async def test_processes_that_take_turns_and_hide_their_starts_are_no_data(
    ports: Ports, source: PrometheusSource
) -> None:
    busy, idle = Engine(tells_start=False), Engine(tells_start=False)
    busy.finish(0.25, times=50)
    turns = itertools.cycle([busy, idle])
    async with PageServer(lambda asked: next(turns).answer(asked), ports["balanced"][0]) as server:
        start = await between_scrapes(busy, more=2)
        end = await between_scrapes(busy, more=3)
        report = await settled(source, plan_of("balanced"), start, end)

    check_no_data(report, f"several processes answer at {server.address} in turn")


async def test_a_replica_that_no_scrape_reached_leaves_nothing_certain(
    ports: Ports, source: PrometheusSource
) -> None:
    engine = Engine()
    reached, unreached = ports["unreached"]
    async with PageServer(engine.answer, reached):
        start = await between_scrapes(engine, more=2)
        engine.finish(0.25, times=400)
        end = await between_scrapes(engine, more=4)
        report = await settled(source, plan_of("unreached"), start, end)

    check_counts(report, engine.log)
    (latency, _) = report.slis
    assert (latency.verdict, latency.certain, latency.uncertainty) == ("met", False, "window")
    assert f"every scrape of {HOST}:{unreached} failed" in latency.explanation
