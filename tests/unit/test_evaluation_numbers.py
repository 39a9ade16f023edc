"""Reports of numbers that are given, and of what depends on how many GPUs serve."""

import math
from typing import Any

import orjson
import pytest
from tests.unit.reported_windows import END, NOW, SOFT, START, ended, only

from sloscore.core.scoring import Status
from sloscore.errors import SpecError
from sloscore.evaluation.plan import Plan, plan_registration
from sloscore.evaluation.report import report_values
from sloscore.experiments.window import WindowCounts
from sloscore.wire import Registration, Report, ScoreRequest


def values(slo: dict[str, Any] | None, base: float | None = 2.0, **given: float | None) -> Report:
    request = ScoreRequest.model_validate({"slo": slo, "base_score": base, "values": given})
    return report_values(request, NOW)


def test_numbers_are_scored_as_windows_are() -> None:
    report = values({"latency": {"p90": SOFT}, "ttft": SOFT}, latency_p90=1.1, ttft=0.5)

    assert report.score == pytest.approx(2 * (1 + 2 * math.e))
    assert [sli.certain for sli in report.slis] == [True, True]
    assert (report.experiment, report.window, report.decision.action) == (None, None, "stop")


def test_a_report_says_which_function_each_penalty_is_of() -> None:
    cube = {**SOFT, "penalty": {"function": "polynomial", "degree": 3}}
    slo = {"latency": {"p90": SOFT}, "ttft": cube, "tpot": SOFT, "penalty": "linear"}
    report = values(slo, latency_p90=1.1, ttft=1.2, tpot=0.5)

    assert {sli.sli: (sli.penalty_function, sli.penalty) for sli in report.slis} == {
        "latency_p90": ("linear", pytest.approx(2)),
        "ttft": ("polynomial", pytest.approx(16)),
        "tpot": ("linear", 0),
    }
    assert report.score == pytest.approx(2 * (1 + 2 + 16))


def test_a_stored_report_of_before_there_was_a_choice_is_of_the_exponential() -> None:
    document = orjson.loads(values({"ttft": SOFT}, ttft=1.1).model_dump_json())
    del document["slis"][0]["penalty_function"]

    assert only(Report.model_validate(document)).penalty_function == "exponential"


@pytest.mark.parametrize("given", [{}, {"ttft": None}, {"ttft": math.nan}])
def test_a_number_that_is_missing_is_no_data(given: dict[str, float | None]) -> None:
    report = values({"ttft": SOFT}, **given)

    assert (report.status, report.score) == (Status.NO_DATA, None)


def test_without_a_base_score_the_penalty_is_still_told() -> None:
    report = values({"ttft": SOFT}, base=None, ttft=1.1)

    assert (report.status, report.score) == (Status.NO_DATA, None)
    assert report.penalty == pytest.approx(2 * math.e)
    assert report.reason == "The base score is unknown: no base_score was given."


def test_every_mistake_in_the_numbers_is_told_at_once() -> None:
    with pytest.raises(SpecError) as error:
        values({"ttft": SOFT, "latency": {"p90": SOFT}}, ttft=-1.0, tpot=0.1, latency_p99=3.0)

    listed = "no SLO has this id; the SLOs given are: latency_p90, ttft"
    assert sorted(error.value.problems) == [
        f"values.latency_p99: {listed}",
        f"values.tpot: {listed}",
        "values.ttft: a measured value must be 0 or above, got -1",
    ]


def test_numbers_without_an_slo_section_have_no_place() -> None:
    with pytest.raises(SpecError, match="none, as there is no slo section"):
        values(None, ttft=1.0)


def per_gpu(objective: str, task_gpus: int | None, own_gpus: int | None) -> Plan:
    task = {
        "task_name": "chat",
        "server": "vllm",
        "slo": {"throughput": {"output_per_gpu": {"threshold": 20.0}}},
        "optimization": {"objective": objective},
        "gpus": task_gpus,
    }
    document = {"id": "one", "task": task, "selector": {"instance": "a:1"}, "gpus": own_gpus}
    return plan_registration(Registration.model_validate(document))


@pytest.mark.parametrize(
    ("task_gpus", "own_gpus", "value"), [(2, None, 50.0), (2, 5, 20.0), (None, 4, 25.0)]
)
def test_the_gpus_of_an_experiment_go_before_those_of_its_task(
    task_gpus: int | None, own_gpus: int | None, value: float
) -> None:
    tokens = WindowCounts({}, {"tokens_out": 6000.0}, START, END, 0, 0, 1, 0, 15.0)
    report = ended(per_gpu("maximize_throughput_per_gpu", task_gpus, own_gpus), tokens)

    assert (only(report).sli, only(report).value) == ("throughput_per_gpu", value)
    assert report.base_score == report.score == value


def test_what_is_per_gpu_is_refused_while_nobody_says_how_many_there_are() -> None:
    with pytest.raises(SpecError) as refused:
        per_gpu("maximize_total_throughput_per_gpu", None, None)

    (problem,) = refused.value.problems
    assert problem == (
        "gpus: missing: throughput_per_gpu and total_throughput_per_gpu are rates per GPU: say on "
        "how many GPUs this experiment runs, here or in the task"
    )
