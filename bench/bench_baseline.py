"""How often a comparison with a baseline is wrong, and from which change on it tells.

Two windows of simulated requests a run, in the buckets of vLLM or in finer ones, compared by sloscore at a
confidence of 0.95. Twice the same deployment: how often a verdict says that they differ. A candidate
that is slower: how often the interval holds the true difference, and how often the verdict says so.

    python bench/bench_baseline.py [--runs 4000] [--write docs/baseline.md]
"""

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from document import publish

from sloscore.core.compare import (
    Difference,
    Rate,
    compare_means,
    compare_quantiles,
    compare_rates,
    compare_shares,
)
from sloscore.core.confidence import DEFAULT_CONFIDENCE
from sloscore.core.histogram import Histogram
from sloscore.core.nodata import NoData
from sloscore.simulate.kinds import KINDS

STOCK = tuple(KINDS["vllm"].histograms["latency"].buckets)
FINE = tuple(0.05 * 1.1**power for power in range(90))
# Of the latencies: lognormal with a median of 1.8 s, and a heavier tail of one request in eight.
MEDIAN, SIGMA, TAIL_SHARE, TAIL = 1.8, 0.6, 0.125, 3.0
THRESHOLD = 5.0
CHANGES = (0.1, 0.25, 0.5)
SIZES = ((20, 20), (100, 100), (1000, 1000), (10000, 10000), (100, 5000))
SECONDS = 60.0
TOKENS = 200.0


def latencies(chance: np.random.Generator, count: int, factor: float) -> np.ndarray:
    """Seconds of so many requests of a deployment that is slower by this factor."""
    values = chance.lognormal(math.log(MEDIAN), SIGMA, count)
    return factor * np.where(chance.random(count) < TAIL_SHARE, TAIL * values, values)


def histogram(values: np.ndarray, bounds: tuple[float, ...]) -> Histogram:
    counts = np.searchsorted(np.sort(values), bounds, side="right")
    cumulative = (*(float(count) for count in counts), float(len(values)))
    return Histogram((*bounds, math.inf), cumulative, float(values.sum()))


def rate(chance: np.random.Generator, count: int, factor: float) -> Rate:
    """Tokens a second where Poisson arrivals bring lengths that spread as widely as their mean."""
    requests = int(chance.poisson(count / factor))
    tokens = float(chance.exponential(TOKENS, requests).sum())
    return Rate(tokens / SECONDS, tokens / SECONDS, tokens / SECONDS, requests)


@dataclass(frozen=True)
class Statistic:
    """What is compared; ``truth`` is its value for a factor of slowness."""

    name: str
    compare: Callable[[np.random.Generator, int, int, float], Difference | NoData]
    truth: Callable[[float, int], float]


def of_histograms(
    bounds: tuple[float, ...], compare: Callable[[Histogram, Histogram], Difference | NoData]
) -> Callable[[np.random.Generator, int, int, float], Difference | NoData]:
    def run(chance: np.random.Generator, new: int, old: int, factor: float) -> Difference | NoData:
        return compare(
            histogram(latencies(chance, new, factor), bounds),
            histogram(latencies(chance, old, 1.0), bounds),
        )

    return run


def over(one: Histogram) -> tuple[float, float]:
    within = one.count_at_or_under(THRESHOLD)
    assert within is not None
    return one.count - within, one.count


def statistics() -> Iterator[Statistic]:
    many = latencies(np.random.default_rng(0), 20_000_000, 1.0)
    for q in (0.5, 0.9, 0.99):
        true = float(np.quantile(many, q))
        for name, bounds in (("vLLM's buckets", STOCK), ("fine buckets", FINE)):
            yield Statistic(
                f"P{q * 100:g}, {name}",
                of_histograms(
                    bounds,
                    lambda new, old, q=q: compare_quantiles(new, old, q, DEFAULT_CONFIDENCE),  # type: ignore[misc]
                ),
                lambda factor, _, true=true: factor * true,  # type: ignore[misc]
            )
    mean = float(many.mean())
    yield Statistic(
        "mean",
        of_histograms(STOCK, lambda new, old: compare_means(new, old, DEFAULT_CONFIDENCE)),
        lambda factor, _: factor * mean,
    )
    yield Statistic(
        f"share over {THRESHOLD:g} s",
        of_histograms(
            STOCK, lambda new, old: compare_shares(over(new), over(old), DEFAULT_CONFIDENCE)
        ),
        lambda factor, _: float((many > THRESHOLD / factor).mean()),
    )
    yield Statistic(
        "throughput",
        lambda chance, new, old, factor: compare_rates(
            rate(chance, new, factor), rate(chance, old, 1.0), DEFAULT_CONFIDENCE
        ),
        lambda factor, count: count / factor * TOKENS / SECONDS,
    )


def cells(statistic: Statistic, sizes: tuple[int, int], runs: int) -> Iterator[str]:
    """Wrong verdicts between equals, then for each change coverage and how often it is told."""
    new, old = sizes
    chance = np.random.default_rng(1)
    for change in (0.0, *CHANGES):
        factor = 1 + change
        # A rate falls where a latency rises, and its windows are equally long.
        true = statistic.truth(factor, new) - statistic.truth(1.0, old)
        told = held = 0
        for _ in range(runs):
            found = statistic.compare(chance, new, old, factor)
            assert not isinstance(found, NoData)
            told += found.sign != 0
            held += found.low <= true <= found.high
        yield f"{told / runs:.1%}" if change == 0 else f"{told / runs:.0%} ({held / runs:.1%})"


def table(runs: int) -> Iterator[str]:
    """The table as Markdown, a line at a time."""
    heads = " | ".join(f"told at {change:+.0%}" for change in CHANGES)
    yield f"| compared | requests | wrong between equals | {heads} |"
    yield "|" + " --- |" * (3 + len(CHANGES))
    for statistic in statistics():
        for sizes in SIZES:
            if statistic.name == "throughput" and sizes[0] != sizes[1]:
                continue
            shown = f"{sizes[0]}" if sizes[0] == sizes[1] else f"{sizes[0]} to {sizes[1]}"
            yield f"| {statistic.name} | {shown} | {' | '.join(cells(statistic, sizes, runs))} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=4000, help="pairs of windows a cell")
    parser.add_argument("--write", type=Path, help="document whose table to replace")
    options = parser.parse_args()
    publish(table(options.runs), "baseline", options.write)


if __name__ == "__main__":
    main()
