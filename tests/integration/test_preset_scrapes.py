"""Every exposition of the fixtures, scraped by a real Prometheus and read through its API."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.expositions import FILES, PLACE, expected, families, preset_of_file, values

from sloscore.core.samples import Target
from sloscore.settings import PrometheusSettings
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.sources.prometheus import PrometheusSource
from sloscore.spec.detect import recognise

pytestmark = pytest.mark.prometheus


def exporter(file: str) -> web.Application:
    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=(PLACE / file).read_bytes(), content_type="text/plain")

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    return app


@pytest.fixture
async def scraped(prometheus: PrometheusProcess) -> AsyncIterator[Mapping[str, tuple[str, float]]]:
    """The address of each file's exporter, and the time of a scrape that succeeded."""
    async with AsyncExitStack() as stack:
        began = time.time()
        found = {}
        for file in FILES:
            server = await stack.enter_async_context(TestServer(exporter(file)))
            found[file] = f"{server.host}:{server.port}"
        prometheus.add_targets("expositions", list(found.values()))
        times = await asyncio.gather(
            *(prometheus.wait_for_scrape(a, began) for a in found.values())
        )
        yield dict(zip(found, zip(found.values(), times, strict=True), strict=True))
        prometheus.remove_targets(list(found.values()))


async def names(prometheus: PrometheusProcess, address: str) -> list[str]:
    url = f"{prometheus.url}/api/v1/label/__name__/values"
    parameters = {"match[]": f'{{instance="{address}"}}'}
    async with aiohttp.ClientSession() as session, session.get(url, params=parameters) as reply:
        found: list[str] = (await reply.json())["data"]
        return found


async def test_servers_are_recognised_and_read_through_a_real_prometheus(
    prometheus: PrometheusProcess, scraped: Mapping[str, tuple[str, float]]
) -> None:
    source = PrometheusSource(PrometheusSettings(url=prometheus.url))
    targets = {f: Target(f, (("instance", a),), families(f)) for f, (a, _) in scraped.items()}
    try:
        for file, target in targets.items():
            address, time_of_scrape = scraped[file]
            # A later scrape may have found a machine too busy to answer.
            latest = (await source.snapshot(list(targets.values()), time_of_scrape))[file]
            assert not isinstance(latest, Exception), latest
            (sample,) = latest
            assert values(sample) == pytest.approx(expected(file))
            assert await source.samples(target, sample.time - 0.001, sample.time) == [sample]
            listed = await names(prometheus, address)
            assert recognise(listed) == preset_of_file(file)
    finally:
        await source.close()
