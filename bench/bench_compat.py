"""Calls a second of ``sloscore.compat.calculate_slo_penalty``, beside a bare function of the same formula.

The bare one is what a tuner would write for itself: same arguments and results, nothing checked, no
missing value told. Runs of both take turns on one core; figures are medians, so that a busy machine
slows both down alike.

    python bench/bench_compat.py [--rounds 200] [--write docs/compat.md]
"""

import argparse
import copy
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from document import publish

from sloscore.compat import Details, calculate_slo_penalty

CALLS = 1000

Penalty = Callable[[Mapping[str, Any], Mapping[str, Any]], tuple[float, bool, Details]]

CONFIG: dict[str, Any] = {
    "latency": {
        "p50": {"threshold": 2.0, "weight": 1.0, "hard_fail": False},
        "p90": {"threshold": 5.0, "weight": 2.0, "hard_fail": True, "fail_ratio": 0.2},
        "p99": {"threshold": 10.0, "weight": 3.0, "hard_fail": True, "fail_ratio": 0.5},
    },
    "ttft": {"threshold": 1.0, "weight": 2.0, "hard_fail": False},
    "steepness": 0.1,
}
VIOLATED = {
    "p50_e2e_latency": 2.3, "p90_e2e_latency": 5.5, "p99_e2e_latency": 11.0, "mean_ttft": 1.2,
}  # fmt: skip
MET = {"p50_e2e_latency": 1.0, "p90_e2e_latency": 4.0, "p99_e2e_latency": 9.0, "mean_ttft": 0.5}
KEYS = {
    "p50": "p50_e2e_latency",
    "p90": "p90_e2e_latency",
    "p99": "p99_e2e_latency",
    "ttft": "mean_ttft",
}


def bare(metrics: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[float, bool, Details]:
    """The formula alone."""
    steepness = config.get("steepness", 0.1)
    limits = dict(config.get("latency", {}))
    if "ttft" in config:
        limits["ttft"] = config["ttft"]
    penalty, is_hard_failure, details = 0.0, False, {}
    for name, limit in limits.items():
        value, threshold = metrics.get(KEYS[name]), limit["threshold"]
        if value is None or value <= threshold:
            continue
        ratio = (value - threshold) / threshold
        cost = limit.get("weight", 1.0) * math.exp(ratio / steepness)
        if limit.get("hard_fail", False) and ratio >= limit.get("fail_ratio", 0.5):
            is_hard_failure = True
            severity = "HARD_FAIL"
        else:
            severity = "SEVERE" if ratio > 0.2 else "MINOR"
        penalty += cost
        details[name] = {
            "threshold": threshold,
            "actual": value,
            "violation_ratio": ratio,
            "penalty": cost,
            "severity": severity,
        }
    return 1.0 + penalty, is_hard_failure, details


def seconds(
    function: Penalty, metrics: Mapping[str, Any], configs: Sequence[dict[str, Any]]
) -> float:
    """How long one call takes, on average of a short run."""
    start = time.perf_counter()
    for config in configs:
        function(metrics, config)
    return (time.perf_counter() - start) / len(configs)


def row(
    name: str, metrics: Mapping[str, Any], configs: Sequence[dict[str, Any]], rounds: int
) -> str:
    """A line of the table: both rates, and how much longer a call of sloscore's takes."""
    ours, theirs = calculate_slo_penalty(metrics, configs[0]), bare(metrics, configs[0])
    assert math.isclose(ours[0], theirs[0])
    assert ours[1:] == theirs[1:]
    both = [
        (seconds(calculate_slo_penalty, metrics, configs), seconds(bare, metrics, configs))
        for _ in range(rounds)
    ]
    own, other = (1 / statistics.median(runs) for runs in zip(*both, strict=True))
    ratio = statistics.median(a / b for a, b in both)
    return f"| {name} | {own / 1000:,.0f},000 | {other / 1000:,.0f},000 | {ratio:.2f} |"


def table(rounds: int) -> Iterator[str]:
    """The table as Markdown, a line at a time."""
    yield "| case | sloscore, calls/s | bare, calls/s | time, sloscore / bare |"
    yield "| --- | --- | --- | --- |"
    two = (CONFIG, {**CONFIG, "steepness": 0.05})
    other = [copy.deepcopy(CONFIG) for _ in range(CALLS)]
    yield row("four SLOs, all violated", VIOLATED, [CONFIG] * CALLS, rounds)
    yield row("four SLOs, all met", MET, [CONFIG] * CALLS, rounds)
    yield row("all violated, two configs in turn", VIOLATED, two * (CALLS // 2), rounds)
    yield row("all violated, each config for the first time", VIOLATED, other, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200, help="runs of each function a case")
    parser.add_argument("--write", type=Path, help="document whose table to replace")
    options = parser.parse_args()
    publish(table(options.rounds), "speed", options.write)


if __name__ == "__main__":
    main()
