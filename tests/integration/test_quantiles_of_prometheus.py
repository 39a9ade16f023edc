"""Quantiles and means of random histograms against those that a real Prometheus computes."""

import math
import random
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from sloscore.core.histogram import Histogram
from sloscore.core.nodata import NoData
from sloscore.core.samples import Family, FamilyKind, Target
from sloscore.core.sli import Estimate, parse_percentile
from sloscore.errors import SourceError
from sloscore.settings import PrometheusSettings
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.sources.prometheus import PrometheusSource

pytestmark = pytest.mark.prometheus

JOB = "quantiles"
METRIC = "lab_random_seconds"
TARGET = Target("q", (("job", JOB),), (Family("latency", FamilyKind.HISTOGRAM, (METRIC,)),))
PERCENTILES = ("p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "p99.5", "p99.9")
HISTOGRAMS = 200
INF = math.inf
BOUNDS = (
    (0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, INF),
    (0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.04, 0.06, 0.1, 0.4, 1.0, 4.0, 8.0, INF),
    (0.0, 0.001, 0.005, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0, INF),
    (0.0, 2.0, INF),
    (1.0, 5.0, INF),
    (2.5, INF),
    (*(0.001 * 1.62**k for k in range(30)), INF),
)


class Exposed(NamedTuple):
    bounds: tuple[float, ...]
    cumulative: tuple[float, ...]
    sum: float


def in_first(chance: random.Random, buckets: int) -> Iterable[int]:
    return [10 ** chance.randint(0, 6), *[0] * (buckets - 1)]


def in_infinity(chance: random.Random, buckets: int) -> Iterable[int]:
    return [*[0] * (buckets - 1), 10 ** chance.randint(0, 6)]


def spread(chance: random.Random, buckets: int) -> Iterable[int]:
    return [chance.randint(0, 50_000) for _ in range(buckets)]


def with_holes(chance: random.Random, buckets: int) -> Iterable[int]:
    return [chance.choice((0, 0, 0, 1, 1000)) for _ in range(buckets)]


def heavy_tailed(chance: random.Random, buckets: int) -> Iterable[int]:
    return [round(10 ** chance.uniform(0, 6) * 0.5**k) for k in range(buckets)]


def few(chance: random.Random, buckets: int) -> Iterable[int]:
    places = [chance.randrange(buckets) for _ in range(chance.randint(1, 5))]
    return [places.count(k) for k in range(buckets)]


SHAPES = (in_first, in_infinity, spread, with_holes, heavy_tailed, few)


def make_histograms(seed: int) -> dict[str, Exposed]:
    """Histograms of every shape on every set of bounds, by the value of their label."""
    chance = random.Random(seed)
    made: dict[str, Exposed] = {}
    while len(made) < HISTOGRAMS:
        bounds = BOUNDS[len(made) % len(BOUNDS)]
        counts = list(SHAPES[len(made) % len(SHAPES)](chance, len(bounds)))
        counts[chance.randrange(len(bounds))] += sum(counts) == 0
        cumulative = tuple(float(sum(counts[: k + 1])) for k in range(len(counts)))
        total = sum(counts) * chance.lognormvariate(0, 2)
        made[str(len(made))] = Exposed(bounds, cumulative, total)
    return made


EXPOSED = make_histograms(seed=20)


class Page(Collector):
    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(METRIC, "Random.", labels=["case"])
        for case, (bounds, cumulative, total) in EXPOSED.items():
            bucket = [
                ("+Inf" if math.isinf(bound) else repr(bound), count)
                for bound, count in zip(bounds, cumulative, strict=True)
            ]
            family.add_metric([case], bucket, total)
        yield family


@pytest.fixture(scope="module")
def address(prometheus: PrometheusProcess) -> Iterator[str]:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Page())
    server, thread = start_http_server(0, "127.0.0.1", registry)
    address = f"127.0.0.1:{server.server_port}"
    prometheus.add_targets(JOB, [address])
    yield address
    prometheus.remove_targets([address])
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
async def scraped(prometheus: PrometheusProcess, address: str) -> float:
    return await prometheus.wait_for_scrape(address, after=0)


@pytest.fixture
async def read(prometheus: PrometheusProcess, scraped: float) -> Mapping[str, Histogram]:
    """The histograms as the source reads them, by the value of their label."""
    source = PrometheusSource(PrometheusSettings(url=prometheus.url))
    found = (await source.snapshot([TARGET], scraped))[TARGET.key]
    await source.close()
    assert not isinstance(found, SourceError), found
    (sample,) = found
    return {dict(child.labels)["case"]: h for child, h in sample.histograms.items()}


async def ask(prometheus: PrometheusProcess, query: str, at: float) -> dict[str, float]:
    data = {"query": query, "time": repr(at)}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{prometheus.url}/api/v1/query", data=data) as reply,
    ):
        answer = await reply.json()
    rows = answer["data"]["result"]
    return {row["metric"]["case"]: float(row["value"][1]) for row in rows}


async def test_every_histogram_is_read_as_it_was_exposed(read: Mapping[str, Histogram]) -> None:
    assert read == {case: Histogram(*exposed) for case, exposed in EXPOSED.items()}


@pytest.mark.parametrize("percentile", PERCENTILES)
async def test_a_quantile_is_that_of_histogram_quantile_and_lies_in_its_interval(
    prometheus: PrometheusProcess, read: Mapping[str, Histogram], scraped: float, percentile: str
) -> None:
    q = parse_percentile(percentile)

    theirs = await ask(prometheus, f"histogram_quantile({q!r}, {METRIC}_bucket)", scraped)

    ours = {case: histogram.quantile(q) for case, histogram in read.items()}
    assert set(ours) == set(theirs) == set(EXPOSED)
    for case, estimate in ours.items():
        assert isinstance(estimate, Estimate)
        assert estimate.value == pytest.approx(theirs[case], rel=1e-9, abs=0), case
        assert estimate.lower <= theirs[case] <= estimate.upper, case


async def test_the_mean_is_the_sum_over_the_count(
    prometheus: PrometheusProcess, read: Mapping[str, Histogram], scraped: float
) -> None:
    theirs = await ask(prometheus, f"{METRIC}_sum / {METRIC}_count", scraped)

    ours = {case: histogram.mean() for case, histogram in read.items()}

    assert set(ours) == set(theirs) == set(EXPOSED)
    for case, estimate in ours.items():
        assert not isinstance(estimate, NoData)
        assert estimate.value == pytest.approx(theirs[case], rel=1e-9, abs=0), case
