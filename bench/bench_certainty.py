"""How often a verdict is wrong, and how often one that is called certain is.

Simulated request logs, counted as scrapes of a vLLM server show them, judged by sloscore's own window
and judge, and by ``histogram_quantile(0.9, increase(...))`` worked out as Prometheus does (promql/
functions.go, extrapolatedRate). The truth is the P90 of the distribution that latencies are drawn from.

    python bench/bench_certainty.py [--windows 400] [--write docs/certainty.md]
"""

import argparse
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist

import numpy as np
from document import publish

from sloscore.core.confidence import DEFAULT_CONFIDENCE
from sloscore.core.histogram import Histogram
from sloscore.core.judge import judge
from sloscore.core.nodata import NoData
from sloscore.core.objective import Signal
from sloscore.core.penalty import Slo
from sloscore.core.samples import Child, InstanceSample
from sloscore.core.sli import Sli
from sloscore.core.verdict import Verdict, verdict_at
from sloscore.evaluation.measure import measure
from sloscore.experiments.window import WindowAccumulator
from sloscore.simulate.kinds import KINDS

SCRAPE = 5.0
WARMUP = 60.0
P90 = Sli("latency_p90", Signal.LATENCY, "p90")
CHILD = Child("latency", ())
STOCK = KINDS["vllm"].histograms["latency"].buckets
# True P90 past the threshold by these shares: from well within to well past the hard limit of 20 %.
VIOLATIONS = (-0.3, 0.5)
FAIL_RATIO = 0.2


def lognormal(values: Sequence[float], median: float = 1.8, sigma: float = 0.6) -> list[float]:
    """The share of requests at or under each value."""
    normal = NormalDist(math.log(median), sigma)
    return [normal.cdf(math.log(value)) if value > 0 else 0.0 for value in values]


def bimodal(values: Sequence[float]) -> list[float]:
    """Seven of eight requests are short, one is long."""
    pairs = zip(lognormal(values, 1.0, 0.4), lognormal(values, 6.0, 0.3), strict=True)
    return [0.875 * short + 0.125 * long for short, long in pairs]


def slowed(values: Sequence[float]) -> list[float]:
    """Three times the latency, as in a warm-up."""
    return lognormal([value / 3 for value in values])


@dataclass(frozen=True)
class Log:
    """A kind of request log: its distribution, and what happens in it."""

    name: str
    share_within: object
    warms_up: bool = False
    restarts: bool = False


LOGS = (
    Log("lognormal", lognormal),
    Log("bimodal", bimodal),
    Log("60 s warm-up", lognormal, warms_up=True),
    Log("restart", lognormal, restarts=True),
)


@dataclass
class Tally:
    """Outcomes of one way to judge."""

    windows: int = 0
    known: int = 0
    wrong: int = 0
    certain: int = 0
    certain_wrong: int = 0

    def add(self, verdict: Verdict, truth: Verdict, *, certain: bool) -> None:
        self.windows += 1
        if verdict is Verdict.NO_DATA:
            return
        self.known += 1
        self.wrong += verdict is not truth
        self.certain += certain
        self.certain_wrong += certain and verdict is not truth


@dataclass
class Cell:
    """One kind of log at one rate over one length of window."""

    stock: Tally = field(default_factory=Tally)
    advised: Tally = field(default_factory=Tally)
    increase_stock: Tally = field(default_factory=Tally)
    increase_advised: Tally = field(default_factory=Tally)
    miscounted: int = 0


def quantile_of(log: Log, q: float) -> float:
    """The true quantile, by bisection of the distribution."""
    low, high = 0.0, 1000.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if log.share_within([middle])[0] < q else (low, middle)  # type: ignore[operator]
    return high


def scrapes(
    log: Log, bounds: Sequence[float], rate: float, seconds: float, chance: np.random.Generator
) -> tuple[list[InstanceSample], float]:
    """Scrapes around a window [0, seconds], and the requests between its first and last one.

    Requests of each bucket finish as a Poisson process of their own, as those of a server with
    Poisson arrivals and independent latencies do.
    """
    offset = float(chance.uniform(0, SCRAPE))
    times = np.arange(offset - 4 * SCRAPE, seconds + 2 * SCRAPE, SCRAPE)
    steady = np.diff([0.0, *log.share_within(bounds), 1.0])  # type: ignore[operator]
    slow = np.diff([0.0, *slowed(bounds), 1.0])
    cumulative = np.zeros(len(bounds) + 1)
    samples, exact, baseline, born = [], 0.0, 0.0, -1000.0
    total = 0.0
    for time in times:
        warm = log.warms_up and time <= WARMUP
        new = chance.poisson(rate * SCRAPE * (slow if warm else steady))
        if log.restarts and time - SCRAPE < seconds / 2 <= time:
            cumulative, born = np.zeros(len(bounds) + 1), seconds / 2
            # What the old process finished after its last scrape is seen by nobody.
            new = chance.poisson(rate * (time - born) * steady)
        cumulative = cumulative + new
        total += float(new.sum())
        if time <= 0:
            baseline = total
        if time - SCRAPE < seconds:
            exact = total - baseline
        counts = tuple(float(c) for c in np.cumsum(cumulative))
        histogram = Histogram((*bounds, math.inf), counts, counts[-1])
        samples.append(InstanceSample(("job", "a"), float(time), None, born, {CHILD: histogram}))
    return samples, exact


def judged(
    samples: Sequence[InstanceSample], log: Log, slo: Slo, seconds: float
) -> tuple[Verdict, bool, float]:
    """Verdict, whether it is certain, and the requests counted, by sloscore."""
    start = WARMUP if log.warms_up else 0.0
    window = WindowAccumulator(start, seconds)
    window.feed(samples)
    counts = window.counts()
    histogram = counts.histograms.get("latency")
    estimate = measure(P90, counts, (start, seconds), confidence=DEFAULT_CONFIDENCE)
    result = judge(P90, slo, estimate)
    return result.verdict, result.certain, histogram.count if histogram else 0.0


def increase(samples: Sequence[InstanceSample], seconds: float) -> Histogram | None:
    """Each bucket's increase over (0, seconds], extrapolated as Prometheus does."""
    inside = [sample for sample in samples if 0 < sample.time <= seconds]
    if len(inside) < 2:
        return None
    first, last = inside[0], inside[-1]
    between = last.time - first.time
    average = between / (len(inside) - 1)
    rows = []
    for index in range(len(first.histograms[CHILD].bounds)):
        values = [sample.histograms[CHILD].cumulative[index] for sample in inside]
        grown = values[-1] - values[0]
        for before, now in itertools.pairwise(values):
            grown += before if now < before else 0.0
        to_start, to_end = first.time, seconds - last.time
        if grown > 0 and values[0] >= 0:
            to_start = min(to_start, between * values[0] / grown)
        limit = average * 1.1
        extended = between
        extended += to_start if to_start < limit else average / 2
        extended += to_end if to_end < limit else average / 2
        rows.append(grown * extended / between)
    counts = tuple(np.maximum.accumulate(rows))
    return Histogram(first.histograms[CHILD].bounds, tuple(float(c) for c in counts), 0.0)


def by_increase(samples: Sequence[InstanceSample], slo: Slo, seconds: float) -> Verdict:
    """The verdict on histogram_quantile(0.9, increase(...))."""
    grown = increase(samples, seconds)
    estimate = grown.quantile(0.9) if grown else NoData("no samples")
    return Verdict.NO_DATA if isinstance(estimate, NoData) else verdict_at(estimate.value, slo)


def run_cell(log: Log, rate: float, seconds: float, windows: int, seed: int) -> Cell:
    """Judge that many windows, each against a threshold of its own."""
    chance = np.random.default_rng(seed)
    cell = Cell()
    true_p90 = quantile_of(log, 0.9)
    for _ in range(windows):
        threshold = true_p90 / (1 + float(chance.uniform(*VIOLATIONS)))
        slo = Slo(threshold, hard_fail=True, fail_ratio=FAIL_RATIO)
        truth = verdict_at(true_p90, slo)
        advised = tuple(sorted({*STOCK, threshold, threshold * (1 + FAIL_RATIO)}))
        for bounds, ours, theirs in (
            (STOCK, cell.stock, cell.increase_stock),
            (advised, cell.advised, cell.increase_advised),
        ):
            samples, exact = scrapes(log, bounds, rate, seconds, chance)
            verdict, certain, counted = judged(samples, log, slo, seconds)
            ours.add(verdict, truth, certain=certain)
            theirs.add(by_increase(samples, slo, seconds), truth, certain=False)
            cell.miscounted += not log.warms_up and counted != exact
    return cell


def rows(windows: int) -> Iterator[tuple[Log, float, float, Cell]]:
    """All cells of the table."""
    for number, log in enumerate(LOGS):
        for rate in (5.0, 50.0):
            for seconds in (60.0, 120.0, 300.0, 900.0):
                if log.warms_up and seconds <= WARMUP:
                    continue
                seed = number * 1000 + int(rate) + int(seconds)
                yield log, rate, seconds, run_cell(log, rate, seconds, windows, seed)


def share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def table(windows: int) -> Iterator[str]:
    """The table as Markdown, a line at a time."""
    yield (
        "| log | requests/s | window | wrong | certain | wrong of certain | wrong, advised |"
        " certain, advised | wrong of certain, advised | increase() wrong |"
        " increase() wrong, advised | miscounted |"
    )
    yield "|" + " --- |" * 12
    total = Cell()
    for log, rate, seconds, cell in rows(windows):
        yield _row(f"{log.name} | {rate:g} | {seconds:g} s", cell)
        for name in ("stock", "advised", "increase_stock", "increase_advised"):
            one, whole = getattr(cell, name), getattr(total, name)
            for key in vars(one):
                setattr(whole, key, getattr(whole, key) + getattr(one, key))
        total.miscounted += cell.miscounted
    yield _row("**all** | | ", total)


def _row(head: str, cell: Cell) -> str:
    parts = []
    for tally in (cell.stock, cell.advised):
        parts += [
            share(tally.wrong, tally.known),
            share(tally.certain, tally.windows),
            share(tally.certain_wrong, tally.certain),
        ]
    parts += [share(t.wrong, t.known) for t in (cell.increase_stock, cell.increase_advised)]
    parts.append(str(cell.miscounted))
    return f"| {head} | " + " | ".join(parts) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--windows", type=int, default=400, help="windows a cell")
    parser.add_argument("--write", type=Path, help="document whose table to replace")
    options = parser.parse_args()
    publish(table(options.windows), "certainty", options.write)


if __name__ == "__main__":
    main()
