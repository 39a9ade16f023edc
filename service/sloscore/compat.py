"""The scoring functions of inference-autotuner under their own names and with their own results.

A tuner changes one import. What differs on purpose, with numbers: docs/compat.md.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sloscore.core.curve import DEFAULT_STEEPNESS, PenaltyFunction
from sloscore.core.penalty import DEFAULT_FAIL_RATIO, SEVERE_RATIO, reaches

__all__ = [
    "calculate_objective_score",
    "calculate_slo_penalty",
    "experiment_result",
]

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
_EXPONENTIAL: Final = PenaltyFunction.EXPONENTIAL.value
_PLAIN: Final = frozenset({bool, float, int, str, type(None)})

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
    checked = _seen.get(id(slo_config))
    if checked is None or checked.config != slo_config:
        checked = _check(slo_config)
    steepness = checked.steepness
    multiplier = 1.0
    is_hard_failure = False
    details: Details = {}
    # Written out without calls: a tuner may score each of many samples (bench/bench_compat.py).
    for name, key, threshold, weight, hard_fail, fail_ratio in checked.limits:
        value = metrics.get(key)
        if value is not None and value > threshold:
            ratio = (value - threshold) / threshold
            try:
                cost = 0.0 if weight == 0 else weight * math.exp(ratio / steepness)
            except OverflowError:
                cost = math.inf
            # Far below the fail ratio there is no need to ask about the rounding of floats.
            if hard_fail and ratio * 1.001 + 1e-9 >= fail_ratio and reaches(ratio, fail_ratio):
                is_hard_failure = True
                severity = "HARD_FAIL"
            else:
                severity = "SEVERE" if ratio > SEVERE_RATIO else "MINOR"
            multiplier += cost
            details[name] = {
                "threshold": threshold,
                "actual": value,
                "violation_ratio": ratio,
                "penalty": cost,
                "severity": severity,
            }
        elif value is None or value != value:  # noqa: PLR0124  NaN differs from itself
            details[name] = {"threshold": threshold, "actual": None, "severity": _NO_DATA}
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


class _Checked(NamedTuple):
    """What a call needs of a config that can be used, and a copy of it as it was checked.

    Each limit has its name, the key of its metric, threshold, weight, hard_fail and fail_ratio.
    """

    config: Mapping[str, Any]
    steepness: float
    limits: Sequence[tuple[str, str, Any, Any, Any, Any]]


# By id, to be found fast, and compared by value at each call: a config may have changed since.
_seen: dict[int, _Checked] = {}
_MAX_SEEN: Final = 64


def _check(config: Mapping[str, Any]) -> _Checked:
    steepness = config.get("steepness", DEFAULT_STEEPNESS)
    if not 0 < steepness < math.inf:
        raise ValueError(f"steepness: must be a finite number above 0, got {steepness!r}")
    _require_exponential("penalty", config)
    limits = []
    for name, section in _sections(config):
        threshold = section.get("threshold")
        if threshold is None or not 0 < threshold < math.inf:
            raise ValueError(
                f"{name}.threshold: must be a finite number above 0, got {threshold!r}"
            )
        _require_exponential(f"{name}.penalty", section)
        weight, hard_fail = section.get("weight", 1.0), section.get("hard_fail", False)
        fail_ratio = section.get("fail_ratio", DEFAULT_FAIL_RATIO)
        limits.append((name, _KEYS[name], threshold, weight, hard_fail, fail_ratio))
    try:
        checked = _Checked(_copy(config), steepness, limits)
    except TypeError:
        return _Checked({}, steepness, limits)
    if len(_seen) >= _MAX_SEEN:
        _seen.clear()
    _seen[id(config)] = checked
    return checked


def _require_exponential(name: str, section: Mapping[str, Any]) -> None:
    """Raises ValueError for a section with another penalty function, which the origin lacks."""
    chosen = section.get("penalty")
    if chosen not in (None, _EXPONENTIAL, {"function": _EXPONENTIAL}):
        raise ValueError(f"{name}: only {_EXPONENTIAL} is known here, got {chosen!r}")


def _copy(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that shares nothing that can change; raises TypeError where not all of it is plain."""
    copy = {}
    for key, value in config.items():
        if type(value) is dict:
            copy[key] = _copy(value)
        elif type(value) in _PLAIN:
            copy[key] = value
        else:
            raise TypeError(f"{key}: a {type(value).__name__} may change unseen")
    return copy


def _sections(config: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, section in (config.get("latency") or {}).items():
        if name not in {"p50", "p90", "p99"}:
            raise ValueError(f"latency.{name}: results hold p50, p90 and p99 only")
        yield name, section
    for name in ("ttft", "tpot"):
        section = config.get(name)
        if section:
            yield name, section
