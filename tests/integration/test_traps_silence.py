"""Windows in which there is nothing to judge: never a pass."""

import pytest
from aiohttp import web
from tests.integration.pages import Engine, PageServer, page_of
from tests.integration.traps import (
    Ports,
    between_scrapes,
    check_counts,
    check_no_data,
    plan_of,
    settled,
    window_of,
)

from sloscore.sources.prometheus import PrometheusSource

pytestmark = pytest.mark.prometheus
pytest_plugins = ["tests.integration.trap_fixtures"]


async def test_a_server_without_traffic_in_the_window_is_no_data(
    ports: Ports, source: PrometheusSource
) -> None:
    engine = Engine(born=1.6e9)
    engine.finish(0.25, times=100)
    async with PageServer(engine.answer, ports["idle"][0]):
        start = await between_scrapes(engine, more=2)
        end = await between_scrapes(engine)
        report = await settled(source, plan_of("idle"), start, end)

    check_no_data(report, "no requests finished in the window")
    window = window_of(report)
    assert (window.requests, window.instances, window.unseen_tail) == (0, 1, 0)


async def test_a_selector_of_nothing_is_no_data(ports: Ports, source: PrometheusSource) -> None:
    engine = Engine(born=1.6e9)
    engine.finish(0.25, times=100)
    async with PageServer(engine.answer, ports["idle"][0]):
        start = await between_scrapes(engine, more=2)
        engine.finish(0.25, times=100)
        end = await between_scrapes(engine)
        nobody = plan_of("idle", model_name="another")
        report = await settled(source, nobody, start, end, closing_wait=0.5)

    check_no_data(report, "the selector matched no series of this server's metrics in the window")
    assert window_of(report).requests == 0


async def test_exporters_of_something_else_are_no_data(
    ports: Ports, source: PrometheusSource
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return page_of("node_load1 0.5\nprocess_start_time_seconds 1.6e9\n")

    engine = Engine(born=1.6e9)
    async with (
        PageServer(answer, ports["other"][0]) as other,
        PageServer(engine.answer, ports["idle"][0]),
    ):
        await other.asked_again(2)
        start = await between_scrapes(engine)
        end = await between_scrapes(engine)
        report = await settled(source, plan_of("other"), start, end)

    check_no_data(report, "the selector matched no series of this server's metrics in the window")
    assert window_of(report).instances == 0


async def test_what_lies_beyond_the_last_bucket_is_judged_by_what_is_known(
    ports: Ports, source: PrometheusSource
) -> None:
    engine = Engine(born=1.6e9, bounds=(0.5, 1.0, 2.0))
    async with PageServer(engine.answer, ports["beyond"][0]):
        start = await between_scrapes(engine, more=2)
        # Whatever 50 s is, histogram_quantile gives 2.
        engine.finish(50.0, times=20)
        end = await between_scrapes(engine)
        over, under, on = [
            await settled(source, plan_of("beyond", threshold), start, end)
            for threshold in (1.0, 5.0, 2.0)
        ]

    check_counts(over, engine.log)
    check_counts(on, engine.log)
    for report in (over, on):
        (latency, _) = report.slis
        assert (latency.verdict, latency.certain) == ("violated", True)
        assert (latency.lower, latency.upper) == (2.0, float("inf"))
    (latency, throughput) = under.slis
    assert (under.status, under.score) == ("NO_DATA", None)
    assert (latency.verdict, latency.value) == ("no_data", None)
    assert "it lies above the last bucket bound, 2" in latency.explanation
    assert throughput.verdict == "met"
