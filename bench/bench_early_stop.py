"""How much time early stopping saves, and how often it is wrong.

Experiments of 10 minutes whose true P90 is a multiple of the hard limit, with latencies of a lognormal
distribution (sigma 0.5), judged by sloscore's evidence rule after each scrape (15 s) at alpha 0.01. A
stop is wrong where the true P90 is at or under the limit.

    python bench/bench_early_stop.py [--runs 2000] [--write docs/stopping.md]
"""

import argparse
import math
from collections.abc import Iterator
from pathlib import Path
from statistics import NormalDist

import numpy as np
from document import publish

from sloscore.core.stopping import Slow, evidence

SECONDS, SCRAPE, WARMUP = 600.0, 15.0, 60.0
ALPHA, SIGMA, QUANTILE = 0.01, 0.5, 0.9
MULTIPLES = (0.9, 1.0, 1.1, 1.3, 1.5, 2.0)


def slow_share(multiple: float) -> float:
    """Share of requests over the hard limit where the P90 is this multiple of it."""
    return 1 - NormalDist().cdf(NormalDist().inv_cdf(QUANTILE) - math.log(multiple) / SIGMA)


def stopped_at(
    multiple: float, rate: float, chance: np.random.Generator, *, warms_up: bool, burn_in: bool
) -> float | None:
    """Seconds into one experiment at which it was stopped, or None."""
    over = total = 0.0
    for time in np.arange(SCRAPE, SECONDS + SCRAPE, SCRAPE):
        # In the warm-up every request takes three times as long.
        share = slow_share(multiple * 3 if warms_up and time <= WARMUP else multiple)
        finished = chance.poisson(rate * SCRAPE)
        slow = chance.binomial(finished, share)
        if burn_in and time <= WARMUP:
            continue
        over, total = over + slow, total + finished
        if evidence(Slow(over, total), 1 - QUANTILE) >= 1 / ALPHA:
            return float(time)
    return None


def cell(multiple: float, rate: float, runs: int, *, warms_up: bool, burn_in: bool) -> str:
    """Share of experiments that were stopped, and of their time that it saved, on average."""
    chance = np.random.default_rng([int(multiple * 100), int(rate), warms_up, burn_in])
    ends = [
        stopped_at(multiple, rate, chance, warms_up=warms_up, burn_in=burn_in) for _ in range(runs)
    ]
    saved = sum(1 - end / SECONDS for end in ends if end is not None) / runs
    stopped = sum(end is not None for end in ends) / runs
    return f"{stopped:.2%} / {saved:.0%}"


def table(runs: int) -> Iterator[str]:
    """The table as Markdown, a line at a time."""
    heads = " | ".join(f"{multiple:g}x" for multiple in MULTIPLES)
    yield f"| warm-up, burn-in | requests/s | {heads} |"
    yield "|" + " --- |" * (len(MULTIPLES) + 2)
    for name, warms_up, burn_in in (
        ("none", False, False),
        ("60 s, none", True, False),
        ("60 s, 60 s", True, True),
    ):
        for rate in (5.0, 50.0):
            cells = (
                cell(multiple, rate, runs, warms_up=warms_up, burn_in=burn_in)
                for multiple in MULTIPLES
            )
            yield f"| {name} | {rate:g} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000, help="experiments a cell")
    parser.add_argument("--write", type=Path, help="document whose table to replace")
    options = parser.parse_args()
    publish(table(options.runs), "early stop", options.write)


if __name__ == "__main__":
    main()
