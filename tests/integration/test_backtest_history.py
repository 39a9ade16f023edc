"""Windows scored over the history of a real Prometheus, against the server's own log."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from itertools import pairwise

import aiohttp
import pytest
from tests.conftest import SCRAPE_INTERVAL
from tests.integration.service import Deployments, requests_between

from sloscore.analysis.expressions import expression
from sloscore.core.sli import RATE
from sloscore.evaluation.backtest import Row, Schedule, Window, backtest, windows_every
from sloscore.evaluation.plan import plan_window
from sloscore.settings import EvaluationSettings, PrometheusSettings
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.simulate.requests import Request
from sloscore.simulate.server import SimulatedServer
from sloscore.sources.prometheus import PrometheusSource
from sloscore.wire import Report, ScoreRequest

pytest_plugins = ["tests.integration.service_fixtures"]
pytestmark = pytest.mark.prometheus

SECONDS = 3.0


@pytest.fixture(scope="module")
def begun(deployments: Deployments, prometheus: PrometheusProcess) -> float:
    """When some seconds began that Prometheus has scraped the quick deployment beyond."""
    address = deployments.quick.address
    begun = deployments.run(prometheus.wait_for_scrape(address, time.time()))
    deployments.run(prometheus.wait_for_scrape(address, begun + SECONDS + 1.0))
    return begun


@pytest.fixture
async def source(prometheus: PrometheusProcess) -> AsyncIterator[PrometheusSource]:
    source = PrometheusSource(PrometheusSettings(url=prometheus.url))
    yield source
    await source.close()


def request_of(address: str, server: str | None = "vllm") -> ScoreRequest:
    """SLOs on a quantile, a mean and a rate, none of which is ever broken."""
    limit = {"threshold": 5000.0}
    slo = {"latency": {"p50": limit}, "ttft": limit, "tpot": limit, "throughput": {"threshold": 1}}
    selector, window = {"instance": address}, {"start": 1, "end": 2}
    return ScoreRequest.model_validate(
        {"slo": slo, "selector": selector, "server": server, "window": window}
    )


async def score(
    source: PrometheusSource, windows: Sequence[Window], address: str, server: str | None = "vllm"
) -> list[Row]:
    request = request_of(address, server)
    settings = EvaluationSettings(closing_wait=10.0)
    async with asyncio.timeout(60):
        found = backtest(source, request, windows, settings, time.time())
        async with aclosing(found):
            return [row async for row in found]


def report_of(row: Row) -> Report:
    assert row.report is not None, row.failure
    assert row.report.window is not None
    return row.report


def requests_of(row: Row) -> float:
    window = report_of(row).window
    assert window is not None
    return window.requests


def logged(server: SimulatedServer, row: Row) -> list[Request]:
    """What finished between the scrapes that a row says it counted between."""
    return requests_between(server, report_of(row).model_dump(mode="json")["window"])


def observed_end(row: Row) -> float:
    window = report_of(row).window
    assert window is not None
    assert window.observed_end is not None
    return window.observed_end


def seconds_from(begun: float) -> tuple[Window, ...]:
    """Windows of a second each that meet in the middle between two scrapes."""
    start = begun + SCRAPE_INTERVAL / 2
    span = {"start": start, "end": start + SECONDS, "every": 1.0}
    return windows_every(Schedule.model_validate(span))


async def test_each_window_holds_what_the_server_finished_between_its_scrapes(
    source: PrometheusSource, deployments: Deployments, begun: float
) -> None:
    windows = seconds_from(begun)
    rows = await score(source, windows, deployments.quick.address)
    assert [row.window for row in rows] == list(windows)
    for row in rows:
        found = logged(deployments.quick, row)
        assert requests_of(row) == len(found) > 0
        report = report_of(row)
        mean = sum(request.latency for request in found) / len(found)
        assert report.base_score == pytest.approx(mean, rel=1e-9)


async def test_neighbours_lose_no_request_and_share_those_around_their_seam(
    source: PrometheusSource, deployments: Deployments, begun: float
) -> None:
    parts = seconds_from(begun)
    whole = Window(start=parts[0].start, end=parts[-1].end)
    seams = [Window(start=part.end, end=part.end + 0.001) for part in parts[:-1]]
    rows = await score(source, [*parts, whole, *seams], deployments.quick.address)
    neighbours, once, shared = rows[: len(parts)], rows[len(parts)], rows[len(parts) + 1 :]

    everything = logged(deployments.quick, once)
    seen = {request.number for row in neighbours for request in logged(deployments.quick, row)}
    assert seen == {request.number for request in everything}
    twice = sum(map(requests_of, shared))
    assert twice > 0
    assert sum(map(requests_of, neighbours)) == requests_of(once) + twice


async def test_neighbours_that_meet_at_a_scrape_add_up_to_the_whole(
    source: PrometheusSource, deployments: Deployments, begun: float
) -> None:
    address = deployments.quick.address
    cuts = sorted({observed_end(row) for row in await score(source, seconds_from(begun), address)})
    assert len(cuts) == len(seconds_from(begun))
    parts = [Window(start=start, end=end) for start, end in pairwise(cuts)]
    *counts, whole = map(
        requests_of, await score(source, [*parts, Window(start=cuts[0], end=cuts[-1])], address)
    )
    assert sum(counts) == whole > 0


async def test_a_server_that_nobody_names_is_recognised_and_its_absence_is_no_data(
    source: PrometheusSource, deployments: Deployments, begun: float
) -> None:
    before = Window(start=begun - 7200, end=begun - 7199)
    during = Window(start=begun, end=begun + SECONDS)
    rows = await score(source, [before, during], deployments.quick.address, server=None)
    assert [row.status for row in rows] == ["NO_DATA", "SUCCESS"]
    assert rows[0].reason == "the selector matched no series in the window"
    assert requests_of(rows[1]) == len(logged(deployments.quick, rows[1]))


async def test_what_promql_says_over_a_window_cut_at_scrapes_is_what_it_counted(
    source: PrometheusSource, prometheus: PrometheusProcess, deployments: Deployments, begun: float
) -> None:
    address = deployments.quick.address
    (row,) = await score(source, [Window(start=begun, end=begun + SECONDS)], address)
    report = report_of(row)
    assert report.window is not None
    assert report.window.observed_start is not None
    end = observed_end(row)
    # Prometheus 3 leaves out a sample at the far end of a range.
    seconds = end - report.window.observed_start + 0.1
    rules = plan_window(request_of(address)).rules.limits
    target = plan_window(request_of(address)).target
    for (sli, _), found in zip(rules, report.slis, strict=True):
        query = expression(sli, target, seconds)
        assert query is not None
        theirs = await ask(prometheus, query, end)
        assert found.value is not None
        # rate() extrapolates all buckets alike, but tokens are counted over the range alone.
        assert theirs == pytest.approx(found.value, rel=0.5 if sli.statistic == RATE else 1e-9)


async def ask(prometheus: PrometheusProcess, query: str, at: float) -> float:
    form = {"query": query, "time": f"{at:.3f}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{prometheus.url}/api/v1/query", data=form) as reply,
    ):
        (row,) = (await reply.json())["data"]["result"]
    return float(row["value"][1])
