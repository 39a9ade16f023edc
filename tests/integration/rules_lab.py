"""An exporter's page of many deployments whose histograms grow once, and a task file for each."""

import json
import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from sloscore.core.histogram import Histogram
from sloscore.core.nodata import NoData
from sloscore.core.shares import Held

LATENCY, FIRST = "lab_latency_seconds", "lab_first_milliseconds"
TOKENS, PROMPTS = "lab_tokens_total", "lab_prompts_total"
REQUESTS, ERRORS = "lab_requests_total", "lab_errors_total"
METRICS: dict[str, dict[str, object]] = {
    "latency": {"names": ["lab:latency_seconds", LATENCY], "unit": "s"},
    "ttft": {"names": [FIRST], "unit": "ms"},
    # The mean of the same histogram, as another signal.
    "tpot": {"names": [LATENCY], "unit": "s"},
    "tokens_out": {"names": [TOKENS], "unit": "tokens"},
    "tokens_in": {"names": [PROMPTS], "unit": "tokens"},
    "queue": {"names": [FIRST], "unit": "ms"},
    "errors": {"names": [ERRORS], "unit": "requests", "zero_with": "requests"},
}
GPUS = 3
# Prompt tokens for each output token.
PROMPT = 4
INF = math.inf
BOUNDS = (
    (0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, INF),
    (0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.04, 0.06, 0.1, 0.4, 1.0, 4.0, 8.0, INF),
    (0.0, 0.001, 0.005, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0, INF),
    (1.0, 5.0, INF),
    (2.5, INF),
    (*(0.001 * 1.62**k for k in range(24)), INF),
)
RANDOM_CASES = 18
# Each penalty function; the points begin with nothing, with a plateau, and with a fine.
PENALTIES: tuple[object, ...] = (
    "exponential",
    "continuous_exponential",
    "linear",
    "polynomial",
    {"function": "polynomial", "degree": 2.5},
    {"function": "piecewise", "points": [[0.05, 0], [0.1, 1], [0.3, 7.5]]},
    {"function": "piecewise", "points": [[0, 3], [0.2, 5], [0.25, 5], [0.9, 40]]},
)
# A name that needs every kind of escape.
ODD = 'a "b" \\ { c }} .* \u00e9 \U0001f600'


@dataclass(frozen=True)
class Counted:
    """How a histogram's single buckets grow, and its sum; ``before`` is what they begin at."""

    bounds: tuple[float, ...]
    growth: tuple[int, ...]
    sum: float
    before: int = 0

    def cumulative(self, *, grown: bool) -> list[int]:
        each = [self.before + (one if grown else 0) for one in self.growth]
        return [sum(each[: k + 1]) for k in range(len(each))]

    def as_histogram(self, scale: float = 1) -> Histogram:
        counts = tuple(float(sum(self.growth[: k + 1])) for k in range(len(self.growth)))
        return Histogram(self.bounds, counts, self.sum).scaled(scale)


@dataclass(frozen=True)
class Case:
    """One deployment: what it counts (None: it has no series), and its ``slo`` section.

    So many of its requests ``failed``, which of them the counter of requests holds is ``held``.
    """

    name: str
    slo: Mapping[str, object]
    latency: Counted | None
    first: Counted | None
    tokens: int = 0
    failed: int | None = None
    held: Held = Held.SOME

    @property
    def label(self) -> str:
        """The label of its series, which cannot all be printed."""
        return f"{self.name}\u2028\n"

    def write(self, place: Path) -> Path:
        metrics = {
            **METRICS,
            "requests": {
                "names": [REQUESTS],
                "unit": "requests",
                "holds_failed": self.held.value,
            },
        }
        for role, counted in (("latency", self.latency), ("ttft", self.first)):
            if counted is not None:
                bounds = [bound for bound in counted.bounds if 0 < bound < INF]
                metrics[role] = {**METRICS[role], "buckets": bounds}
        task = {
            "task_name": self.name,
            "optimization": {"objective": "maximize_throughput"},
            "metrics": metrics,
            "selector": {"case": self.label, "job": "lab"},
            "slo": self.slo,
            "gpus": GPUS,
        }
        path = place / f"{len(list(place.iterdir()))}.json"
        path.write_text(json.dumps(task), encoding="utf-8")
        return path


@dataclass(eq=False)
class Page(Collector):
    cases: Sequence[Case]
    grown: bool = False
    empty: bool = False
    scrapes: list[bool] = field(default_factory=list)

    def collect(self) -> Iterable[Metric]:
        latency = HistogramMetricFamily(LATENCY, "Random.", labels=["case"])
        first = HistogramMetricFamily(FIRST, "Random.", labels=["case"])
        tokens = CounterMetricFamily(TOKENS, "Random.", labels=["case"])
        prompts = CounterMetricFamily(PROMPTS, "Random.", labels=["case"])
        requests = CounterMetricFamily(REQUESTS, "Random.", labels=["case"])
        errors = CounterMetricFamily(ERRORS, "Random.", labels=["case"])
        grown = self.grown
        if self.empty:
            return
        for case in self.cases:
            for family, counted in ((latency, case.latency), (first, case.first)):
                if counted is not None:
                    buckets = zip(counted.bounds, counted.cumulative(grown=grown), strict=True)
                    shown = [("+Inf" if b == INF else repr(b), count) for b, count in buckets]
                    total = counted.before + (counted.sum if grown else 0.0)
                    family.add_metric([case.label], shown, total)
            if case.latency is not None:
                made = case.tokens if grown else 0
                tokens.add_metric([case.label], 7 + made)
                prompts.add_metric([case.label], 7 + PROMPT * made)
                answered = sum(case.latency.growth) if grown else 0
                requests.add_metric([case.label], 7 + answered)
                if case.failed is not None:
                    errors.add_metric([case.label], 7 + (case.failed if grown else 0))
        self.scrapes.append(grown)
        yield from (latency, first, tokens, prompts, requests, errors)


@contextmanager
def serving(page: Page) -> Iterator[str]:
    """The address at which the page is served."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(page)
    server, thread = start_http_server(0, "127.0.0.1", registry)
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def make_cases(seed: int) -> list[Case]:
    chance = random.Random(seed)
    return [*_special_cases(), *(_random_case(chance, n) for n in range(RANDOM_CASES))]


def _limit(threshold: float, weight: float = 2.0, **more: object) -> dict[str, object]:
    return {"threshold": threshold, "weight": weight, **more}


def _p90(threshold: float, weight: float = 2.0, **more: object) -> dict[str, object]:
    return {"latency": {"p90": _limit(threshold, weight, **more)}}


def _special_cases() -> Iterator[Case]:
    def one(name: str, slo: Mapping[str, object], bounds: tuple[float, ...], *growth: int) -> Case:
        return Case(name, slo, Counted((*bounds, INF), growth, 1.5 * sum(growth)), None, 3)

    yield Case("no-series", {**_p90(5.0), "throughput": _limit(10.0)}, None, None)
    idle = {**_p90(5.0, hard_fail=True), "ttft": _limit(1.0), "tpot": _limit(1.0)}
    yield one("no-traffic", idle, (5.0, 6.0), 0, 0, 0)
    yield one("met", _p90(5.0), (1.0, 5.0, 10.0), 95, 3, 2, 0)
    yield one(ODD, _p90(5.0, hard_fail=True), (1.0, 5.0, 10.0), 50, 35, 15, 0)
    # Half of a count that is extrapolated is exact, and 9 ms are 0.009 s.
    milliseconds = Counted((5.0, 9.0, 20.0, INF), (30, 20, 50, 0), 900.0)
    median = {"ttft": _limit(0.009, statistic="p50")}
    yield Case("at-the-threshold-in-milliseconds", median, milliseconds, milliseconds, 3)
    yield one("at-the-threshold", _p90(5.0), (2.5, 5.0, 10.0), 50, 40, 10, 0)
    boundary = _p90(1.0, hard_fail=True, fail_ratio=0.2)
    yield one("at-the-hard-limit", boundary, (1.0, 1.2, 5.0), 50, 40, 10, 0)
    yield one("under-the-hard-limit", boundary, (1.0, 1.199999, 5.0), 50, 40, 10, 0)
    yield one("no-slack", _p90(1.0, hard_fail=True, fail_ratio=0), (1.0, 1.2), 50, 50, 0)
    yield one("beyond-over", _p90(4.0, hard_fail=True), (2.5, 5.0), 0, 0, 100)
    yield one("beyond-at-the-threshold", _p90(5.0), (2.5, 5.0), 0, 0, 100)
    yield one("beyond-under", _p90(5.5, hard_fail=True), (2.5, 5.0), 0, 0, 100)
    yield one("beyond-in-part", _p90(5.5), (2.5, 5.0), 85, 0, 15)
    half = {"latency": {"p50": _limit(6.0)}}
    yield one("at-the-last-bound", half, (2.5, 5.0), 20, 30, 50)
    yield one("no-finite-bucket", _p90(5.0), (), 100)
    yield one("too-few", _p90(5.0), (2.5, 5.0), 0, 4, 1)
    yield one("few-but-enough", {**_p90(5.0), "min_requests": 5}, (2.5, 5.0), 0, 4, 1)
    yield one("without-end", {**_p90(0.001), "steepness": 0.01}, (2.5, 5.0), 0, 0, 100)
    yield one("penalties", {"latency": _penalised()}, (1.0, 5.0, 10.0), 30, 20, 50, 0)
    yield one("weightless", {**_p90(0.001, 0.0), "ttft": _limit(1.0)}, (2.5, 5.0), 0, 0, 100)


def _penalised() -> dict[str, object]:
    """Each penalty function on percentiles that are met, a little over, more, and far over."""
    limits: dict[str, object] = {}
    for number, penalty in enumerate(PENALTIES):
        # Latencies from P50 to P100 are spread evenly between 5 and 10 s.
        for percentile, threshold in ((10, 5.0), (60, 5.9), (70, 6.0), (80, 0.001)):
            limits[f"p{percentile + number}"] = _limit(threshold, penalty=penalty)
    return limits


def _random_case(chance: random.Random, number: int) -> Case:
    latency, first = _counted(chance, number), _counted(chance, number + 1)
    values = [
        ("latency", "p50", latency.as_histogram().quantile(0.5)),
        ("latency", "p99.9", latency.as_histogram().quantile(0.999)),
        ("latency", "p90", latency.as_histogram().quantile(0.9)),
        ("ttft", "p90", first.as_histogram(0.001).quantile(0.9)),
        ("ttft", "p99", first.as_histogram(0.001).quantile(0.99)),
        ("tpot", "mean", latency.as_histogram().mean()),
    ]
    slo: dict[str, dict[str, object]] = {"latency": {}, "ttft": {}}
    for signal, statistic, value in values:
        around = 1.0 if isinstance(value, NoData) or value.value == 0 else value.value
        target = _target(chance, around)
        if signal == "tpot":
            slo["tpot"] = {**target, "statistic": statistic}
        else:
            slo[signal][statistic] = target
    tokens = chance.choice([0, 1000, 100_000])
    requests = max(sum(latency.growth), 1)
    counted = {
        "output": max(tokens, 1000),
        "output_per_gpu": max(tokens, 1000) / GPUS,
        "total": (1 + PROMPT) * max(tokens, 1000),
        "total_per_gpu": (1 + PROMPT) * max(tokens, 1000) / GPUS,
        "requests": requests,
    }
    throughput = {kind: _target(chance, one / 300) for kind, one in counted.items()}
    throughput["output"]["penalty"] = PENALTIES[(number + 1) % len(PENALTIES)]
    failed = chance.choice([None, 0, requests // 50, requests // 3, 2 * requests])
    share = min(max((failed or 0) / requests, 0.001), 0.5)
    first_values = first.as_histogram(0.001)
    waited = first_values.quantile(0.5)
    queue = 1.0 if isinstance(waited, NoData) or waited.value == 0 else waited.value
    goodput = _goodput(chance, latency, first, requests)
    section = {
        **slo,
        **({"goodput": goodput} if goodput else {}),
        "queue": {"p50": _target(chance, queue)},
        "error_rate": {**_target(chance, share), "hard_fail": False},
        "throughput": throughput,
        "steepness": chance.choice([0.05, 0.1, 0.2, 1.0]),
        "penalty": PENALTIES[number % len(PENALTIES)],
    }
    slo["tpot"]["penalty"] = PENALTIES[(number + 2) % len(PENALTIES)]
    held = chance.choice(list(Held))
    return Case(f"random-{number}", section, latency, first, tokens, failed, held)


def _goodput(
    chance: random.Random, latency: Counted, first: Counted, requests: int
) -> dict[str, object] | None:
    """A goodput within bounds of both histograms; which share it has is up to chance."""
    within = {}
    for signal, counted, scale in (("latency", latency, 1.0), ("ttft", first, 0.001)):
        bounds = [bound for bound in counted.bounds if 0 < bound < INF]
        bound = chance.choice(bounds[len(bounds) // 2 :])
        # 9 ms are 0.009 s.
        within[signal] = bound if scale == 1 else float(f"{bound * scale:.15g}")
    if chance.random() < 0.5:
        return {**_target(chance, 0.6), "within": within, "measure": "share"}
    return {**_target(chance, 0.6 * requests / 300), "within": within, "measure": "rate"}


def _target(chance: random.Random, around: float) -> dict[str, object]:
    threshold = float(f"{around * chance.choice([0.3, 0.8, 0.93, 1, 1.05, 1.5]):.6g}")
    weight = chance.choice([0.0, 1.0, 2.0, 3.5])
    hard = chance.random() < 0.5
    return _limit(
        threshold, weight, hard_fail=hard, fail_ratio=chance.choice([0.0, 0.05, 0.2, 0.5])
    )


def _counted(chance: random.Random, number: int) -> Counted:
    bounds = BOUNDS[number % len(BOUNDS)]
    shapes = (
        [chance.randint(0, 5_000) for _ in bounds],
        [chance.choice((0, 0, 0, 1, 1000)) for _ in bounds],
        [round(10 ** chance.uniform(0, 5) * 0.5**k) for k in range(len(bounds))],
        [chance.randint(0, 3) for _ in bounds],
    )
    growth = chance.choice(shapes)
    total = sum(growth) * chance.lognormvariate(0, 2)
    return Counted(bounds, tuple(growth), total, chance.choice([0, 1, 500]))
