"""Verdicts on the same traffic, with the buckets that a server comes with and the advised ones."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest
from tests.cli.command import sloscore

from sloscore.errors import SloscoreError
from sloscore.evaluation.past import score_past
from sloscore.settings import EvaluationSettings, PrometheusSettings
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.simulate.requests import Deployment, Workload
from sloscore.simulate.server import SimulatedServer
from sloscore.sources.prometheus import PrometheusSource
from sloscore.spec.loader import validate
from sloscore.wire import Report, ScoreRequest

pytestmark = pytest.mark.prometheus

REQUESTS = 1000
WORKLOAD = Workload(rate=4.0, output_tokens=72.0)
# All three percentiles lie in SGLang's bucket (1, 2], and so do the limits that decide of them.
SLO = {
    "latency": {
        "p88": {"threshold": 1.1, "hard_fail": True, "fail_ratio": 0.7},
        "p90": {"threshold": 1.9},
        "p92": {"threshold": 1.2, "hard_fail": True, "fail_ratio": 0.1},
    }
}
TRUTH = {"latency_p88": "violated", "latency_p90": "met", "latency_p92": "hard_fail"}
ROLES = {"--bucket-e2e-request-latency": "latency"}


def advised(place: Path) -> Mapping[str, list[float]]:
    """Bounds by role, out of the option that the command prints for SGLang."""
    task = place / "task.json"
    task.write_bytes(orjson.dumps({"task_name": "t", "server": "sglang", "slo": SLO}))
    ended = sloscore("buckets", "--json", str(task))
    assert ended.code == 0, ended.err
    flag, *bounds = orjson.loads(ended.out)["option"].split()
    return {ROLES[flag]: [float(bound) for bound in bounds]}


async def load(server: SimulatedServer) -> None:
    """Send a server the same requests as any other, until so many have finished."""
    server.start_load(Deployment(), WORKLOAD, seed=7)
    async with asyncio.timeout(60):
        while len(server.log) < REQUESTS:  # noqa: ASYNC110  the server tells nobody
            await asyncio.sleep(0.01)
    await server.stop_load()


async def score(prometheus: PrometheusProcess, address: str, start: float, end: float) -> Report:
    data = {
        "slo": SLO,
        "server": "sglang",
        "selector": {"instance": address},
        "window": {"start": start, "end": end},
    }
    source = PrometheusSource(PrometheusSettings(url=prometheus.url))
    try:
        request = validate(ScoreRequest, data)
        return await score_past(source, request, EvaluationSettings(), time.time())
    finally:
        await source.close()


async def test_verdicts_that_stock_buckets_leave_open_are_certain_with_the_advised_ones(
    prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    async with (
        SimulatedServer("sglang", speed=60) as stock,
        SimulatedServer("sglang", speed=60, buckets=advised(tmp_path)) as better,
    ):
        servers = (stock, better)
        addresses = [server.address for server in servers]
        prometheus.add_targets("buckets", addresses)
        try:
            began = time.time()
            await asyncio.gather(*(prometheus.wait_for_scrape(a, began) for a in addresses))
            start = time.time()
            await asyncio.gather(*map(load, servers))
            end = time.time()
            await asyncio.gather(*(prometheus.wait_for_scrape(a, end) for a in addresses))
            reports = [await score(prometheus, address, start, end) for address in addresses]
        finally:
            prometheus.remove_targets(addresses)

    before, after = ({sli.sli: sli for sli in report.slis} for report in reports)
    assert {name: str(sli.uncertainty) for name, sli in before.items()} == dict.fromkeys(
        TRUTH, "buckets"
    )
    assert {name: str(sli.verdict) for name, sli in after.items()} == TRUTH
    assert all(sli.certain for sli in after.values()), after
    for name, sli in after.items():
        latencies = sorted(each.request.latency for each in better.log)
        over = sum(latency > sli.threshold for latency in latencies)
        assert (sli.requests, sli.requests_over) == (len(latencies), over), name


def test_bounds_of_what_a_server_has_no_histogram_of_are_refused() -> None:
    with pytest.raises(SloscoreError, match=r"^vllm has no buckets of e2e$"):
        SimulatedServer("vllm", buckets={"e2e": [1.0], "ttft": [1.0]})
