"""A live sloscore that a Prometheus scrapes, with an experiment of each kind: what dashboards show."""

import asyncio
import contextlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.integration.service import (
    NOWHERE,
    Api,
    Deployments,
    Json,
    has_requests,
    serving,
    settings,
    task_of,
    until,
)
from tools.dashboards.grafana import Asked, Kind, Span, ask

from sloscore.simulate.prometheus import PrometheusProcess

JOB = "sloscore-dashboards"
SCRAPE_INTERVAL = 0.5
# Seconds between the times at which an annotation is looked for.
ANNOTATION_STEP = 5.0
EXTERNAL_URL = "https://sloscore.example.org/scores"
# Names with characters that mean something in a regular expression.
TASK = "chat (v1.0) a+b|c"
BATCH = "batch"

RUNNING, SOFT, HARD, NO_DATA = "running", "soft", "hard", "no-data"
BASELINE = "baseline"
BATCH_RUNNING, STRANDED = "batch-running", "stranded"


def slos(latency: float, ttft: float, throughput: float, *, hard: bool = False) -> Json:
    """An SLO of each kind; ``steepness`` keeps penalties of large violations finite."""
    return {
        "latency": {
            "p50": {"threshold": latency},
            "p90": {"threshold": latency, "hard_fail": hard, "fail_ratio": 0.2},
        },
        "ttft": {"threshold": ttft},
        "tpot": {"threshold": 1000.0},
        "throughput": {
            kind: {"threshold": throughput} for kind in ("output", "output_per_gpu", "requests")
        },
        "error_rate": {"threshold": 0.9},
        "steepness": 50.0,
        **({"violation_budget": {"count": 2}} if hard else {}),
    }


MET = slos(5000.0, 1000.0, 0.001)
VIOLATED = slos(0.4, 1000.0, 0.001)
BROKEN = slos(0.4, 1000.0, 0.001, hard=True)


@dataclass(frozen=True, slots=True)
class Shown:
    """What there is to see: the Prometheus, the instances of sloscore, and the final reports."""

    url: str
    span: Span
    server: str
    instance: str
    stranded: str
    reports: Mapping[str, Json]
    ranking: Sequence[str]


async def show(
    stack: contextlib.AsyncExitStack,
    deployments: Deployments,
    prometheus: PrometheusProcess,
    place: Path,
) -> Shown:
    """Run the experiments until Prometheus has seen the end of those that end."""
    listen = {"port": 0, "external_url": EXTERNAL_URL}
    hasty = {"closing_wait": "1s"}
    # A store is a file: a service has a directory of its own.
    for name in ("main", "other"):
        (place / name).mkdir()
    given = settings(place / "main", prometheus.url, listen=listen, evaluation=hasty)
    api = await stack.enter_async_context(serving(given))
    other = await stack.enter_async_context(serving(settings(place / "other", NOWHERE)))
    addresses = [one.url.removeprefix("http://") for one in (api, other)]
    prometheus.add_targets(JOB, addresses)
    stack.callback(prometheus.remove_targets, addresses)
    await other.register(STRANDED, task_of("stranded"), selector={"instance": "x"})
    reports = await _experiments(api, deployments)
    ranked = (await api.get(f"/api/v1/tasks/{TASK.replace(' ', '%20')}")).json["ranking"]
    end = await _wait_until_seen(prometheus, addresses, reports)
    return Shown(
        url=prometheus.url,
        span=Span(end - 60.0, end, SCRAPE_INTERVAL),
        server=deployments.quick.address,
        instance=addresses[0],
        stranded=addresses[1],
        reports=reports,
        ranking=[experiment["id"] for experiment in ranked],
    )


async def _experiments(api: Api, deployments: Deployments) -> Mapping[str, Json]:
    quick, slow = deployments.quick.address, deployments.slow.address
    batch = {"server": "sglang", "objective": "maximize_throughput", "baseline": BASELINE}
    task = task_of(BASELINE, slo=MET, gpus=2)
    answer = await api.register(BASELINE, task, selector={"instance": quick})
    assert answer.status == 201, answer.text
    await api.score_until(BASELINE, has_requests(20))
    await api.finish(BASELINE)
    await api.final(BASELINE)
    for name, task, address in (
        (RUNNING, task_of(TASK, slo=MET, gpus=2, baseline=BASELINE), quick),
        (SOFT, task_of(TASK, slo=VIOLATED, gpus=2, baseline=BASELINE), quick),
        (HARD, task_of(TASK, slo=BROKEN, gpus=2, baseline=BASELINE), quick),
        (NO_DATA, task_of(TASK, slo=BROKEN, gpus=2, baseline=BASELINE), "127.0.0.1:2"),
        (BATCH_RUNNING, task_of(BATCH, slo=MET, gpus=2, **batch), slow),
    ):
        answer = await api.register(name, task, selector={"instance": address})
        assert answer.status == 201, answer.text
    for name in (RUNNING, SOFT, HARD, BATCH_RUNNING):
        await api.score_until(name, has_requests(20))
    for name in (SOFT, HARD, NO_DATA):
        await api.finish(name)
    return {name: await api.final(name) for name in (SOFT, HARD, NO_DATA)}


async def _wait_until_seen(
    prometheus: PrometheusProcess, addresses: Sequence[str], reports: Mapping[str, Json]
) -> float:
    """The end of a minute that shows all of it, at a step of the annotations."""
    final = [
        f'sloscore_experiment_info{{experiment="{name}", status="{report["status"]}"}}'
        for name, report in reports.items()
    ]
    rates = [f'rate(sloscore_build_info{{instance="{address}"}}[2s])' for address in addresses]

    async def missing() -> tuple[float, list[str]]:
        now = time.time()
        behind = math.ceil(now % ANNOTATION_STEP)
        asked = [*rates, *(f"{series} offset {behind}s" for series in final)]
        span = Span(now - 60.0, now, SCRAPE_INTERVAL)
        answers = [await asyncio.to_thread(instant, prometheus.url, query, span) for query in asked]
        return now, [query for query, answer in zip(asked, answers, strict=True) if not answer]

    end, _ = await until(missing, lambda found: not found[1])
    return end


def instant(url: str, query: str, span: Span) -> list[Json]:
    """The series of an instant query at the end of a time range."""
    return ask(url, Asked("a test", Kind.INSTANT, query), query, span)
