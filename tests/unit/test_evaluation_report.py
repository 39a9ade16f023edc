"""Reports of windows, of numbers and of failures, field by field."""

import math
import sys
from typing import Any

import orjson
import pytest

from sloscore.core.histogram import Histogram
from sloscore.core.scoring import Status
from sloscore.core.verdict import Severity, Verdict
from sloscore.errors import SpecError
from sloscore.evaluation.plan import Plan, plan_registration
from sloscore.evaluation.report import report_failure, report_values, report_window
from sloscore.experiments.window import WindowCounts
from sloscore.wire import Registration, Report, ScoreRequest, SliReport

START, END, NOW = 1000.0, 1060.0, 1070.0
HARD = {"threshold": 1.0, "weight": 2.0, "hard_fail": True, "fail_ratio": 0.2}
SOFT = {"threshold": 1.0, "weight": 2.0}


def plan(objective: str = "minimize_latency", **slo: Any) -> Plan:  # noqa: ANN401  sections are of many forms
    task = {
        "task_name": "chat",
        "server": "vllm",
        "slo": slo or None,
        "optimization": {"objective": objective},
    }
    document = {"id": "one", "task": task, "selector": {"instance": "a:1"}}
    return plan_registration(Registration.model_validate(document))


def counts(at_or_under_1: float, at_or_under_2: float, requests: float) -> WindowCounts:
    """A window whose latencies have a mean of 1 s, whatever the buckets hold."""
    latency = Histogram((1.0, 2.0, math.inf), (at_or_under_1, at_or_under_2, requests), requests)
    return WindowCounts({"latency": latency}, {}, 990.0, 1065.0, 0.0, 0.0, 2, 1, 15.0)


def ended(plan: Plan, counts: WindowCounts, base_score: float | None = None) -> Report:
    return report_window(plan, counts, (START, END), now=NOW, base_score=base_score)


def only(report: Report) -> SliReport:
    (sli,) = report.slis
    return sli


def test_a_window_reports_what_it_was_counted_over() -> None:
    report = ended(plan(latency={"p50": SOFT}), counts(50, 100, 100))

    assert (report.experiment, report.task) == ("one", "chat")
    assert report.evaluated_at == NOW
    assert report.window is not None
    assert report.window.model_dump() == {
        "start": START,
        "end": END,
        "warmup": 0.0,
        "observed_start": 990.0,
        "observed_end": 1065.0,
        "requests": 100,
        "resets": 1,
        "instances": 2,
        "scrape_interval": 15.0,
        "unseen_head": 0.0,
        "unseen_tail": 0.0,
        "unseen_gaps": 0.0,
        "widened_head": 0.0,
        "widened_tail": 0.0,
    }


def test_a_met_slo_leaves_the_objective_as_the_score() -> None:
    report = ended(plan(latency={"p50": SOFT}), counts(50, 100, 100))

    assert (report.status, report.slo_violation, report.reason) == (Status.SUCCESS, False, None)
    assert (report.base_score, report.penalty, report.penalty_multiplier) == (1.0, 0.0, 1.0)
    assert report.score == report.finite_score == 1.0
    assert only(report).verdict is Verdict.MET
    assert report.constraints == {"latency_p50": 0.0}


def test_a_soft_violation_is_penalised_over_its_whole_interval() -> None:
    # The rank of p50 lies a tenth into the bucket from 1 to 2 s, and sampling moves it far less.
    report = ended(plan(latency={"p50": SOFT}), counts(45_000, 95_000, 100_000))

    sli = only(report)
    assert (sli.value, sli.lower, sli.upper) == (1.1, 1.0, 2.0)
    assert (sli.verdict, sli.severity, sli.certain) == (Verdict.VIOLATED, Severity.MINOR, True)
    assert sli.violation_ratio == pytest.approx(0.1)
    assert report.penalty == pytest.approx(2 * math.e)
    assert report.score == pytest.approx(1 + 2 * math.e)
    assert report.score_interval == pytest.approx((1 + 2, 1 + 2 * math.exp(10)))


def test_a_hard_fail_scores_infinity_and_keeps_a_finite_score() -> None:
    report = ended(plan(latency={"p50": HARD}), counts(30, 80, 100))

    assert (report.status, report.slo_violation) == (Status.FAILED, True)
    assert report.reason == "Hard SLO violation"
    assert report.score == math.inf
    assert report.finite_score == pytest.approx(1 + 2 * math.exp(4))
    document = orjson.loads(report.model_dump_json())
    assert document["score"] == "Infinity"
    assert document["score_interval"][1] == "Infinity"


def test_a_hard_fail_tells_an_optimiser_where_it_stands() -> None:
    report = ended(plan(latency={"p50": HARD}, ttft=SOFT), counts(30, 80, 100))

    # TTFT was not exposed, so the score that leaves hard fails aside is unknown.
    assert (report.log_score, report.finite_score) == (None, None)
    assert report.binding_constraint == "latency_p50"
    assert report.infeasibility_reason == report.slis[0].explanation
    alone = ended(plan(latency={"p50": HARD}), counts(30, 80, 100))
    assert alone.log_score == pytest.approx(math.log(1 + 2 * math.exp(4)))


def test_a_penalty_beyond_every_float_leaves_an_optimiser_finite_numbers() -> None:
    slo = {"threshold": 0.001, "hard_fail": True}
    report = ended(plan(latency={"p50": slo}), counts(0, 100, 100))

    document = orjson.loads(report.model_dump_json())
    assert document["penalty"] == document["score"] == "Infinity"
    assert document["finite_score"] == sys.float_info.max
    assert document["log_score"] == pytest.approx(14990, abs=1)


def test_a_stored_report_of_before_the_finite_numbers_is_read() -> None:
    document = orjson.loads(ended(plan(), counts(50, 100, 100)).model_dump_json())
    for name in ("log_score", "binding_constraint", "infeasibility_reason"):
        del document[name]

    report = Report.model_validate(document)

    assert (report.log_score, report.binding_constraint, report.infeasibility_reason) == (
        *(None, None, None),
    )


def test_where_the_objective_is_maximised_a_hard_fail_is_minus_infinity() -> None:
    window = counts(30, 80, 100)
    tokens = WindowCounts(window.histograms, {"tokens_out": 600.0}, START, END, 0, 0, 1, 0, 15.0)

    report = ended(plan("maximize_throughput", latency={"p50": HARD}), tokens)

    assert (report.base_score, report.score) == (10.0, -math.inf)
    assert orjson.loads(report.model_dump_json())["score"] == "-Infinity"


def test_a_window_without_requests_has_no_score_and_says_why() -> None:
    report = ended(plan(latency={"p50": SOFT}), counts(0, 0, 0))

    assert (report.status, report.score, report.base_score) == (Status.NO_DATA, None, None)
    assert report.reason == (
        "P50 of latency is unknown: no requests finished in the window. "
        "The base score is unknown: no requests finished in the window."
    )
    assert only(report).value is None
    assert report.constraints == {"latency_p50": None}


def test_a_base_score_of_the_tuner_replaces_the_objective() -> None:
    report = ended(plan("minimize_ttft", latency={"p50": SOFT}), counts(50, 100, 100), 2.5)

    assert (report.status, report.base_score, report.score) == (Status.SUCCESS, 2.5, 2.5)


def test_a_task_can_ask_for_more_requests() -> None:
    report = ended(plan(latency={"p50": SOFT}, min_requests=101), counts(50, 100, 100))

    assert only(report).verdict is Verdict.NO_DATA
    assert "100 requests are too few for p50, which needs 101" in only(report).explanation


def test_a_window_after_the_load_is_final() -> None:
    report = ended(plan(), counts(50, 100, 100))

    assert (report.decision.action, report.decision.reason) == (
        "stop",
        "The experiment has ended.",
    )


RUNNING = {
    "No hard SLO is violated so far.": counts(50, 100, 100),
    "A hard SLO is violated so far; requests still to come can change that.": counts(30, 80, 100),
    "There is too little data so far.": counts(0, 0, 0),
}


@pytest.mark.parametrize(("reason", "window"), RUNNING.items(), ids=RUNNING.keys())
def test_a_window_without_an_end_is_running_whatever_it_holds(
    reason: str, window: WindowCounts
) -> None:
    report = report_window(plan(latency={"p50": HARD}), window, (START, None), now=NOW)

    assert report.status is Status.RUNNING
    assert report.infeasibility_reason is None
    assert (report.decision.action, report.decision.reason) == ("continue", reason)
    assert report.window is not None
    assert report.window.end is None


def test_throughput_of_a_running_window_is_that_up_to_now() -> None:
    tokens = WindowCounts({}, {"tokens_out": 700.0}, START, NOW, 0, 0, 1, 0, 15.0)

    report = report_window(plan("maximize_throughput"), tokens, (START, None), now=NOW)

    assert report.base_score == 10.0


@pytest.mark.parametrize(
    ("end", "status", "action"),
    [(None, Status.RUNNING, "continue"), (END, Status.NO_DATA, "stop")],
    ids=["running", "ended"],
)
def test_a_failure_reports_its_reason_and_no_numbers(
    end: float | None, status: Status, action: str
) -> None:
    reason = "the metric source failed: it is away"

    report = report_failure(plan(latency={"p50": HARD}), reason, (START, end), now=NOW)

    assert (report.status, report.reason, report.decision.action) == (status, reason, action)
    assert report.infeasibility_reason == (None if end is None else reason)
    assert (report.score, report.base_score, report.penalty) == (None, None, None)
    assert only(report).verdict is Verdict.NO_DATA
    assert only(report).explanation == f"P50 of latency is unknown: {reason}."
    assert report.window is not None
    assert (report.window.requests, report.window.instances) == (0, 0)


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


def test_an_uncertain_rate_says_what_would_make_it_certain() -> None:
    tokens = WindowCounts({}, {"tokens_out": 6600.0}, 990.0, 1065.0, 0, 0, 1, 0, 15.0)
    sli = only(ended(plan(throughput={"threshold": 100.0}), tokens))

    assert (sli.certain, sli.uncertainty) == (False, "counts")
    assert sli.explanation == (
        "Throughput is 88 tokens/s, 12.0% under the minimum of 100 tokens/s: it lies in "
        "[88, 110] tokens/s; the verdict is not certain, because the threshold of 100 tokens/s "
        "lies inside that interval: the ends of the window lie between scrapes; scrape more often, "
        "or measure for longer."
    )


def test_a_goodput_says_what_was_surely_good_and_what_would_tell_more() -> None:
    goodput = {"within": {"latency": 2.0, "ttft": 1.5}, "threshold": 0.87, "weight": 2.0}
    counted = WindowCounts(
        {
            "latency": Histogram((1.0, 2.0, math.inf), (400, 900, 1000), 900.0),
            "ttft": Histogram((1.0, 2.0, math.inf), (950, 990, 1000), 500.0),
        },
        {}, START, END, 0.0, 0.0, 1, 0, 15.0,
    )  # fmt: skip
    report = ended(plan("maximize_goodput", goodput=goodput), counted)

    sli = only(report)
    assert (sli.sli, sli.unit, sli.verdict) == ("goodput_share", "ratio", Verdict.VIOLATED)
    assert (sli.value, sli.lower, sli.upper) == (0.85, 0.85, 0.9)
    assert sli.explanation == (
        "Goodput share is 85%, 2.3% under the minimum of 87%: it lies in [85, 90]%, 850 of 1000 "
        "requests were surely within latency 2 s and ttft 1.5 s; the verdict is not certain, "
        "because the threshold of 87% lies inside that interval: give the server bucket bounds at "
        "ttft 1.5 s."
    )
    assert (report.direction, report.base_score) == ("maximize", 850 / 60)
    assert report.constraints == {"goodput_share": pytest.approx(2 / 87)}
