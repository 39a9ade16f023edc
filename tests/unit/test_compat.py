"""The tuner's own functions by their names: the document's figures, and what differs on purpose."""

import copy
import math
from collections import UserDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloscore.compat import calculate_objective_score, calculate_slo_penalty, experiment_result
from sloscore.core.curve import Exponential
from sloscore.core.judge import judge
from sloscore.core.objective import Direction, Signal
from sloscore.core.penalty import Slo
from sloscore.core.scoring import combine
from sloscore.core.sli import Estimate, Sli

SLO: dict[str, Any] = {
    "latency": {
        "p50": {"threshold": 2.0, "weight": 1.0, "hard_fail": False},
        "p90": {"threshold": 5.0, "weight": 2.0, "hard_fail": True, "fail_ratio": 0.2},
        "p99": {"threshold": 10.0, "weight": 3.0, "hard_fail": True, "fail_ratio": 0.5},
    },
    "ttft": {"threshold": 1.0, "weight": 2.0, "hard_fail": False},
    "steepness": 0.1,
}
MET = {"p50_e2e_latency": 1.0, "p90_e2e_latency": 4.0, "p99_e2e_latency": 9.0, "mean_ttft": 0.5}
FOUR = {"p50_e2e_latency": 2.3, "p90_e2e_latency": 5.5, "p99_e2e_latency": 11.0, "mean_ttft": 1.2}


def test_no_violation_multiplies_by_one() -> None:
    assert calculate_slo_penalty(MET, SLO) == (1.0, False, {})
    assert calculate_objective_score({**MET, "mean_e2e_latency": 3.0}, slo_config=SLO) == 3.0


def test_without_an_slo_the_score_is_the_base() -> None:
    assert calculate_slo_penalty(FOUR) == (1.0, False, {})
    assert calculate_objective_score({"mean_e2e_latency": 2.5}) == 2.5


def test_four_violations_are_the_documents() -> None:
    multiplier, is_hard, details = calculate_slo_penalty(FOUR, SLO)
    assert multiplier == pytest.approx(33.85, abs=0.005)
    assert not is_hard
    assert {name: round(one["penalty"], 2) for name, one in details.items()} == {
        "p50": 4.48, "p90": 5.44, "p99": 8.15, "ttft": 14.78,
    }  # fmt: skip
    assert details["p90"].keys() == {
        "threshold", "actual", "violation_ratio", "penalty", "severity",
    }  # fmt: skip
    score = calculate_objective_score({**FOUR, "mean_e2e_latency": 2.5}, slo_config=SLO)
    assert score == pytest.approx(84.6, abs=0.05)


@pytest.mark.parametrize(
    ("p90", "severity"), [(5.1, "MINOR"), (5.99, "MINOR"), (6.0, "HARD_FAIL"), (6.5, "HARD_FAIL")]
)
def test_a_hard_fail_is_inclusive(p90: float, severity: str) -> None:
    results = {**MET, "p90_e2e_latency": p90, "mean_e2e_latency": 3.0}
    _, is_hard, details = calculate_slo_penalty(results, SLO)
    assert (details["p90"]["severity"], is_hard) == (severity, severity == "HARD_FAIL")
    assert math.isinf(calculate_objective_score(results, slo_config=SLO)) == is_hard


def test_more_than_a_fifth_over_is_severe() -> None:
    _, _, details = calculate_slo_penalty({**MET, "mean_ttft": 1.3}, SLO)
    assert details["ttft"]["severity"] == "SEVERE"


def test_a_maximised_objective_gets_worse_by_a_penalty_and_worst_by_a_hard_fail() -> None:
    results = {**MET, "mean_total_throughput_per_gpu": 100.0}

    def score(**more: float) -> float:
        return calculate_objective_score({**results, **more}, "maximize_throughput", SLO)

    assert score() == 100.0
    assert score(mean_ttft=1.1) == pytest.approx(100 / (1 + 2 * math.e))
    assert score(p90_e2e_latency=6.5) == -math.inf


@pytest.mark.parametrize(
    ("objective", "results", "base"),
    [
        ("minimize_latency", {"mean_e2e_latency": 1.5, "p50_e2e_latency": 9}, 1.5),
        ("minimize_latency", {"p50_e2e_latency": 1.5}, 1.5),
        ("minimize_ttft", {"mean_ttft": 0.5}, 0.5),
        ("minimize_tpot", {"mean_tpot": 0.05}, 0.05),
        ("maximize_throughput", {"mean_total_throughput": 70, "mean_output_throughput": 9}, 70),
        ("maximize_throughput", {"mean_output_throughput": 9}, 9),
        ("minimize_latency", {}, math.inf),
        ("minimize_ttft", {"mean_ttft": math.nan}, math.inf),
        ("maximize_throughput", {}, -math.inf),
    ],
)
def test_the_base_is_the_objectives_metric(
    objective: str, results: dict[str, float], base: float
) -> None:
    assert calculate_objective_score(results, objective) == base


def test_a_missing_metric_is_told_and_never_a_pass() -> None:
    results = {"p50_e2e_latency": 1.0, "p90_e2e_latency": math.nan, "mean_e2e_latency": 3.0}
    multiplier, is_hard, details = calculate_slo_penalty(results, SLO)
    assert (multiplier, is_hard) == (1.0, False)
    assert {name: one["severity"] for name, one in details.items()} == {
        "p90": "NO_DATA", "p99": "NO_DATA", "ttft": "NO_DATA",
    }  # fmt: skip
    assert calculate_objective_score(results, slo_config=SLO) == math.inf


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"ttft": {"weight": 1.0}}, "ttft.threshold: must be a finite number above 0, got None"),
        ({"latency": {"p50": {"threshold": 0}}}, "p50.threshold: must be a finite number above 0"),
        ({"latency": {"p95": {"threshold": 1}}}, "latency.p95: results hold p50, p90 and p99 only"),
        ({"ttft": {"threshold": 1.0}, "steepness": 0}, "steepness: must be a finite number above"),
        ({"ttft": {"threshold": 1.0}, "steepness": math.nan}, "steepness: must be a finite number"),
    ],
)
def test_a_config_that_cannot_be_used_is_refused(config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        calculate_slo_penalty({"mean_ttft": 2.0}, config)
    with pytest.raises(ValueError, match="objective: must be one of"):
        calculate_objective_score({}, "minimize_cost")


@pytest.mark.parametrize("kind", [dict, UserDict])
@pytest.mark.parametrize(
    "change",
    [
        lambda slo: slo.update(steepness=0.2),
        lambda slo: slo["ttft"].update(weight=4.0),
        lambda slo: slo["ttft"].update(threshold=1.1),
        lambda slo: slo.update(ttft={"threshold": 9.0}),
        lambda slo: slo.pop("ttft"),
        lambda slo: slo["tpot"].update(threshold=0.05),
        lambda slo: slo["latency"]["p90"].update(fail_ratio=0.05),
        lambda slo: slo["latency"]["p50"].update(hard_fail=True, fail_ratio=0.1),
        lambda slo: slo["latency"].pop("p99"),
        lambda slo: slo.pop("latency"),
        lambda slo: slo.clear(),
    ],
)
def test_a_config_that_was_changed_in_place_is_read_anew(
    kind: type[Any], change: Callable[[Any], object]
) -> None:
    results = {**FOUR, "mean_tpot": 0.06}
    slo = kind(copy.deepcopy(SLO), ttft=kind(SLO["ttft"]), tpot=kind())
    before = calculate_slo_penalty(results, slo)
    assert calculate_slo_penalty(results, slo) == before
    change(slo)
    assert calculate_slo_penalty(results, slo) == calculate_slo_penalty(results, {**slo}) != before


def test_a_config_that_was_made_wrong_in_place_is_refused() -> None:
    slo = copy.deepcopy(SLO)
    calculate_slo_penalty(FOUR, slo)
    slo["latency"]["p90"]["threshold"] = -1.0
    with pytest.raises(ValueError, match=r"p90.threshold: must be a finite number above 0"):
        calculate_slo_penalty(FOUR, slo)


def test_very_many_configs_are_scored_each_by_its_own() -> None:
    configs = [{"ttft": {"threshold": 1.0 + step / 1000}} for step in range(500)]
    multipliers = [calculate_slo_penalty({"mean_ttft": 2.0}, slo)[0] for slo in configs]
    assert multipliers == [
        calculate_slo_penalty({"mean_ttft": 2.0}, slo)[0] for slo in copy.deepcopy(configs)
    ]
    assert multipliers == sorted(set(multipliers), reverse=True)


@pytest.mark.parametrize(
    ("value", "weight", "penalty"),
    [(1e6, 1.0, math.inf), (math.inf, 1.0, math.inf), (1e6, 0.0, 0.0), (math.inf, 0.0, 0.0)],
)
def test_a_penalty_past_all_floats_is_infinite_unless_it_weighs_nothing(
    value: float, weight: float, penalty: float
) -> None:
    config = {"ttft": {"threshold": 1.0, "weight": weight}}
    multiplier, _, details = calculate_slo_penalty({"mean_ttft": value}, config)
    assert (multiplier, details["ttft"]["penalty"]) == (1.0 + penalty, penalty)


@pytest.mark.parametrize("penalty", ["exponential", {"function": "exponential"}, None])
def test_the_exponential_may_be_named(penalty: object) -> None:
    named = {**SLO, "penalty": penalty, "ttft": {**SLO["ttft"], "penalty": penalty}}
    assert calculate_slo_penalty(FOUR, named) == calculate_slo_penalty(FOUR, SLO)


@pytest.mark.parametrize("penalty", ["linear", {"function": "polynomial", "degree": 3}])
def test_another_penalty_function_is_refused_and_never_scored_as_the_exponential(
    penalty: object,
) -> None:
    for_all, for_one = {**SLO, "penalty": penalty}, {"ttft": {**SLO["ttft"], "penalty": penalty}}
    for name, config in (("penalty", for_all), ("ttft.penalty", for_one)):
        for results in (MET, FOUR, {}):
            with pytest.raises(ValueError, match=f"^{name}: only exponential is known here, got "):
                calculate_slo_penalty(results, config)
        with pytest.raises(ValueError, match=f"^{name}: only exponential"):
            calculate_objective_score({"mean_e2e_latency": 1.0}, slo_config=config)


@pytest.mark.parametrize(
    ("report", "recorded"),
    [
        (
            {"status": "SUCCESS", "slo_violation": False, "score": 2.5, "reason": None},
            {"status": "SUCCESS", "objective_score": 2.5},
        ),
        (
            {
                "status": "FAILED", "slo_violation": True, "score": "Infinity",
                "reason": "Hard SLO violation",
            },
            {
                "status": "FAILED", "objective_score": math.inf, "slo_violation": True,
                "error_message": "Hard SLO violation",
            },
        ),
        (
            {"status": "NO_DATA", "slo_violation": False, "score": None, "reason": "no traffic"},
            {"status": "FAILED", "objective_score": None, "error_message": "no traffic"},
        ),
    ],
)  # fmt: skip
def test_an_experiment_is_recorded_as_the_orchestrator_does(
    report: dict[str, Any], recorded: dict[str, Any]
) -> None:
    assert experiment_result(report) == recorded


values = st.floats(0, 1e4)


@given(values, values, values, values, st.floats(0.01, 2), st.floats(0.001, 100))
def test_multiplier_and_score_are_those_of_the_core(
    p50: float, p90: float, p99: float, ttft: float, steepness: float, base: float
) -> None:
    results = {
        "p50_e2e_latency": p50, "p90_e2e_latency": p90, "p99_e2e_latency": p99,
        "mean_ttft": ttft, "mean_e2e_latency": base,
    }  # fmt: skip
    limits = {
        "p50": (p50, Slo(2.0)),
        "p90": (p90, Slo(5.0, 2.0, hard_fail=True, fail_ratio=0.2)),
        "p99": (p99, Slo(10.0, 3.0, hard_fail=True)),
        "ttft": (ttft, Slo(1.0, 2.0)),
    }
    curve = Exponential(steepness)
    judged = [
        judge(Sli(name, Signal.LATENCY, "p50"), replace(slo, curve=curve), Estimate.exact(value))
        for name, (value, slo) in limits.items()
    ]
    core = combine(base, Direction.MINIMIZE, judged)
    multiplier, is_hard, _ = calculate_slo_penalty(results, {**SLO, "steepness": steepness})
    assert multiplier == pytest.approx(core.multiplier)
    assert is_hard == core.slo_violation
    score = calculate_objective_score(results, slo_config={**SLO, "steepness": steepness})
    assert score == pytest.approx(core.score)
