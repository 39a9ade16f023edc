"""The scoring functions of inference-autotuner under their own names and with their own results.

A tuner changes one import. What differs on purpose, with numbers: docs/compat.md.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sloscore.core.penalty import (
    DEFAULT_FAIL_RATIO,
    DEFAULT_STEEPNESS,
    SEVERE_RATIO,
    penalty_of,
    reaches,
)

_KEYS: Final[Mapping[str, str]] = {
    "p50": "p50_e2e_latency",
    "p90": "p90_e2e_latency",
    "p99": "p99_e2e_latency",
    "ttft": "mean_ttft",
    "tpot": "mean_tpot",
}
_BASE_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "minimize_latency": ("mean_e2e_latency", "p50_e2e_latency"),
    "minimize_ttft": ("mean_ttft",),
    "minimize_tpot": ("mean_tpot",),
    "maximize_throughput": (
        "mean_total_throughput_per_gpu",
        "mean_total_throughput",
        "mean_output_throughput",
        "max_total_throughput",
    ),
}
_NO_DATA: Final = "NO_DATA"

Metrics = Mapping[str, Any]
Details = dict[str, dict[str, Any]]


def calculate_slo_penalty(
    metrics: Metrics, slo_config: Mapping[str, Any] | None = None
) -> tuple[float, bool, Details]:
    """``(penalty_multiplier, is_hard_failure, violation_details)`` of metrics in seconds.

    Reads ``p50_e2e_latency``, ``p90_e2e_latency``, ``p99_e2e_latency``, ``mean_ttft`` and
    ``mean_tpot``. ``violation_details`` has an entry for each violated SLO (``threshold``,
    ``actual``, ``violation_ratio``, ``penalty``, ``severity``), and one of severity ``NO_DATA``
    for each SLO whose metric is missing. Raises ValueError for a config that cannot be used.
    """
    if not slo_config:
        return 1.0, False, {}
    steepness = slo_config.get("steepness", DEFAULT_STEEPNESS)
    if not 0 < steepness < math.inf:
        raise ValueError(f"steepness: must be a finite number above 0, got {steepness!r}")
    multiplier = 1.0
    is_hard_failure = False
    details: Details = {}
    for name, section in _sections(slo_config):
        threshold = section.get("threshold")
        if threshold is None or not 0 < threshold < math.inf:
            raise ValueError(
                f"{name}.threshold: must be a finite number above 0, got {threshold!r}"
            )
        value = metrics.get(_KEYS[name])
        if value is None or value != value:  # noqa: PLR0124  NaN differs from itself
            details[name] = {"threshold": threshold, "actual": None, "severity": _NO_DATA}
        elif value > threshold:
            ratio = (value - threshold) / threshold
            cost = penalty_of(ratio, section.get("weight", 1.0), steepness)
            is_hard = section.get("hard_fail", False) and reaches(
                ratio, section.get("fail_ratio", DEFAULT_FAIL_RATIO)
            )
            multiplier += cost
            is_hard_failure = is_hard_failure or is_hard
            details[name] = {
                "threshold": threshold,
                "actual": value,
                "violation_ratio": ratio,
                "penalty": cost,
                "severity": _severity(ratio, is_hard=is_hard),
            }
    return multiplier, is_hard_failure, details


def calculate_objective_score(
    results: Metrics,
    objective: str = "minimize_latency",
    slo_config: Mapping[str, Any] | None = None,
) -> float:
    """The score of results for an objective: to be minimised, or maximised for throughput.

    Infinite in the bad direction where a hard SLO is broken, and where the objective's metric or
    that of an SLO is missing. Raises ValueError for an unknown objective.
    """
    if objective not in _BASE_KEYS:
        raise ValueError(f"objective: must be one of {', '.join(_BASE_KEYS)}, got {objective!r}")
    maximise = objective == "maximize_throughput"
    worst = -math.inf if maximise else math.inf
    known = (results.get(key) for key in _BASE_KEYS[objective])
    base = next((value for value in known if value is not None and not math.isnan(value)), None)
    if base is None:
        return worst
    multiplier, is_hard_failure, details = calculate_slo_penalty(results, slo_config)
    if is_hard_failure or any(one["severity"] == _NO_DATA for one in details.values()):
        return worst
    if maximise:
        return 0.0 if math.isinf(multiplier) else float(base) / multiplier
    return math.inf if math.isinf(multiplier) else float(base) * multiplier


def experiment_result(report: Mapping[str, Any]) -> dict[str, Any]:
    """What inference-autotuner's orchestrator records of an experiment, from sloscore's report.

    ``report`` is the service's document (``Report.raw`` of the client). ``status`` is ``success``
    or ``failed``; a hard violation carries ``slo_violation: true`` and its reason.
    """
    score = report["score"]
    failed = report["status"] in {"FAILED", "NO_DATA"}
    result: dict[str, Any] = {
        "status": "FAILED" if failed else "SUCCESS",
        "objective_score": None if score is None else float(score),
    }
    if report["slo_violation"]:
        result["slo_violation"] = True
    if failed:
        result["error_message"] = report["reason"]
    return result


def _sections(config: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, section in (config.get("latency") or {}).items():
        if name not in {"p50", "p90", "p99"}:
            raise ValueError(f"latency.{name}: results hold p50, p90 and p99 only")
        yield name, section
    for name in ("ttft", "tpot"):
        section = config.get(name)
        if section:
            yield name, section


def _severity(ratio: float, *, is_hard: bool) -> str:
    if is_hard:
        return "HARD_FAIL"
    return "SEVERE" if ratio > SEVERE_RATIO else "MINOR"
