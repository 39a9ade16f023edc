"""What 100,000 live experiments on 1,000 inference servers would need, computed from measured costs.

Measured are a tick's HTTP calls for all servers (tick_data.py), the evaluation of one experiment,
the memory that it holds, and its share of /metrics. All else is multiplied.

    python bench/bench_capacity.py [--experiments 100000] [--servers 1000] [--write [docs/engines.md]]
"""

import argparse
import gc
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench_tick import WINDOW, Size, lab
from document import publish
from prometheus_client import generate_latest
from tick_data import SCRAPE, bounds_of

from sloscore.core.histogram import Histogram
from sloscore.core.samples import Child, InstanceSample
from sloscore.evaluation.board import Board
from sloscore.evaluation.plan import plan_registration
from sloscore.evaluation.report import report_window
from sloscore.experiments.window import WindowAccumulator
from sloscore.exporter import add_reports
from sloscore.gauges import Gauges
from sloscore.settings import Settings
from sloscore.wire import Registration

DOCUMENT = Path(__file__).parents[1] / "docs" / "engines.md"
SAMPLE = 1000
SERIES_OF_A_SERVER = 97
START, SECONDS = 1.7e9, 300.0
SCRAPE_TIMEOUT = 10.0
GIBIBYTE, MEBIBYTE = 2**30, 2**20
SLO = {
    "latency": {"p50": {"threshold": 2.0}, "p90": {"threshold": 5.0}, "p99": {"threshold": 10.0}},
    "ttft": {"threshold": 1.0},
}


@dataclass(frozen=True)
class Costs:
    """Of one experiment: seconds of an evaluation, bytes held, seconds and bytes of /metrics."""

    evaluation: float
    held: float
    exposing: float
    exposed: float
    series: float


@dataclass(frozen=True)
class Need:
    """What is needed of something, and what there is of it."""

    what: str
    needed: float
    there: float
    unit: str

    @property
    def times(self) -> float:
        """How many times over the limit it is."""
        return self.needed / self.there


def _scrape(at: float, requests: float) -> InstanceSample:
    histograms = {}
    for role in ("latency", "ttft"):
        bounds = (*bounds_of(role), float("inf"))
        within = [requests * (each + 1) / len(bounds) for each in range(len(bounds))]
        cumulative = tuple(float(round(count)) for count in within)
        histograms[Child(role, ())] = Histogram(bounds, cumulative, requests)
    return InstanceSample(
        ("inference", "a"), at, up=True, process_start=None, histograms=histograms
    )


def of_one_experiment() -> Costs:
    """Medians would hide the collector of garbage: the mean over many experiments."""
    gc.collect()
    tracemalloc.start()
    board, began_with = Board(3600.0, SAMPLE), tracemalloc.get_traced_memory()[0]
    windows = []
    for number in range(SAMPLE):
        task = {"task_name": f"chat-{number % 10}", "server": "vllm", "slo": SLO}
        body = {"id": f"trial-{number:06}", "task": task, "selector": {"instance": "a"}}
        plan = plan_registration(Registration.model_validate(body))
        window = WindowAccumulator(START, None)
        window.feed([_scrape(START - 1, 1000.0)])
        windows.append((plan, window))
        window.feed([_scrape(START + SECONDS, 2000.0)])
        span = (START, START + SECONDS)
        report = report_window(plan, window.counts(), span, now=span[1])
        board.post(f"trial-{number:06}", report)
    held = (tracemalloc.get_traced_memory()[0] - began_with) / SAMPLE
    tracemalloc.stop()
    began = time.process_time()
    for plan, window in windows:
        window.feed([_scrape(START + SECONDS + 15, 2075.0)])
        report = report_window(
            plan, window.counts(), (START, START + SECONDS + 15), now=START + SECONDS + 15
        )
        board.post(plan.target.key, report)
    evaluation = (time.process_time() - began) / SAMPLE
    began = time.process_time()
    gauges = Gauges()
    add_reports(gauges, board)
    text = b"".join(gauges.encoded(generate_latest))
    exposing = (time.process_time() - began) / SAMPLE
    series = sum(not line.startswith(b"#") for line in text.splitlines()) / SAMPLE
    return Costs(evaluation, held, exposing, len(text) / SAMPLE, series)


def tables(experiments: int, servers: int) -> Iterator[str]:
    """What was measured, and what follows of it, the tightest limit first."""
    settings = Settings()
    one = of_one_experiment()
    with lab(Size((servers,), (WINDOW,), 1, 1)) as laboratory:
        floor = laboratory.cost("floor", servers, WINDOW)
    interval = settings.evaluation.interval
    yield "| measured | |"
    yield "| --- | --- |"
    yield f"| HTTP calls of a tick for {servers:,} servers | {floor.wall:.2f} s, {floor.wire / MEBIBYTE:.1f} MiB |"
    yield f"| their CPU in the service and in Prometheus | {floor.cpu:.2f} s and {floor.prometheus:.2f} s |"
    yield f"| evaluation of one experiment, CPU | {one.evaluation * 1e3:.2f} ms |"
    yield f"| memory of one live experiment | {one.held / 1024:.1f} KiB |"
    yield f"| its part of /metrics | {one.series:.0f} series, {one.exposed / 1024:.1f} KiB, {one.exposing * 1e3:.2f} ms |"
    yield ""
    needs = [
        Need("`limits.max_live_experiments`", experiments, settings.limits.max_live_experiments, "experiments"),
        Need("one core, for evaluations", (experiments * one.evaluation + floor.cpu) / interval, 1.0, "cores"),
        Need("a scrape of /metrics (10 s are allowed by default)", experiments * one.exposing, SCRAPE_TIMEOUT, "s"),
        Need("one core of Prometheus, for the ticks' queries", floor.prometheus / interval, 1.0, "cores"),
        Need("the interval, for the ticks' HTTP calls", floor.wall, interval, "s"),
    ]  # fmt: skip
    yield "| limit | needed | there | times |"
    yield "| --- | --- | --- | --- |"
    for need in sorted(needs, key=lambda each: -each.times):
        yield f"| {need.what} | {need.needed:,.4g} {need.unit} | {need.there:,.4g} | {need.times:.2g} |"
    yield ""
    series = experiments * one.series
    yield (
        f"Memory of the service: {experiments * one.held / GIBIBYTE:.1f} GiB. Series that Prometheus "
        f"gets of the service: {series:,.0f}; of the servers: {servers * SERIES_OF_A_SERVER:,}, "
        f"{servers * SERIES_OF_A_SERVER / SCRAPE:,.0f} samples/s."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--experiments", type=int, default=100_000)
    parser.add_argument("--servers", type=int, default=1000)
    parser.add_argument("--write", type=Path, nargs="?", const=DOCUMENT)
    given = parser.parse_args()
    publish(tables(given.experiments, given.servers), "capacity", given.write)


if __name__ == "__main__":
    main()
