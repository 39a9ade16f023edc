"""Which source a target goes to, and what is said where there is no Prometheus."""

import time
from collections.abc import AsyncIterator

import pytest
from tests.integration.pages import FAMILIES, PageServer
from tests.integration.scraping import followed, is_up, once

from sloscore.core.samples import Target
from sloscore.errors import SourceError
from sloscore.settings import PrometheusSettings, ScrapeSettings
from sloscore.sources.prometheus import PrometheusSource
from sloscore.sources.routed import RoutedSource
from sloscore.sources.scrape import ScrapeSource

pytest_plugins = ["tests.integration.scrape_fixtures"]

# Nobody listens on this port.
AWAY = PrometheusSettings(url="http://127.0.0.1:1")
ASKED = Target("asked", (("instance", "a:1"),), FAMILIES)


@pytest.fixture(params=[False, True], ids=["without a Prometheus", "with one that is away"])
async def routed(request: pytest.FixtureRequest) -> AsyncIterator[RoutedSource]:
    prometheus = PrometheusSource(AWAY) if request.param else None
    source = RoutedSource(prometheus, ScrapeSource(ScrapeSettings()))
    yield source
    await source.close()


def reason(source: RoutedSource) -> str:
    if source._prometheus is None:
        return "no Prometheus is set: give the experiment a target"
    return "cannot reach Prometheus at http://127.0.0.1:1"


async def test_a_target_with_a_url_needs_no_prometheus(
    routed: RoutedSource, server: PageServer
) -> None:
    target = followed(server)
    (first,) = await routed.capture(target)
    routed.restore(target, [first], since=first.time)
    await server.asked_again(2, "/t")

    samples = await routed.samples(target, 0.0, time.time())

    assert samples[0] == first
    assert {sample.instance for sample in samples} == {("", server.address)}
    assert "vllm:generation_tokens_total" in await routed.names(target, time.time(), 60.0)


async def test_a_target_without_a_url_says_why_it_has_no_data(routed: RoutedSource) -> None:
    found = (await routed.snapshot([ASKED], time.time()))["asked"]

    assert reason(routed) in str(found)
    for asking in (
        routed.samples(ASKED, time.time() - 60, time.time()),
        routed.names(ASKED, time.time(), 60.0),
    ):
        with pytest.raises(SourceError) as raised:
            await asking
        assert reason(routed) in str(raised.value)


async def test_targets_of_both_kinds_are_answered_together(
    routed: RoutedSource, server: PageServer
) -> None:
    target = followed(server)
    routed.restore(target, ())
    await once(routed, target, is_up)

    found = await routed.snapshot([ASKED, target], time.time())

    assert is_up(found["t"])
    assert isinstance(found["asked"], SourceError)


async def test_only_targets_with_a_url_are_captured_and_followed(routed: RoutedSource) -> None:
    routed.restore(ASKED, ())

    assert await routed.capture(ASKED) == []
    with pytest.raises(SourceError, match="is not followed"):
        await routed._scrape.samples(ASKED, 0.0, time.time())


async def test_a_routed_target_can_be_forgotten(routed: RoutedSource, server: PageServer) -> None:
    target = followed(server)
    routed.restore(target, ())
    await once(routed, target, is_up)

    routed.forget("t")

    with pytest.raises(SourceError, match="is not followed"):
        await routed.samples(target, 0.0, time.time())


async def test_it_is_ready_where_no_prometheus_is_wanted(routed: RoutedSource) -> None:
    if routed._prometheus is None:
        await routed.check()
    else:
        with pytest.raises(SourceError, match="cannot reach Prometheus"):
            await routed.check()
