"""Valid tasks: what they mean, and that they survive being written and read again."""

from pathlib import Path
from typing import Any

import pytest

from sloscore.conventions import UNIT_NAMES
from sloscore.core.curve import (
    ContinuousExponential,
    Curve,
    Exponential,
    Linear,
    PenaltyFunction,
    Piecewise,
    Polynomial,
)
from sloscore.core.objective import Direction, Objective, Signal
from sloscore.core.penalty import Slo
from sloscore.core.sli import Sli
from sloscore.errors import SpecError
from sloscore.spec.loader import load_task, parse_task, validate
from sloscore.spec.model import TaskSpec
from sloscore.spec.slo import SloSpec

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_published_task_gives_its_limits_in_order() -> None:
    task = load_task(EXAMPLES / "docker_task_with_slo.json")
    assert task.slo is not None
    assert task.objective is Objective.MINIMIZE_LATENCY
    assert task.slo.steepness == 0.1
    assert task.slo.limits() == (
        (Sli("latency_p50", Signal.LATENCY, "p50"), Slo(2.0)),
        (Sli("latency_p90", Signal.LATENCY, "p90"), Slo(5.0, 2.0, hard_fail=True, fail_ratio=0.2)),
        (Sli("latency_p99", Signal.LATENCY, "p99"), Slo(10.0, 3.0, hard_fail=True)),
        (Sli("ttft", Signal.TTFT, "p90"), Slo(1.0, 2.0)),
    )


GOOD = {"tpot": 0.05, "latency": 5.0}
THROUGHPUTS = {
    "output": "throughput",
    "output_per_gpu": "throughput_per_gpu",
    "total": "total_throughput",
    "total_per_gpu": "total_throughput_per_gpu",
    "requests": "request_throughput",
}


def test_all_kinds_of_throughput_are_minimums_and_read_back_as_they_were_written() -> None:
    section = {"throughput": {kind: {"threshold": 1.0, "weight": 3.0} for kind in THROUGHPUTS}}
    spec = validate(SloSpec, section)
    assert {slo for _, slo in spec.limits()} == {Slo(1.0, 3.0, is_minimum=True)}
    assert spec.model_dump(exclude_unset=True) == section
    assert {sli.signal.unit for sli, _ in spec.limits()} == UNIT_NAMES.keys() - {"s", "ratio"}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*task*.*")), ids=lambda path: path.name)
def test_every_example_task_is_valid(path: Path) -> None:
    assert load_task(path).slo is not None


def test_a_throughput_task_is_maximised_and_has_a_minimum() -> None:
    task = load_task(EXAMPLES / "maximize_throughput.yaml")
    assert task.slo is not None
    assert task.objective.direction is Direction.MAXIMIZE
    sli, slo = task.slo.limits()[-1]
    assert sli == Sli("throughput", Signal.THROUGHPUT, "rate")
    assert slo == Slo(1500.0, 2.0, is_minimum=True, curve=Exponential(0.2))


@pytest.mark.parametrize(
    ("section", "ids", "statistics"),
    [
        ({"ttft": {"threshold": 1}}, ["ttft"], ["p90"]),
        ({"tpot": {"threshold": 1}}, ["tpot"], ["mean"]),
        ({"ttft": {"threshold": 1, "statistic": "mean"}}, ["ttft"], ["mean"]),
        ({"tpot": {"threshold": 1, "statistic": "p99.9"}}, ["tpot"], ["p99.9"]),
        ({"ttft": {"p99": {"threshold": 1}}}, ["ttft_p99"], ["p99"]),
        (
            {"tpot": {"p99.9": {"threshold": 1}, "p5": {"threshold": 1}}},
            ["tpot_p5", "tpot_p99.9"],
            ["p5", "p99.9"],
        ),
        (
            {
                "throughput": {"threshold": 9},
                "tpot": {"threshold": 1},
                "ttft": {"threshold": 1},
                "latency": {
                    "p99.5": {"threshold": 1},
                    "p9": {"threshold": 1},
                    "p99": {"threshold": 1},
                    "p10": {"threshold": 1},
                },
            },
            [
                "latency_p9",
                "latency_p10",
                "latency_p99",
                "latency_p99.5",
                "ttft",
                "tpot",
                "throughput",
            ],
            ["p9", "p10", "p99", "p99.5", "p90", "mean", "rate"],
        ),
        ({"error_rate": {"threshold": 0.01}}, ["error_rate"], ["share"]),
        ({"goodput": {"threshold": 0.9, "within": GOOD}}, ["goodput_share"], ["share"]),
        (
            {"goodput": {"threshold": 9, "within": GOOD, "measure": "rate"}},
            ["goodput"],
            ["rate"],
        ),
        ({"queue": {"threshold": 1}}, ["queue"], ["p90"]),
        ({"queue": {"p50": {"threshold": 1}}}, ["queue_p50"], ["p50"]),
        (
            {"throughput": {kind: {"threshold": 1} for kind in reversed(THROUGHPUTS)}},
            list(THROUGHPUTS.values()),
            ["rate"] * 5,
        ),
    ],
)
def test_limits_have_stable_ids_and_order(
    section: dict[str, Any], ids: list[str], statistics: list[str]
) -> None:
    limits = validate(SloSpec, section).limits()
    assert [sli.id for sli, _ in limits] == ids
    assert [sli.statistic for sli, _ in limits] == statistics


@pytest.mark.parametrize(("measure", "signal"), [("share", "goodput_share"), ("rate", "goodput")])
def test_goodput_has_its_limits_in_one_order_and_is_a_minimum(measure: str, signal: str) -> None:
    section = {"goodput": {"threshold": 0.9, "within": GOOD, "measure": measure}}
    spec = validate(SloSpec, section)
    ((sli, slo),) = spec.limits()
    within = ((Signal.LATENCY, 5.0), (Signal.TPOT, 0.05))
    assert sli == Sli.of_window(Signal(signal), within)
    assert sli.roles == ("latency", "tpot")
    assert slo == Slo(0.9, is_minimum=True)


def test_goodput_is_maximised_as_a_rate_whatever_its_limit_is_on() -> None:
    goodput = {"threshold": 0.9, "within": GOOD}
    task = {
        "task_name": "t",
        "optimization": {"objective": "maximize_goodput"},
        "slo": {"goodput": goodput},
    }
    spec = validate(TaskSpec, task)
    assert [sli.id for sli in spec.measured] == ["goodput_share", "goodput"]
    assert spec.base.within == spec.measured[0].within
    with pytest.raises(SpecError, match=r"maximize_goodput needs slo\.goodput, which says what"):
        validate(TaskSpec, {**task, "slo": {"ttft": {"threshold": 1}}})


def test_a_target_without_more_than_its_threshold_has_the_documented_defaults() -> None:
    spec = validate(SloSpec, {"ttft": {"threshold": 3}})
    assert spec.steepness == 0.1
    assert spec.min_requests is None
    assert spec.limits()[0][1] == Slo(3.0, 1.0, hard_fail=False, fail_ratio=0.5, is_minimum=False)


CURVES = {
    "without one it is the contract's": (None, None, Exponential(0.2)),
    "the section's": ("linear", None, Linear(0.2)),
    "the limit's own before the section's": ("linear", "polynomial", Polynomial(0.2, 2.0)),
    "the contract's own name": ("linear", "exponential", Exponential(0.2)),
    "a name in a mapping": (None, {"function": "linear"}, Linear(0.2)),
    "without its jump": ("continuous_exponential", None, ContinuousExponential(0.2)),
    "a degree": (None, {"function": "polynomial", "degree": 3}, Polynomial(0.2, 3.0)),
    "points, to which steepness means nothing": (
        {"function": "piecewise", "points": [[0.1, 1], [0.5, 20]]},
        None,
        Piecewise(((0.1, 1.0), (0.5, 20.0))),
    ),
}


@pytest.mark.parametrize(("of_all", "of_one", "curve"), CURVES.values(), ids=CURVES.keys())
def test_a_limit_is_penalised_by_its_own_function_or_the_sections(
    of_all: object, of_one: object, curve: Curve
) -> None:
    section = {"threshold": 3, **({} if of_one is None else {"penalty": of_one})}
    data = {"ttft": section, "throughput": section, "latency": {"p90": section}, "steepness": 0.2}
    spec = validate(SloSpec, data if of_all is None else {**data, "penalty": of_all})
    assert [slo.curve for _, slo in spec.limits()] == [curve] * 3


@pytest.mark.parametrize("function", sorted(set(PenaltyFunction) - {PenaltyFunction.PIECEWISE}))
def test_a_bare_name_is_the_function_of_that_name(function: PenaltyFunction) -> None:
    for penalty in (function.value, {"function": function.value}):
        spec = validate(SloSpec, {"ttft": {"threshold": 3}, "penalty": penalty})
        assert [slo.curve.function for _, slo in spec.limits()] == [function]


def test_a_task_needs_no_more_than_its_name() -> None:
    task = parse_task("task_name: bare\n", "task.yaml")
    assert task.slo is None
    assert task.objective is Objective.MINIMIZE_LATENCY
    assert task.selector == {}


def test_what_only_the_tuner_reads_is_kept_as_it_is() -> None:
    text = """
task_name: t
parameters: {tp: [1, 2], flag: [on, true], at: 2024-01-01}
benchmark: {rate: 1e-3, octal: 0o17, hex: 0xFF, none: ~, sign: +5}
optimization: {strategy: grid_search, own_option: {a: 1}}
"""
    task = parse_task(text, "task.yaml")
    assert task.parameters == {"tp": [1, 2], "flag": ["on", True], "at": "2024-01-01"}
    assert task.benchmark == {"rate": 0.001, "octal": 15, "hex": 255, "none": None, "sign": 5}
    assert task.optimization.model_extra == {"own_option": {"a": 1}}


def test_json_indented_with_tabs_and_with_escapes_is_read() -> None:
    text = '{\r\n\t"task_name": "a\\/b \\u00e9 \\ud83d\\ude00",\r\n\t"parameters": [true, null, -1.5e3]\r\n}'
    task = parse_task(text, "TASK.JSON")
    assert task.task_name == "a/b \u00e9 \U0001f600"
    assert task.parameters == [True, None, -1500.0]


def test_a_task_cannot_be_changed() -> None:
    task = parse_task("task_name: t\n", "task.yaml")
    with pytest.raises(ValueError, match="frozen"):
        task.task_name = "other"  # type: ignore[misc]
