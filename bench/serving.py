"""The problem that bench_optimisers.py solves: a simulated server, scored as sloscore scores it.

A configuration is what a tuner turns (devices, batch size, memory share) and the load that is offered
to it. The objective is output tokens/s per GPU, as much as can be had while the SLOs hold. Requests come
from ``sloscore.simulate``'s model, and are counted in the buckets that ``sloscore buckets`` advises for
a vLLM, scraped every 5 s; windows, verdicts, scores and the advice to stop are the product's own.
"""

import functools
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import orjson
from numpy.typing import NDArray

from sloscore.advice.buckets import advise
from sloscore.client import Report
from sloscore.core.histogram import Histogram
from sloscore.core.samples import Child, InstanceSample
from sloscore.evaluation.plan import Plan, plan_registration
from sloscore.evaluation.report import report_window
from sloscore.evaluation.tick import Live
from sloscore.experiments.window import WindowAccumulator
from sloscore.simulate.requests import Deployment, Workload, serve_requests
from sloscore.spec.preset import load_preset
from sloscore.wire import Registration

WARMUP, WINDOW, SCRAPE = 30.0, 120.0, 5.0
TRUTH_SECONDS = 600.0
PROMPT, OUTPUT = 512.0, 256.0
DEVICES = (1, 2, 4, 8)
BATCHES = (8, 16, 32, 64, 128, 256)
MEMORY = (0.75, 0.95)
OFFERED = tuple(1000.0 + 250.0 * step for step in range(13))
FAIL_RATIO = 0.2
LIMITS = {"latency": 5.0, "ttft": 0.5, "tpot": 0.012}
# A window begins at this Unix time: what is before it must not be negative.
START = 1_000_000.0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Config:
    """One configuration; ``offered`` is the load in output tokens/s per GPU."""

    devices: int
    batch: int
    memory: float
    offered: float


SPACE = tuple(itertools.starmap(Config, itertools.product(DEVICES, BATCHES, MEMORY, OFFERED)))


@dataclass(frozen=True)
class Ended:
    """An experiment that has ended: its report, the GPU seconds it took, whether it was stopped."""

    report: Report
    gpu_seconds: float
    was_stopped: bool


@dataclass(frozen=True)
class Truth:
    """A configuration over a long run: tokens/s per GPU, and how far the worst SLI is past its limit."""

    score: float
    violation: float


@dataclass(frozen=True)
class Log:
    """Requests of one load in seconds since it began, in order of arrival."""

    first_token: Floats
    finished: Floats
    tokens: Floats
    values: Mapping[str, Floats]


def serve(config: Config, seed: int, seconds: float) -> Log:
    """What a server does with the load of so many seconds."""
    deployment = Deployment(config.batch, config.devices, config.memory)
    workload = Workload(config.offered * config.devices / OUTPUT, PROMPT, OUTPUT)
    requests = itertools.takewhile(
        lambda request: request.arrival < seconds, serve_requests(deployment, workload, seed)
    )
    rows = [
        (r.first_token, r.finished, r.output_tokens, r.latency, r.ttft, r.tpot) for r in requests
    ]
    first, finished, tokens, latency, ttft, tpot = np.array(rows, dtype=float).T
    return Log(first, finished, tokens, {"latency": latency, "ttft": ttft, "tpot": tpot})


def truth(config: Config) -> Truth:
    """Exact percentiles and throughput after the warm-up, from the requests themselves."""
    end = WARMUP + TRUTH_SECONDS
    log = serve(config, seed=-1, seconds=end)
    counted = (log.finished > WARMUP) & (log.finished <= end)
    ratios = [
        float(np.quantile(log.values[role][counted], 0.9)) / limit - 1
        for role, limit in LIMITS.items()
    ]
    return Truth(float(log.tokens[counted].sum()) / TRUTH_SECONDS / config.devices, max(ratios))


@functools.cache
def plan(devices: int) -> Plan:
    """What a tuner would register of a server on so many GPUs."""
    hard = {"weight": 2.0, "hard_fail": True, "fail_ratio": FAIL_RATIO, "statistic": "p90"}
    latency = {
        "threshold": LIMITS["latency"],
        "weight": 2.0,
        "hard_fail": True,
        "fail_ratio": FAIL_RATIO,
    }
    task = {
        "task_name": "tokens-per-gpu",
        "server": "vllm",
        "optimization": {"objective": "maximize_throughput_per_gpu"},
        "slo": {
            "latency": {"p90": latency},
            "ttft": {**hard, "threshold": LIMITS["ttft"]},
            "tpot": {**hard, "threshold": LIMITS["tpot"]},
            "warmup": "30s",
            # Requests of a queue are slow together.
            "early_stop": {"null_share": 0.2},
        },
    }
    selector = {"instance": "a:8000"}
    document = {"id": "trial", "task": task, "selector": selector, "gpus": devices}
    return plan_registration(Registration.model_validate(document))


@functools.cache
def buckets() -> Mapping[str, tuple[float, ...]]:
    """Bucket bounds by role: vLLM's own and those on the thresholds and hard limits."""
    advice = advise(plan(1).spec, load_preset("vllm"))
    return {metric.role: metric.advised for metric in advice.metrics}


def scrapes(log: Log) -> Iterator[InstanceSample]:
    """What the server's metrics page shows every 5 s from the start of the load on."""
    times = np.arange(0.0, WARMUP + WINDOW + SCRAPE, SCRAPE)
    order = np.argsort(log.finished)
    tokens = np.concatenate([[0.0], np.cumsum(log.tokens[order])])
    done = np.searchsorted(log.finished[order], times, side="right")
    rows = {role: _cumulative(log, role, times) for role in LIMITS}
    for number, time in enumerate(times):
        yield InstanceSample(
            instance=("vllm", "a:8000"),
            time=START + float(time),
            process_start=START - 60.0,
            histograms={Child(role, ()): rows[role][number] for role in rows},
            counters={Child("tokens_out", ()): float(tokens[done[number]])},
        )


def _cumulative(log: Log, role: str, times: Floats) -> list[Histogram]:
    """A histogram at each of the times; TTFT is counted at the first token, the rest at the last."""
    bounds = buckets()[role]
    order = np.argsort(log.first_token if role == "ttft" else log.finished)
    seen_at = (log.first_token if role == "ttft" else log.finished)[order]
    values = log.values[role][order]
    place = np.searchsorted(bounds, values, side="left")
    found, counts, total, before = [], np.zeros(len(bounds) + 1), 0.0, 0
    for upto in np.searchsorted(seen_at, times, side="right"):
        counts = counts + np.bincount(place[before:upto], minlength=len(bounds) + 1)
        total += float(values[before:upto].sum())
        before = int(upto)
        cumulative = tuple(float(count) for count in np.cumsum(counts))
        found.append(Histogram((*bounds, math.inf), cumulative, total))
    return found


def experiment(config: Config, seed: int) -> tuple[Ended, Ended]:
    """One experiment to its planned end, and the same stopped as soon as the service advises it."""
    samples = list(scrapes(serve(config, seed, WARMUP + WINDOW)))
    live = Live.of(plan(config.devices), START)
    assert live.stop is not None
    window = WindowAccumulator(live.start)
    stop_at = None
    for sample in samples:
        window.feed([sample])
        if sample.time > live.start and live.stop.decide(window.counts(), (), sample.time):
            stop_at = sample.time
            break
    whole = _ended(config, samples, samples[-1].time, was_stopped=False)
    if stop_at is None or stop_at == samples[-1].time:
        return whole, whole
    return whole, _ended(config, samples, stop_at, was_stopped=True)


def _ended(
    config: Config, samples: list[InstanceSample], end: float, *, was_stopped: bool
) -> Ended:
    own = plan(config.devices)
    start = START + own.warmup
    window = WindowAccumulator(start, end)
    window.feed(sample for sample in samples if sample.time <= end)
    report = report_window(own, window.counts(), (start, end), now=end)
    # As a tuner's client reads it.
    document = orjson.loads(report.model_dump_json())
    return Ended(Report.of(document), (end - START) * config.devices, was_stopped)
