"""Windows whose counts are not those of the load: never a pass, and never certain."""

import math
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from sloscore.core.histogram import Histogram
from sloscore.core.scoring import Status
from sloscore.core.verdict import Uncertainty
from sloscore.evaluation.plan import plan_registration
from sloscore.evaluation.report import report_window
from sloscore.experiments.window import WindowCounts
from sloscore.spec.loader import validate
from sloscore.wire import Registration, Report

START, END = 1000.0, 1060.0
PLAN = plan_registration(
    validate(
        Registration,
        {
            "id": "one",
            "server": "vllm",
            "selector": {"instance": "a"},
            "task": {
                "task_name": "t",
                "slo": {"latency": {"p90": {"threshold": 5.0, "hard_fail": True}}},
            },
        },
    )
)
WHOLE = WindowCounts(
    histograms={"latency": Histogram((5.0, 7.5, math.inf), (1000, 1000, 1000), 1000.0)},
    counters={},
    observed_start=995.0,
    observed_end=1065.0,
    unseen_head=0.0,
    unseen_tail=0.0,
    instances=1,
    resets=0,
    scrape_interval=5.0,
)
SLOW = {"latency": Histogram((5.0, 7.5, math.inf), (0, 100, 1000), 9000.0)}


def report(end: float | None = END, **fields: Any) -> Report:  # noqa: ANN401  fields of a table
    return report_window(PLAN, replace(WHOLE, **fields), (START, end), now=END)


class Case(NamedTuple):
    fields: dict[str, Any]
    reason: str


NO_DATA = {
    "a server that crashed": Case(
        {"unseen_tail": 11.5}, "nothing was seen of the server in the last"
    ),
    "a server that was seen late": Case({"unseen_head": 12.0}, "in the first 12.0 s of the window"),
    "servers behind one address": Case({"mixed": "a:1"}, "several processes answer at a:1 in turn"),
    "a baseline from long before": Case({"widened_head": 33.0}, "lies 33.0 s before the window's"),
    "a closing scrape long after": Case(
        {"widened_tail": 12.0}, "lies 12.0 s after the window's end"
    ),
}


@pytest.mark.parametrize("case", NO_DATA.values(), ids=NO_DATA.keys())
def test_no_data_with_the_reason_for(case: Case) -> None:
    found = report(**case.fields)
    assert (found.status, found.score) == (Status.NO_DATA, None)
    assert case.reason in (found.reason or "")


def test_a_crash_does_not_hide_a_hard_fail_that_was_seen() -> None:
    found = report(histograms=SLOW, unseen_tail=30.0)
    assert (found.status, found.slo_violation) == (Status.FAILED, True)


def test_requests_of_another_load_are_no_hard_fail_either() -> None:
    assert report(histograms=SLOW, mixed="a:1").status is Status.NO_DATA


@pytest.mark.parametrize(
    "fields",
    [
        {"unseen_tail": 5.0},
        {"unseen_head": 5.0},
        {"unseen_gaps": 5.9},
        {"widened_head": 10.9},
        {"silent": "b:1", "silent_seconds": 5.9},
    ],
    ids=str,
)
def test_what_an_interval_of_scrapes_leaves_open_costs_nothing(fields: dict[str, Any]) -> None:
    found = report(**fields)
    assert (found.status, found.certain) == (Status.SUCCESS, True)


@pytest.mark.parametrize("fields", [{"unseen_tail": 6.0}, {"unseen_gaps": 30.0}], ids=str)
def test_a_verdict_is_not_certain_where_a_tenth_of_the_window_is_unseen(
    fields: dict[str, Any],
) -> None:
    found = report(**fields)
    assert (found.status, found.certain) == (Status.SUCCESS, False)
    assert found.slis[0].uncertainty is Uncertainty.WINDOW
    assert "no scrape tells of" in found.slis[0].explanation


def test_a_verdict_is_not_certain_where_a_server_was_never_reached() -> None:
    found = report(silent="b:1", silent_seconds=60.0, unseen_tail=5.0)
    assert (found.status, found.certain) == (Status.SUCCESS, False)
    assert found.slis[0].uncertainty is Uncertainty.WINDOW
    assert "every scrape of b:1 failed, for 60.0 s" in found.slis[0].explanation


def test_half_of_a_short_window_must_be_seen() -> None:
    counts = replace(WHOLE, unseen_tail=6.0, scrape_interval=15.0)
    found = report_window(PLAN, counts, (START, START + 10), now=END)
    assert found.status is Status.NO_DATA


def test_a_running_window_has_no_end_that_could_be_unseen() -> None:
    assert report(end=None, unseen_head=12.0).score is not None
