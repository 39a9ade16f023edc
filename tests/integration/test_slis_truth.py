"""SLIs that are no latency, read through a real Prometheus, against the server's own log."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from itertools import islice

import pytest

from sloscore.evaluation.plan import Plan, plan_registration
from sloscore.evaluation.replay import replay
from sloscore.evaluation.report import report_window
from sloscore.settings import PrometheusSettings
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.simulate.requests import Deployment, Request, Workload, serve_requests
from sloscore.simulate.server import Served, SimulatedServer
from sloscore.sources.prometheus import PrometheusSource
from sloscore.wire import Registration, Report

pytestmark = pytest.mark.prometheus

SPEED = 20.0
GPUS = 4
SEED = 5
# A queue that fills: one request in ten fails, and most wait.
DEPLOYMENT = Deployment(max_num_seqs=4)
WORKLOAD = Workload(rate=6.0, output_tokens=48.0, error_share=0.1)
FAILING = 0.08
# Bounds of both servers, and what is a bound of neither.
WITHIN = {"latency": 2.0, "ttft": 0.7, "tpot": 0.025}
SLO = {
    "queue": {f"p{q}": {"threshold": 1.0} for q in (10, 50, 90)},
    "throughput": {
        kind: {"threshold": 1.0}
        for kind in ("output", "output_per_gpu", "total", "total_per_gpu", "requests")
    },
    "error_rate": {"threshold": FAILING},
    "goodput": {"within": WITHIN, "threshold": 0.5},
}


class Measured:
    """A report's SLIs with the requests of the log that its window holds."""

    def __init__(
        self,
        kind: str,
        report: Report,
        before: Served,
        after: Served,
    ) -> None:
        self.kind = kind
        self.base = report.base_score
        assert report.window is not None
        self.slis = {sli.sli: sli for sli in report.slis}
        self.window = report.window
        # Not all are in the log: the same seed makes the same requests.
        made = list(islice(serve_requests(DEPLOYMENT, WORKLOAD, SEED), after.admitted + 100))
        self.finished = _between(made, "finished", before.finished, after.finished)
        self.admitted = _between(made, "admitted", before.admitted, after.admitted)

    def seconds(self) -> tuple[float, float]:
        """The shorter and the longer of the window and the time between its scrapes."""
        window = self.window
        assert window.end is not None
        assert window.observed_start is not None
        assert window.observed_end is not None
        observed = window.observed_end - window.observed_start
        shorter, longer = sorted((window.end - window.start, observed))
        return shorter, longer


def _between(requests: list[Request], event: str, first: int, last: int) -> list[Request]:
    ordered = sorted(requests, key=lambda one: (getattr(one, event), one.number))
    return ordered[first:last]


@pytest.fixture
async def source(prometheus: PrometheusProcess) -> AsyncIterator[PrometheusSource]:
    source = PrometheusSource(PrometheusSettings(url=prometheus.url))
    yield source
    await source.close()


def plan(kind: str, address: str) -> Plan:
    task = {
        "task_name": "truth",
        "server": kind,
        "slo": SLO,
        "gpus": GPUS,
        "optimization": {"objective": "maximize_goodput"},
    }
    document = {"id": "truth", "task": task, "selector": {"instance": address}}
    return plan_registration(Registration.model_validate(document))


async def scrapes(server: SimulatedServer, more: int) -> Served:
    """The last of so many more scrapes."""
    wanted = len(server.scrapes) + more
    async with asyncio.timeout(30):
        while len(server.scrapes) < wanted:  # noqa: ASYNC110  it tells nobody
            await asyncio.sleep(0.005)
    return server.scrapes[-1]


@pytest.fixture(params=["vllm", "sglang"])
async def measured(
    request: pytest.FixtureRequest, prometheus: PrometheusProcess, source: PrometheusSource
) -> Measured:
    """A window with its load inside of it, which goes on after its end."""
    kind: str = request.param
    async with SimulatedServer(kind, speed=SPEED) as server:
        prometheus.add_targets("slis", [server.address])
        before = await scrapes(server, 2)
        start = time.time()
        server.start_load(DEPLOYMENT, WORKLOAD, SEED)
        await scrapes(server, 4)
        end = time.time()
        after = await scrapes(server, 1)
        await prometheus.wait_for_scrape(server.address, after=(end + after.at) / 2)
        asked = plan(kind, server.address)
        window = await replay(source, asked.target, start, end, time.time())
        report = report_window(asked, window.counts(), (start, end), now=time.time())
        await server.stop_load()
        prometheus.remove_targets([server.address])
    assert all(sli.value is not None for sli in report.slis), report
    return Measured(kind, report, before, after)


async def test_slis_are_those_of_the_log(measured: Measured) -> None:
    requests = measured.finished
    assert measured.window.requests == len(requests) > 100
    failed = sum(request.failed for request in requests)
    assert 0 < failed < len(requests)

    rate = measured.slis["error_rate"]
    assert rate.value is not None
    if rate.lower == rate.upper:
        assert rate.value == failed / len(requests)
    else:
        # Of SGLang nobody knows which aborted requests are in both counters.
        assert (rate.lower, rate.value) == (
            failed / (len(requests) + failed),
            failed / len(requests),
        )

    shorter, longer = measured.seconds()
    answers = sum(request.output_tokens for request in requests)
    prompts = sum(request.prompt_tokens for request in requests)
    for sli, total in {
        "throughput": answers,
        "throughput_per_gpu": answers / GPUS,
        "total_throughput": answers + prompts,
        "total_throughput_per_gpu": (answers + prompts) / GPUS,
        "request_throughput": len(requests),
    }.items():
        found = measured.slis[sli]
        assert found.value == found.lower == pytest.approx(total / longer, rel=1e-3)
        assert found.upper == pytest.approx(total / shorter, rel=1e-3)

    waited = measured.finished if measured.kind == "vllm" else measured.admitted
    waits = sorted(request.queue for request in waited)
    for q in (10, 50, 90):
        found = measured.slis[f"queue_p{q}"]
        assert found.requests == len(waits)
        truth = waits[math.ceil(q / 100 * len(waits)) - 1]
        assert found.lower is not None
        assert found.upper is not None
        assert found.lower <= truth <= found.upper

    good = sum(
        request.latency <= WITHIN["latency"]
        and request.ttft <= WITHIN["ttft"]
        and request.tpot <= WITHIN["tpot"]
        # SGLang has no TPOT of a request that failed.
        and (measured.kind == "vllm" or not request.failed)
        for request in requests
    )
    assert 0 < good < len(requests)
    share = measured.slis["goodput_share"]
    assert share.value == share.lower
    assert share.upper is not None
    assert share.lower is not None
    assert 0 < share.lower <= good / len(requests) <= share.upper < 1
    assert measured.base == pytest.approx(share.lower * len(requests) / longer, rel=1e-3)
