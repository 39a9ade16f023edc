"""The violation budget of a task: what is allowed, what is spent, and when nothing is left."""

import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloscore.evaluation.budget import Budget, budget_of_tally, document_of_budget
from sloscore.experiments.model import State, TaskTally

COUNTS = st.integers(0, 10_000)


def tally(
    budget: object, *, planned: int | None = None, hard: bool = True, **states: int
) -> TaskTally:
    slo: dict[str, Any] = {"latency": {"p90": {"threshold": 5.0, "hard_fail": hard}}}
    if budget is not None:
        slo["violation_budget"] = budget
    body = {
        "id": "newest",
        "task": {"task_name": "t", "slo": slo, "optimization": {"max_iterations": planned}},
    }
    return TaskTally({State(name): count for name, count in states.items()}, body)


@pytest.mark.parametrize(
    ("given", "allowed", "spent", "exhausted"),
    [
        # A count is what it says, however many experiments there are.
        (tally({"count": 3}, scored=5), 3, 0, False),
        (tally({"count": 3}, scored=5, failed=2), 3, 2 / 3, False),
        (tally({"count": 3}, failed=3), 3, 1, True),
        (tally({"count": 3}, scored=90, failed=6), 3, 2, True),
        (tally({"count": 0}, scored=5), 0, 0, False),
        (tally({"count": 0}, scored=5, failed=1), 0, math.inf, True),
        # A share is of those judged: running ones, and those without data or aborted, are not.
        (tally({"share": 0.1}, scored=18, failed=2), 2, 1, True),
        (tally({"share": 0.1}, scored=19, failed=1), 2, 0.5, False),
        (tally({"share": 0.1}, scored=19, failed=1, running=9, settling=9, no_data=9, aborted=9),
         2, 0.5, False),
        (tally({"share": 0.5}, failed=1), 0.5, 2, True),
        (tally({"share": 0.1}), 0, 0, False),
        (tally({"share": 1}, failed=4), 4, 1, True),
        # 0.1 of 30 is a little more than 3 in binary, 0.29 of 100 a little less than 29.
        (tally({"share": 0.1}, scored=27, failed=3), pytest.approx(3), 1, True),
        (tally({"share": 0.29}, scored=71, failed=29), pytest.approx(29), 1, True),
        # Of those planned, where that is more.
        (tally({"share": 0.1}, planned=40, failed=1), 4, 0.25, False),
        (tally({"share": 0.1}, planned=40, scored=70, failed=10), 8, 1.25, True),
        (tally({"share": 0.05}, planned=50, failed=2), 2.5, 0.8, False),
    ],
)  # fmt: skip
def test_a_budget_is_spent_by_experiments_that_failed(
    given: TaskTally, allowed: float, spent: float, exhausted: bool
) -> None:
    document = document_of_budget(given)
    assert (document.allowed, document.spent, document.exhausted) == (allowed, spent, exhausted)


NO_BUDGET: Mapping[str, Mapping[str, object]] = {
    "no budget": tally(None).newest_body,
    "no slo": {"task": {"task_name": "t"}},
    "null for one": {"task": {"task_name": "t", "slo": None}},
    "no task": {},
    "what this release cannot read": tally({"fraction": 0.1}).newest_body,
    "nothing that is hard": tally({"count": 1}, hard=False).newest_body,
}


@pytest.mark.parametrize("body", NO_BUDGET.values(), ids=NO_BUDGET.keys())
def test_without_a_budget_violations_are_counted_all_the_same(body: Mapping[str, object]) -> None:
    states = {
        State.SCORED: 3,
        State.FAILED: 1,
        State.NO_DATA: 2,
        State.ABORTED: 1,
        State.RUNNING: 1,
    }
    document = document_of_budget(TaskTally(states, body))
    assert (document.allowed, document.spent, document.exhausted) == (None, None, None)
    assert (document.ended, document.hard_violations, document.no_data) == (7, 1, 2)
    assert document.hard_violation_share == 0.25


@given(count=COUNTS, failed=COUNTS, scored=COUNTS)
def test_a_count_is_exhausted_as_soon_as_it_is_reached(
    count: int, failed: int, scored: int
) -> None:
    budget = budget_of_tally(tally({"count": count}, failed=failed, scored=scored))
    assert budget is not None
    assert budget.exhausted == (failed >= max(count, 1))


@given(allowed=st.floats(0, 1e4), violations=COUNTS)
def test_one_more_violation_never_spends_less(allowed: float, violations: int) -> None:
    before, after = Budget(allowed, violations), Budget(allowed, violations + 1)
    assert 0 <= before.spent <= after.spent
    assert before.exhausted == (before.spent >= 1)
