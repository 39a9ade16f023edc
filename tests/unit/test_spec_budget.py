"""The key ``violation_budget`` of the slo section: its two forms, and what is refused."""

from typing import Any

import pytest

from sloscore.errors import SpecError
from sloscore.spec.loader import parse_task, validate
from sloscore.spec.slo import SloSpec, ViolationBudgetSpec

HARD = {"threshold": 5.0, "hard_fail": True}


def slo(budget: object, target: Any = None) -> SloSpec:  # noqa: ANN401  a target as it is written
    section = {"latency": {"p90": target or HARD}, "violation_budget": budget}
    return validate(SloSpec, section, "slo")


@pytest.mark.parametrize(
    ("budget", "share", "count"),
    [
        ({"share": 0.1}, 0.1, None),
        ({"share": 0}, 0.0, None),
        ({"share": 1}, 1.0, None),
        ({"count": 3}, None, 3),
        ({"count": 0}, None, 0),
    ],
)
def test_a_budget_is_a_share_or_a_count(
    budget: object, share: float | None, count: int | None
) -> None:
    assert slo(budget).violation_budget == ViolationBudgetSpec(share=share, count=count)


def test_without_the_key_there_is_no_budget() -> None:
    assert validate(SloSpec, {"ttft": HARD}).violation_budget is None


@pytest.mark.parametrize(
    ("budget", "problem"),
    [
        ({}, "slo: violation_budget: give either share (of the experiments, such as 0.1) or count"),
        ({"share": 0.1, "count": 3}, "slo: violation_budget: give either share"),
        ({"share": 10}, "slo: violation_budget.share: must be at most 1, got 10"),
        ({"share": -0.1}, "slo: violation_budget.share: must be at least 0, got -0.1"),
        ({"share": "10%"}, 'slo: violation_budget.share: must be a number, got "10%"'),
        ({"count": 2.5}, "slo: violation_budget.count: must be a whole number, got 2.5"),
        ({"count": -1}, "slo: violation_budget.count: must be at least 0, got -1"),
        ({"count": True}, "slo: violation_budget.count: must be a whole number, got true"),
        ({"percent": 10}, "slo: violation_budget.percent: is not a known key; known are count"),
        (0.1, "slo: violation_budget: must be a mapping, got 0.1"),
    ],
)
def test_what_is_no_budget_is_refused_in_a_sentence(budget: object, problem: str) -> None:
    with pytest.raises(SpecError) as error:
        slo(budget)
    (sentence,) = error.value.problems
    assert sentence.startswith(problem)


def test_a_budget_that_nothing_can_spend_is_refused() -> None:
    with pytest.raises(SpecError) as error:
        slo({"count": 3}, {"threshold": 5.0})
    (sentence,) = error.value.problems
    assert sentence == (
        "slo: has a violation_budget that nothing can spend: set hard_fail on an SLO, or leave the "
        "budget out"
    )


def test_a_mistake_in_a_file_is_told_with_its_line() -> None:
    text = "task_name: a\nslo:\n  ttft: {threshold: 1, hard_fail: true}\n  violation_budget:\n    share: 2\n"
    with pytest.raises(SpecError) as error:
        parse_task(text, "a.yaml")
    assert error.value.problems == [
        "a.yaml:5: slo.violation_budget.share: must be at most 1, got 2"
    ]
