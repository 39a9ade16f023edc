"""Native histograms of a real Prometheus 3: counts, windows and quantiles."""

import asyncio
import dataclasses
import math
import random
import time
from bisect import bisect_right
from collections.abc import Mapping

import aiohttp
import pytest
from tests.integration.native_lab import CASES, SELF_JOBS, STAMP, VALUES, observed, reads, scraped
from tests.integration.native_page import NativePage

from sloscore.core.histogram import Histogram, Layout
from sloscore.core.samples import Family, FamilyKind, Target
from sloscore.core.sli import Estimate, parse_percentile
from sloscore.evaluation.plan import plan_registration
from sloscore.evaluation.replay import open_window, replay
from sloscore.evaluation.settle import settle
from sloscore.experiments.model import new_experiment
from sloscore.experiments.window import WindowAccumulator, WindowCounts
from sloscore.settings import EvaluationSettings
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.simulate.requests import Deployment, Workload
from sloscore.simulate.server import SimulatedServer
from sloscore.sources.prometheus import PrometheusSource
from sloscore.wire import Registration, Report

pytestmark = pytest.mark.prometheus
pytest_plugins = ["tests.integration.native_fixtures"]

PERCENTILES = ("p1", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "p99.9")
SELF = "prometheus_http_request_duration_seconds"
HANDLER = "/api/v1/labels"


async def ask(prometheus: PrometheusProcess, query: str, at: float) -> dict[str, float]:
    data = {"query": query, "time": repr(at)}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{prometheus.url}/api/v1/query", data=data) as reply,
    ):
        answer = await reply.json()
    rows = answer["data"]["result"]
    return {row["metric"]["case"]: float(row["value"][1]) for row in rows}


async def test_quantiles_of_exponential_buckets_are_those_of_histogram_quantile(
    native_prometheus: PrometheusProcess, native_source: PrometheusSource
) -> None:
    (sample,) = await scraped(native_source, reads("cases", "lab_native_seconds"))
    read = {dict(child.labels)["case"]: h for child, h in sample.histograms.items()}
    assert set(read) == set(CASES)
    assert {histogram.layout for histogram in read.values()} == {Layout.EXPONENTIAL}
    at_a_gap = 0
    for percentile in PERCENTILES:
        q = parse_percentile(percentile)
        query = f"histogram_quantile({q!r}, lab_native_seconds)"
        theirs = await ask(native_prometheus, query, sample.time + STAMP)
        assert set(theirs) == set(CASES)
        for case, histogram in read.items():
            ours = histogram.quantile(q)
            assert isinstance(ours, Estimate)
            beyond = end_of_gap(histogram, q)
            if beyond is not None and theirs[case] != pytest.approx(ours.value):
                # Upper quantiles are counted from above there, which ends at the gap's other side.
                at_a_gap += 1
                assert theirs[case] == pytest.approx(beyond, rel=1e-9), (case, q)
                assert ours.value == pytest.approx(ours.upper, rel=1e-9)
            else:
                assert ours.value == pytest.approx(theirs[case], rel=1e-9, abs=1e-30), (case, q)
    assert 0 < at_a_gap < len(CASES)


def end_of_gap(histogram: Histogram, q: float) -> float | None:
    """Where the rank is that of the last request below empty buckets, the end of these."""
    rank = q * histogram.count
    ends = [
        bound
        for bound, count in zip(histogram.bounds, histogram.cumulative, strict=True)
        if math.isclose(rank, count)
    ]
    return ends[-1] if ends else None


async def test_each_case_is_read_as_it_was_exposed(native_source: PrometheusSource) -> None:
    (sample,) = await scraped(native_source, reads("cases", "lab_native_seconds"))

    for child, histogram in sample.histograms.items():
        exposed = CASES[dict(child.labels)["case"]]
        assert histogram.count == exposed.count
        assert histogram.sum == pytest.approx(exposed.sum)
        assert histogram.count_at_or_under(exposed.zero_threshold) == exposed.zeros
        for power in (-4, 0, 1, 4, 8):
            bound = 2.0**power
            index = power * 2.0**exposed.schema
            if index.is_integer():
                inside = sum(n for i, n in exposed.positive.items() if i <= index)
                assert histogram.count_at_or_under(bound) == exposed.zeros + inside
    counted = {dict(child.labels)["case"]: count for child, count in sample.counters.items()}
    assert counted == {case: exposed.count for case, exposed in CASES.items()}


class Watched:
    """A window that is fed live, scrape by scrape, and replayed at its end."""

    def __init__(self, source: PrometheusSource, target: Target) -> None:
        self.source, self.target = source, target
        self.start = 0.0
        self.window: WindowAccumulator | None = None

    async def begin(self) -> None:
        await scraped(self.source, self.target)
        self.start = time.time()
        self.window = await open_window(self.source, self.target, self.start)

    async def look(self) -> None:
        assert self.window is not None
        self.window.feed(await scraped(self.source, self.target))

    async def end(self) -> WindowCounts:
        """The counts, which a replay gives as well."""
        assert self.window is not None
        live = self.window.counts()
        now = time.time()
        again = (await replay(self.source, self.target, self.start, now, now)).counts()
        assert again.histograms == live.histograms
        assert again.counters == live.counters
        assert again.resets == live.resets
        return live


async def test_a_window_outlives_a_drop_of_resolution(
    native_pages: Mapping[str, NativePage], native_source: PrometheusSource
) -> None:
    chance = random.Random(1)
    page = native_pages["coarser"]
    page.observe(chance.lognormvariate(0, 1) for _ in range(200))
    values: list[float] = []
    watched = Watched(native_source, reads("coarser", "lab_coarser_seconds"))
    await watched.begin()
    for drops in (0, 1, 2):
        new = [chance.lognormvariate(0.2, 0.8) for _ in range(300)]
        page.observe(new, drops=drops)
        values += new
        await watched.look()
    counts = await watched.end()

    assert (counts.resets, counts.histograms["latency"].count) == (0, len(values))
    assert_holds(counts.histograms["latency"], values, known=(0.25, 0.5, 2**0.25, 2, 4, 8))


def assert_holds(histogram: Histogram, values: list[float], known: tuple[float, ...]) -> None:
    """Counts at these bounds are told, all that are told are true, as are quantiles' intervals."""
    ordered = sorted(values)
    told = {bound: histogram.count_at_or_under(bound) for bound in (*known, *histogram.bounds)}
    assert all(told[bound] is not None for bound in known)
    for bound, count in told.items():
        # A bound of a schema is rounded; nothing was observed that near to one.
        assert count in (None, bisect_right(ordered, bound)), bound
    for q in (0.1, 0.5, 0.9, 0.99):
        estimate = histogram.quantile(q)
        assert isinstance(estimate, Estimate)
        truth = ordered[math.ceil(q * len(ordered)) - 1]
        assert estimate.least <= truth <= estimate.upper


@pytest.mark.parametrize("job", ["same", "finer"])
async def test_a_restart_that_overtakes_the_old_count_shows_by_its_buckets(
    native_pages: Mapping[str, NativePage], native_source: PrometheusSource, job: str
) -> None:
    page, is_finer = native_pages[job], job == "finer"
    page.observe([0.3, 0.3, 3.0])
    watched = Watched(native_source, reads(job, page.name))
    await watched.begin()
    more = [0.4, 0.3]
    page.observe(more)
    await watched.look()
    # More at or under any bound than before, but less in the bucket of 3.0, or finer buckets.
    born = [0.01] * 20 + ([0.3, 0.4, 3.0] * 5 if is_finer else [0.3] * 9 + [0.4])
    page.cases["a"] = observed(born, schema=6 if is_finer else 5)
    await watched.look()
    counts = await watched.end()

    assert counts.resets == 1
    histogram = counts.histograms["latency"]
    assert histogram.count == len(more) + len(born)
    assert histogram.sum == pytest.approx(sum(more) + sum(born))
    assert_holds(histogram, more + born, known=(0.0625, 1.0))


@pytest.mark.parametrize("job", ["twin", "alone"])
async def test_where_classic_ones_are_kept_each_counts_once_and_the_classic_one_first(
    native_pages: Mapping[str, NativePage], native_source: PrometheusSource, job: str
) -> None:
    (sample,) = await scraped(native_source, reads(job, native_pages[job].name))

    (histogram,) = sample.histograms.values()
    assert histogram.count == len(VALUES)
    assert histogram.sum == pytest.approx(sum(VALUES))
    assert list(sample.counters.values()) == [len(VALUES)]
    if job == "twin":
        assert (histogram.bounds, histogram.cumulative) == ((0.5, 1.0, 5.0, math.inf), (1, 3, 4, 5))
    else:
        assert histogram.layout is Layout.EXPONENTIAL
        assert histogram.count_at_or_under(1.0) == 3


async def test_converted_classic_histograms_give_the_score_of_the_classic_ones(
    native_source: PrometheusSource, native_port: int
) -> None:
    async with SimulatedServer("vllm", port=native_port, speed=20.0) as server:
        plans = {
            job: plan_registration(registration(job, server=None if job == "nhcb" else "vllm"))
            for job in ("classic", "nhcb")
        }
        latency = "vllm:e2e_request_latency_seconds"
        await asyncio.gather(*(scraped(native_source, reads(job, latency)) for job in plans))
        start = time.time()
        server.start_load(Deployment(max_num_seqs=8), Workload(rate=6.0, output_tokens=96.0), 3)
        async with asyncio.timeout(60):
            while len(server.log) < 250:  # noqa: ASYNC110  it tells nobody
                await asyncio.sleep(0.01)
        await server.stop_load()
        end = time.time()
        reports = {}
        for job, plan in plans.items():
            running = new_experiment(
                job, job, {}, plan.objective, plan.objective.direction, start, start
            )
            experiment = dataclasses.replace(running, end=end)
            settled = await settle(
                native_source, plan, experiment, EvaluationSettings(interval=0.1)
            )
            reports[job] = settled.report

    classic, native = reports["classic"], reports["nhcb"]
    assert classic.window is not None
    assert native.window is not None
    assert native.window.requests == classic.window.requests == len(server.log)
    assert native.slis == classic.slis
    assert scores(native) == scores(classic)
    assert {sli.verdict for sli in native.slis} >= {"met", "violated"}


def registration(job: str, server: str | None) -> Registration:
    slo = {
        "latency": {"p50": {"threshold": 60.0}, "p90": {"threshold": 1.2, "hard_fail": False}},
        "ttft": {"p99": {"threshold": 0.02, "hard_fail": False}},
        "tpot": {"threshold": 1.0},
    }
    task = {"task_name": "twins", "slo": slo}
    document = {"id": job, "task": task, "selector": {"job": job}}
    return Registration.model_validate({**document, **({"server": server} if server else {})})


def scores(report: Report) -> tuple[object, ...]:
    return report.status, report.base_score, report.penalty, report.score, report.score_interval


async def test_prometheus_own_requests_count_as_in_its_classic_histograms_over_a_restart(
    native_prometheus: PrometheusProcess, native_source: PrometheusSource
) -> None:
    match = (("handler", (HANDLER,)),)
    latency = Family("latency", FamilyKind.HISTOGRAM, (SELF,), match=match)
    requests = Family("requests", FamilyKind.COUNTER, (f"{SELF}_count",), match=match)
    targets = [Target(job, (("job", job),), (latency, requests)) for job in SELF_JOBS]
    await asyncio.gather(*(scraped(native_source, target) for target in targets))
    start = time.time()
    await list_labels(native_prometheus, times=40)
    await asyncio.gather(*(scraped(native_source, target) for target in targets))
    await asyncio.to_thread(native_prometheus.restart)
    await list_labels(native_prometheus, times=25)
    await asyncio.gather(*(scraped(native_source, target) for target in targets))
    now = time.time()
    classic, native = [
        (await replay(native_source, target, start, now, now)).counts() for target in targets
    ]

    assert native.counters == classic.counters == {"requests": 65}
    assert (native.resets, classic.resets) == (1, 1)
    fine, coarse = native.histograms["latency"], classic.histograms["latency"]
    assert (fine.count, fine.layout) == (coarse.count, Layout.EXPONENTIAL)
    assert fine.sum == pytest.approx(coarse.sum)
    for q in (0.1, 0.5, 0.9, 0.95):
        inner, outer = fine.quantile(q), coarse.quantile(q)
        assert isinstance(inner, Estimate)
        assert isinstance(outer, Estimate)
        assert outer.lower < inner.upper
        assert inner.lower < outer.upper
        assert inner.upper / inner.lower == pytest.approx(2**0.125)


async def list_labels(prometheus: PrometheusProcess, times: int) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(times):
            async with session.get(f"{prometheus.url}{HANDLER}") as reply:
                assert reply.status == 200
