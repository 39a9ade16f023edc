"""Reports of windows, of numbers and of failures, field by field."""

import math
import sys

import orjson
import pytest
from tests.unit.reported_windows import END, HARD, NOW, SOFT, START, counts, ended, only, plan

from sloscore.core.histogram import Histogram
from sloscore.core.scoring import Status
from sloscore.core.verdict import Severity, Verdict
from sloscore.evaluation.report import report_failure, report_window
from sloscore.experiments.window import WindowCounts
from sloscore.wire import Report


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
