"""What every metric source promises, on a real Prometheus and on the pages themselves alike."""

import asyncio
import bisect
import itertools
import math
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.integration.contract_lab import (
    KINDS,
    NASTY,
    RICH,
    SERVERS,
    Lab,
    Reader,
    requests,
    seen,
    shows_requests,
)
from tests.integration.pages import PATIENCE

from sloscore.errors import SourceError
from sloscore.evaluation.replay import replay
from sloscore.experiments.window import WindowAccumulator
from sloscore.settings import PrometheusSettings, ScrapeSettings
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.simulate.server import SimulatedServer
from sloscore.sources.prometheus import PrometheusSource
from sloscore.sources.routed import RoutedSource
from sloscore.sources.scrape import ScrapeSource
from sloscore.spec.preset import load_preset

pytestmark = pytest.mark.prometheus


@pytest.fixture(scope="module")
def lab(prometheus: PrometheusProcess) -> Iterator[Lab]:
    """Pages and servers; those of the kinds that ask Prometheus are scraped by it."""
    lab = Lab()
    lab.start()
    addresses = []
    for kind, name in (*lab.pages, *lab.servers):
        if "prometheus" in kind:
            addresses.append(lab.address(kind, name))
            prometheus.add_targets(f"{kind}-{name}", addresses[-1:])
    yield lab
    prometheus.remove_targets(addresses)
    lab.stop()


@pytest.fixture(params=KINDS)
async def reader(
    request: pytest.FixtureRequest, prometheus: PrometheusProcess, lab: Lab
) -> AsyncIterator[Reader]:
    asked = PrometheusSource(PrometheusSettings(url=prometheus.url))
    scraped = ScrapeSource(ScrapeSettings())
    both = RoutedSource(asked, scraped)
    readers = {
        "prometheus": Reader("prometheus", lab, asked, None),
        "page": Reader("page", lab, scraped, scraped),
        "routed-prometheus": Reader("routed-prometheus", lab, both, both),
        "routed-page": Reader("routed-page", lab, both, both),
    }
    yield readers[request.param]
    await both.close()


async def test_samples_hold_every_scrape_once_in_order(reader: Reader) -> None:
    samples = await reader.history(reader.target("counting"), scrapes=5)

    first = requests(samples[0])
    assert [requests(sample) for sample in samples] == [first + n for n in range(len(samples))]
    assert all(a.time < b.time for a, b in itertools.pairwise(samples))
    address = reader.lab.address(reader.kind, "counting")
    assert {(s.instance[1], s.up, s.process_start) for s in samples} == {(address, True, 1.6e9)}


async def test_samples_leave_out_what_is_at_after_and_hold_what_is_at_until(
    reader: Reader,
) -> None:
    target = reader.target("counting")
    samples = await reader.history(target, scrapes=5)
    first, middle, last = (samples[number].time for number in (0, 2, 4))

    inner = await reader.source.samples(target, first, last)
    early = await reader.source.samples(target, first, middle)
    late = await reader.source.samples(target, middle, last)

    assert list(inner) == list(samples[1:5])
    assert [*early, *late] == list(inner)
    assert list(await reader.source.samples(target, last, last)) == []


async def test_a_snapshot_is_the_newest_sample_at_or_before_its_time(reader: Reader) -> None:
    target = reader.target("counting")
    samples = await reader.history(target, scrapes=4)

    for before, sample in itertools.pairwise(samples[:4]):
        assert list(seen(await reader.snapshot(target, sample.time))) == [sample]
        assert list(seen(await reader.snapshot(target, sample.time - 0.002))) == [before]
    assert list(seen(await reader.snapshot(target, samples[0].time - 0.002))) == []


async def test_names_units_and_label_values_come_as_they_are(reader: Reader) -> None:
    target = reader.target("rich", RICH)

    (sample,) = seen(await reader.once(target, shows_requests))

    numbers = {(("m", value),) if value else (): n for n, value in enumerate(NASTY, start=1)}
    children = {c.labels: h for c, h in sample.histograms.items()}
    # Prometheus has no empty labels.
    counts = {tuple(p for p in labels if p[1]): h.count for labels, h in children.items()}
    assert counts == numbers
    assert {histogram.bounds for histogram in children.values()} == {(0.5, 1.0, math.inf)}
    assert sum(histogram.sum for histogram in children.values()) == pytest.approx(
        0.7 * sum(numbers.values())
    )
    totals = {
        (child.role, tuple(p for p in child.labels if p[1])): value
        for child, value in sample.counters.items()
    }
    assert totals == {("tokens", c): n for c, n in numbers.items()} | {("steps", ()): 12.5}
    assert sample.process_start == 1.6e9
    names = await reader.source.names(target, time.time(), 60.0)
    assert {"lab:ttft_ms_bucket", "lab:tokens_total", "lab:steps"} < names


async def test_a_server_that_is_down_is_never_an_empty_success(reader: Reader) -> None:
    target = reader.target("down")

    found = await reader.once(target, lambda found: isinstance(found, SourceError) or bool(found))

    window = WindowAccumulator(time.time())
    if isinstance(found, SourceError):
        assert "HTTP 500" in str(found)
    else:
        assert [(sample.up, sample.histograms, sample.counters) for sample in found] == [
            (False, {}, {})
        ]
        window.feed(found)
    window.feed(await reader.source.samples(target, reader.lab.began, time.time()))
    assert window.counts().instances == 0


async def test_a_bad_target_fails_alone(reader: Reader) -> None:
    targets = [reader.target(name) for name in ("counting", "torn", "down")]
    await reader.once(targets[0], shows_requests)
    await reader.once(targets[1], lambda found: isinstance(found, SourceError))

    found = await reader.source.snapshot(targets, time.time())

    error = found["torn"]
    assert isinstance(error, SourceError)
    assert (error.kind, "torn" in str(error)) == ("decode", True)
    assert shows_requests(found["counting"])
    assert not shows_requests(found["down"])


async def test_a_restart_is_seen_by_the_scrapes_around_it(reader: Reader) -> None:
    samples = await reader.history(reader.target("restarting"), scrapes=8)

    told = [(s.up, s.process_start, s.up and requests(s)) for s in samples[:8]]
    assert told == [
        *((True, 1.6e9, number) for number in (1, 2, 3, 4)),
        *((False, None, False) for _ in range(2)),
        *((True, 1.7e9, number) for number in (10, 11)),
    ]
    window = WindowAccumulator(samples[0].time)
    window.feed(samples[:8])
    counts = window.counts()
    # Three more than at the start, and all of the second process.
    assert (counts.histograms["latency"].count, counts.resets) == (3 + 11, 1)


@pytest.mark.parametrize("server", SERVERS)
async def test_a_window_counts_what_the_log_says(reader: Reader, server: str) -> None:
    preset = load_preset(server)
    target = reader.target(server, preset.families(("latency", "ttft", "tpot", "tokens_out")))
    with reader.lab.loaded(reader.kind, server) as simulated:
        await wait_for_finished(simulated, 1)
        _, start = await reader.two_scrapes(target, time.time())
        await wait_for_finished(simulated, 20)
        before, closing = await reader.two_scrapes(target, time.time())
    window = await replay(reader.source, target, start, (before + closing) / 2, time.time())

    assert not window.awaits_scrape
    counts = window.counts()
    assert (counts.observed_start, counts.observed_end) == (start, closing)
    shown = [shown_at(simulated, at) for at in (start, closing)]
    log = [each.request for each in simulated.log[shown[0] : shown[1]]]
    assert len(log) >= 20
    latencies = sorted(request.latency for request in log)
    histogram = counts.histograms["latency"]
    assert histogram.cumulative == tuple(
        bisect.bisect_right(latencies, b) for b in histogram.bounds
    )
    assert histogram.sum == pytest.approx(math.fsum(latencies))
    assert counts.histograms["tpot"].count == len(log)
    assert counts.counters["tokens_out"] == sum(request.output_tokens for request in log)
    assert (counts.instances, counts.resets, counts.unseen_head, counts.unseen_tail) == (1, 0, 0, 0)


async def wait_for_finished(server: SimulatedServer, more: int) -> None:
    """Until so many more requests have finished."""
    wanted = len(server.log) + more
    async with asyncio.timeout(PATIENCE):
        while len(server.log) < wanted:  # noqa: ASYNC110  it tells nobody
            await asyncio.sleep(0.02)


def shown_at(server: SimulatedServer, scraped: float) -> int:
    """How many requests a scrape showed that was asked for then."""
    # Prometheus moves times by up to 2 ms so that they compress better.
    scrapes = list(server.scrapes)
    return scrapes[bisect.bisect_left(scrapes, scraped - 0.003, key=lambda s: s.at)].finished
