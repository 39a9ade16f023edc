"""A direct scrape of one server: what the tests of it share."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

import pytest
from aiohttp import web
from tests.integration.pages import FAMILIES, PATIENCE, TEXT, Answer, PageServer, page_of

from sloscore.core.samples import InstanceSample, Target
from sloscore.errors import SourceError
from sloscore.sources.base import MetricSource, Snapshot
from sloscore.sources.scrape import ScrapeSource

# Seconds between scrapes: as often as a test can use, and not a second time.
OFTEN = 0.02
SELDOM = 3600.0
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
Connect = Callable[..., ScrapeSource]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def target(url: str) -> Target:
    return Target("t", (), FAMILIES, url=url)


async def shown(source: ScrapeSource, url: str) -> InstanceSample:
    (sample,) = await source.capture(target(url))
    return sample


def requests(sample: InstanceSample) -> list[float]:
    return [histogram.count for histogram in sample.histograms.values()]


async def failure(source: ScrapeSource, url: str) -> SourceError:
    with pytest.raises(SourceError) as raised:
        await source.capture(target(url))
    return raised.value


def always(
    body: bytes | str,
    content_type: str = TEXT,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        response = page_of(body, content_type, status)
        response.headers.update(headers or {})
        return response

    return answer


async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


def seen(found: Snapshot | SourceError) -> Snapshot:
    assert not isinstance(found, SourceError), found
    return found


def followed(server: PageServer, name: str = "t", interval: float | None = OFTEN) -> Target:
    """A target at a path of its own, so that its requests can be told."""
    url = f"http://{server.address}/{name}"
    return Target(name, (), FAMILIES, url=url, scrape_interval=interval)


async def once(
    source: MetricSource, target: Target, holds: Callable[[Snapshot | SourceError], bool]
) -> Snapshot | SourceError:
    """The first snapshot of now that something holds of."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = (await source.snapshot([target], time.time()))[target.key]
            if holds(found):
                return found
            await asyncio.sleep(0.01)


def is_up(found: Snapshot | SourceError) -> bool:
    return not isinstance(found, SourceError) and any(sample.up for sample in found)


def is_down(found: Snapshot | SourceError) -> bool:
    return not isinstance(found, SourceError) and any(sample.up is False for sample in found)


def has_failed(found: Snapshot | SourceError) -> bool:
    return isinstance(found, SourceError)
