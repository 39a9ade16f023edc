"""Windows read through a real Prometheus against the servers' own log of what they finished."""

import asyncio
import bisect
import dataclasses
import math
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from itertools import islice

import pytest

from sloscore.core.histogram import Histogram
from sloscore.core.scoring import Status
from sloscore.evaluation.plan import Plan, plan_registration
from sloscore.evaluation.replay import replay
from sloscore.evaluation.settle import settle
from sloscore.evaluation.tick import Live, evaluate
from sloscore.experiments.counted import CountedWindow
from sloscore.experiments.model import new_experiment
from sloscore.experiments.window import WindowCounts
from sloscore.settings import EvaluationSettings, PrometheusSettings
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.simulate.requests import Deployment, Request, Workload, serve_requests
from sloscore.simulate.server import Served, SimulatedServer
from sloscore.sources.prometheus import PrometheusSource
from sloscore.wire import Registration, Report

pytestmark = pytest.mark.prometheus

HOST = "127.0.0.1"
JOBS = {
    "steady-vllm": 1,
    "steady-sglang": 1,
    "minutes": 1,
    "several": 3,
    "born": 1,
    "late": 1,
    "burst": 1,
    "restart-vllm": 1,
    "restart-sglang": 1,
    "overtaken": 1,
    "torn-down": 1,
}
SPEED = 20.0
# Prometheus moves the times of scrapes by up to 2 ms so that they compress better.
STAMP = 0.01
DEPLOYMENT = Deployment(max_num_seqs=8)
WORKLOAD = Workload(rate=4.0, output_tokens=32.0)
SLOW = Workload(rate=1.0, output_tokens=32.0)

Ports = Mapping[str, Sequence[int]]


@pytest.fixture(scope="module")
def ports(prometheus: PrometheusProcess) -> Iterator[Ports]:
    """Ports by job, which are scraped from before a server listens there until the end."""
    held = {job: [socket.socket() for _ in range(number)] for job, number in JOBS.items()}
    for each in (each for same in held.values() for each in same):
        # Bound but not listening it keeps others away, and lets a server of ours listen.
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        each.bind((HOST, 0))
    found = {job: [each.getsockname()[1] for each in same] for job, same in held.items()}
    addresses = {job: [f"{HOST}:{port}" for port in same] for job, same in found.items()}
    for job, known in addresses.items():
        prometheus.add_targets(job, known)
    yield found
    prometheus.remove_targets([address for known in addresses.values() for address in known])
    for each in (each for same in held.values() for each in same):
        each.close()


@pytest.fixture
async def source(prometheus: PrometheusProcess) -> AsyncIterator[PrometheusSource]:
    source = PrometheusSource(PrometheusSettings(url=prometheus.url))
    yield source
    await source.close()


def plan(job: str, kind: str) -> Plan:
    """An experiment on all servers of a job, whose SLOs need every signal."""
    limit = {"threshold": 1.0}
    slo = {"latency": {"p90": limit}, "ttft": limit, "tpot": limit, "throughput": limit}
    task = {"task_name": "truth", "server": kind, "slo": slo}
    document = {"id": job, "task": task, "selector": {"job": job}}
    return plan_registration(Registration.model_validate(document))


async def between_scrapes(*servers: SimulatedServer, more: int = 1) -> float:
    """A moment after that many more scrapes of each server, while none of them is under way."""
    wanted = [len(server.scrapes) + more for server in servers]
    async with asyncio.timeout(30):
        while True:
            now = time.time()
            if all(
                len(server.scrapes) >= number and STAMP < now - server.scrapes[-1].at < 0.4
                for server, number in zip(servers, wanted, strict=True)
            ):
                return now
            await asyncio.sleep(0.005)


async def ingested(prometheus: PrometheusProcess, *servers: SimulatedServer) -> None:
    """Return when Prometheus answers with the newest scrape of each server."""
    for server in servers:
        before, newest = server.scrapes[-2:]
        await prometheus.wait_for_scrape(server.address, after=(before.at + newest.at) / 2)


async def load(server: SimulatedServer, seconds: float) -> None:
    """Send a server requests until one finishes after so many seconds of load."""
    server.start_load(DEPLOYMENT, WORKLOAD, seed=3)
    async with asyncio.timeout(60):
        while not server.log or server.log[-1].request.finished < seconds:  # noqa: ASYNC110  it tells nobody
            await asyncio.sleep(0.005)
    await server.stop_load()


def shown_at(server: SimulatedServer, moment: float) -> Served:
    """The last scrape at or before the moment."""
    return [scrape for scrape in server.scrapes if scrape.at <= moment][-1]


def closing(server: SimulatedServer, end: float) -> Served:
    """The first scrape at or after the end."""
    return next(scrape for scrape in server.scrapes if scrape.at >= end)


def finished(server: SimulatedServer, first: int, last: int | None = None) -> list[Request]:
    return [each.request for each in server.log[first:last]]


async def ended(source: PrometheusSource, plan: Plan, start: float, end: float) -> WindowCounts:
    """Settle a window that has just ended, then replay it: the same, and these are its counts."""
    name = plan.target.key
    running = new_experiment(name, name, {}, plan.objective, plan.objective.direction, start, start)
    experiment = dataclasses.replace(running, end=end)
    async with asyncio.timeout(30):
        settled = await settle(source, plan, experiment, EvaluationSettings(interval=0.1))
    window = await replay(source, plan.target, start, end, time.time())
    report, counts = settled.report, window.counts()
    shown = report.window
    assert settled.counted == CountedWindow(start, end, counts)
    assert report.status is Status.SUCCESS, report.reason
    assert shown is not None
    assert shown.requests == counts.histograms["latency"].count
    for field in ("resets", "instances", "observed_start", "observed_end", "unseen_tail"):
        close = pytest.approx(getattr(counts, field), rel=0, abs=0.001)
        assert getattr(shown, field) == close, field
    return counts


def assert_holds(counts: WindowCounts, requests: Sequence[Request]) -> None:
    """The window holds exactly these requests, bucket by bucket and token by token."""
    assert len(requests) > 0
    assert_observed(counts.histograms["latency"], [request.latency for request in requests])
    assert_observed(counts.histograms["tpot"], [request.tpot for request in requests])
    assert counts.counters == {"tokens_out": sum(each.output_tokens for each in requests)}


def assert_observed(histogram: Histogram, values: Sequence[float]) -> None:
    ordered = sorted(values)
    counts = tuple(bisect.bisect_right(ordered, bound) for bound in histogram.bounds)
    assert histogram.cumulative == counts
    assert histogram.sum == pytest.approx(math.fsum(values))


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
async def test_live_ticks_and_the_final_window_count_exactly_what_scrapes_have_shown(
    prometheus: PrometheusProcess, ports: Ports, source: PrometheusSource, kind: str
) -> None:
    job = f"steady-{kind}"
    async with SimulatedServer(kind, port=ports[job][0], speed=SPEED) as server:
        server.start_load(DEPLOYMENT, WORKLOAD, seed=1)
        start = await between_scrapes(server, more=2)
        baseline = shown_at(server, start)
        live = Live.of(plan(job, kind), start)
        for _ in range(3):
            now = await between_scrapes(server)
            await ingested(prometheus, server)
            report = (await evaluate(source, [live], now))[job]
            assert isinstance(report, Report), report
            assert live.window is not None
            shown = shown_at(server, now)
            assert_holds(live.window.counts(), finished(server, baseline.finished, shown.finished))
            assert report.window is not None
            assert report.window.requests == shown.finished - baseline.finished
        end = await between_scrapes(server)
        counts = await ended(source, live.plan, start, end)

    last = closing(server, end)
    assert_holds(counts, finished(server, baseline.finished, last.finished))
    assert (counts.resets, counts.unseen_head, counts.unseen_tail) == (0, 0, 0)
    # First tokens are not in the log: the same seed makes the same requests.
    requests = islice(serve_requests(DEPLOYMENT, WORKLOAD, seed=1), last.first_tokens + 100)
    firsts = sorted(requests, key=lambda request: (request.first_token, request.number))
    between = firsts[baseline.first_tokens : last.first_tokens]
    assert_observed(counts.histograms["ttft"], [request.ttft for request in between])


async def test_five_minutes_of_load_count_as_the_log_does(
    ports: Ports, source: PrometheusSource
) -> None:
    async with SimulatedServer("vllm", port=ports["minutes"][0], speed=60.0) as server:
        start = await between_scrapes(server)
        await load(server, seconds=300)
        end = time.time()
        counts = await ended(source, plan("minutes", "vllm"), start, end)

    assert_holds(counts, finished(server, 0))


async def test_all_servers_of_a_job_add_up(ports: Ports, source: PrometheusSource) -> None:
    first, second, third = (
        SimulatedServer("sglang", port=port, speed=SPEED) for port in ports["several"]
    )
    servers = (first, second, third)
    async with first, second, third:
        for seed, server in enumerate(servers):
            server.start_load(DEPLOYMENT, WORKLOAD, seed)
        start = await between_scrapes(*servers, more=2)
        end = await between_scrapes(*servers, more=2)
        counts = await ended(source, plan("several", "sglang"), start, end)

    truth = [
        request
        for server in servers
        for request in finished(
            server, shown_at(server, start).finished, closing(server, end).finished
        )
    ]
    assert counts.instances == 3
    assert_holds(counts, truth)


async def test_a_server_born_in_the_window_counts_from_zero(
    ports: Ports, source: PrometheusSource
) -> None:
    start = time.time()
    async with SimulatedServer("vllm", port=ports["born"][0], speed=SPEED) as server:
        server.start_load(DEPLOYMENT, WORKLOAD, seed=1)
        end = await between_scrapes(server, more=2)
        counts = await ended(source, plan("born", "vllm"), start, end)

    assert_holds(counts, finished(server, 0, closing(server, end).finished))
    assert (counts.resets, counts.unseen_head) == (0, 0)


async def test_a_burst_before_the_first_scrape_of_a_server_born_in_the_window_is_counted(
    ports: Ports, source: PrometheusSource
) -> None:
    start = time.time()
    server = SimulatedServer("vllm", port=ports["burst"][0], speed=SPEED)
    await load(server, seconds=10)
    async with server:
        end = await between_scrapes(server, more=2)
        counts = await ended(source, plan("burst", "vllm"), start, end)

    assert server.scrapes[0].finished == len(server.log)
    assert_holds(counts, finished(server, 0))


async def test_a_server_that_hides_its_birth_counts_from_its_first_scrape_and_says_so(
    ports: Ports, source: PrometheusSource
) -> None:
    start = time.time()
    server = SimulatedServer("sglang", port=ports["late"][0], speed=SPEED)
    await load(server, seconds=10)
    async with server:
        server.start_load(DEPLOYMENT, WORKLOAD, seed=1)
        end = await between_scrapes(server, more=3)
        counts = await ended(source, plan("late", "sglang"), start, end)

    first = server.scrapes[0]
    assert_holds(counts, finished(server, first.finished, closing(server, end).finished))
    assert counts.observed_start is not None
    assert start < counts.observed_start < first.at + STAMP
    assert counts.unseen_head == pytest.approx(counts.observed_start - start)


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
async def test_a_restart_loses_nothing_that_was_scraped_and_is_one_reset(
    ports: Ports, source: PrometheusSource, kind: str
) -> None:
    job = f"restart-{kind}"
    async with SimulatedServer(kind, port=ports[job][0], speed=SPEED) as server:
        server.start_load(DEPLOYMENT, WORKLOAD, seed=1)
        start = await between_scrapes(server, more=2)
        crash = await between_scrapes(server, more=2)
        await server.stop_load()
        server.restart_process()
        after_crash = len(server.log)
        server.start_load(DEPLOYMENT, SLOW, seed=2)
        end = await between_scrapes(server, more=2)
        counts = await ended(source, plan(job, kind), start, end)

    before = shown_at(server, start).finished, shown_at(server, crash).finished
    after = after_crash, closing(server, end).finished
    assert_holds(counts, [*finished(server, *before), *finished(server, *after)])
    assert counts.resets == 1


async def test_a_restart_that_overtakes_the_old_count_shows_by_the_start_of_its_process(
    ports: Ports, source: PrometheusSource
) -> None:
    (port,) = ports["overtaken"]
    async with SimulatedServer("vllm", port=port, speed=SPEED) as crashed:
        await load(crashed, seconds=5)
        start = await between_scrapes(crashed)
        crashed.start_load(DEPLOYMENT, SLOW, seed=1)
        crash = await between_scrapes(crashed)
    back = SimulatedServer("vllm", port=port, speed=SPEED)
    await load(back, seconds=30)
    async with back:
        end = await between_scrapes(back)
        counts = await ended(source, plan("overtaken", "vllm"), start, end)

    before = shown_at(crashed, start).finished, shown_at(crashed, crash).finished
    assert back.scrapes[0].finished > before[1]
    assert_holds(counts, [*finished(crashed, *before), *finished(back, 0)])
    assert counts.resets == 1


async def test_a_server_torn_down_early_ends_the_window_with_its_last_scrape(
    ports: Ports, source: PrometheusSource
) -> None:
    async with SimulatedServer("vllm", port=ports["torn-down"][0], speed=SPEED) as server:
        server.start_load(DEPLOYMENT, WORKLOAD, seed=1)
        start = await between_scrapes(server, more=2)
        await between_scrapes(server, more=2)
    end = time.time()
    counts = await ended(source, plan("torn-down", "vllm"), start, end)

    before, last = server.scrapes[-2:]
    assert_holds(counts, finished(server, shown_at(server, start).finished, last.finished))
    assert counts.observed_end is not None
    assert before.at < counts.observed_end < last.at + STAMP
    assert counts.unseen_tail == pytest.approx(end - counts.observed_end)
