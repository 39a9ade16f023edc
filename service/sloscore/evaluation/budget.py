"""The violation budget of a task: how many of its experiments broke a hard SLO, and how many may."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sloscore.experiments.model import FINAL, State, TaskTally
from sloscore.spec.model import TaskSpec
from sloscore.wire import ViolationBudget


@dataclass(frozen=True, slots=True)
class Budget:
    """How many experiments may end with a hard violation, and how many have."""

    allowed: float
    violations: int

    @property
    def spent(self) -> float:
        """Share of the budget that is used up: 1 is all of it, infinite where none is allowed."""
        if self.violations == 0:
            return 0.0
        # A share of 0.1 of 30 is not quite 3 in binary, and 3 violations spend all of it.
        if math.isclose(self.violations, self.allowed, rel_tol=1e-9):
            return 1.0
        return math.inf if self.allowed == 0 else self.violations / self.allowed

    @property
    def exhausted(self) -> bool:
        """Whether all of it is used up."""
        return self.spent >= 1


def judged(states: Mapping[State, int]) -> int:
    """Experiments that ended with a verdict: those that had data."""
    return states.get(State.SCORED, 0) + states.get(State.FAILED, 0)


def budget_of(task: TaskSpec, states: Mapping[State, int]) -> Budget | None:
    """The budget that a task file gives, spent by the task's experiments; None without one."""
    spec = None if task.slo is None else task.slo.violation_budget
    if spec is None:
        return None
    violations = states.get(State.FAILED, 0)
    if spec.count is not None:
        return Budget(spec.count, violations)
    # Of those planned: otherwise the first experiment to fail would spend the budget of many.
    total = max(judged(states), task.optimization.max_iterations or 0)
    return Budget((spec.share or 0.0) * total, violations)


def budget_of_tally(tally: TaskTally) -> Budget | None:
    """The budget of a task in the store: the task file of its newest experiment decides.

    None where that has no budget, or where another release wrote it so that it cannot be read.
    """
    task = tally.newest_body.get("task")
    slo = task.get("slo") if isinstance(task, Mapping) else None
    # Most have none, and reading all of a task for each costs a scrape of /metrics its time.
    if not isinstance(slo, Mapping) or slo.get("violation_budget") is None:
        return None
    try:
        return budget_of(TaskSpec.model_validate(task), tally.states)
    except ValueError:
        return None


def document_of_budget(tally: TaskTally) -> ViolationBudget:
    """The part of a task's document that tells of its violations."""
    states, budget = tally.states, budget_of_tally(tally)
    failed, with_data = states.get(State.FAILED, 0), judged(states)
    return ViolationBudget(
        ended=sum(states.get(state, 0) for state in FINAL),
        hard_violations=failed,
        no_data=states.get(State.NO_DATA, 0),
        hard_violation_share=failed / with_data if with_data else None,
        allowed=budget and budget.allowed,
        spent=budget and budget.spent,
        exhausted=budget and budget.exhausted,
    )
