"""Experiments as the trials of a constrained Optuna study (extra ``optuna``; Optuna 4.2 to 5).

The value of a trial is the report's ``log_score``, its constraints are the violation ratios. Optuna
refuses NaN, and its samplers never see a failed trial; of a pruned one TPE reads the constraints, and
the samplers by Gaussian processes and NSGA nothing. So whatever has numbers is told as complete, a hard
fail and an experiment that was stopped early, too: its constraints say that it is infeasible.
"""

import sys
from collections.abc import Sequence
from typing import Final
from weakref import WeakValueDictionary

try:
    import optuna
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        "sloscore.tuners.optuna needs optuna: pip install 'sloscore[optuna]'", name=missing.name
    ) from missing
from optuna.trial import FrozenTrial, Trial, TrialState

from sloscore.client import Experiment, Report
from sloscore.client.errors import SLOClientError

__all__ = [
    "CONSTRAINTS",
    "EXPERIMENT",
    "REASON",
    "AdvicePruner",
    "NoScore",
    "constraints",
    "record",
    "tell",
    "value_and_constraints",
]

CONSTRAINTS: Final = "sloscore_constraints"
EXPERIMENT: Final = "sloscore_experiment"
REASON: Final = "sloscore_reason"


class NoScore(SLOClientError):  # noqa: N818  named for what happened, as the client's errors are
    """The experiment has no data, so that nothing can be said of its configuration."""


def value_and_constraints(report: Report) -> tuple[float | None, dict[str, float]]:
    """What a final report tells a study: the value, and by SLI constraints that hold at or below 0.

    The value is the natural logarithm of the score with hard fails left aside, always finite; None
    where a hard fail is sure but something else is unknown. An unknown SLI then counts as violated
    as the worst known one. Raises NoScore without data, and ValueError while the experiment runs.
    """
    if not report.is_final:
        raise ValueError(f"{report.experiment} has not ended: wait for its result()")
    if report.status == "NO_DATA":
        raise NoScore(f"{report.experiment}: {report.reason}")
    if "log_score" not in report.raw:
        raise ValueError("the service is older than this client: its reports have no log_score")
    known = [ratio for ratio in report.constraints.values() if ratio is not None]
    worst = max(known, default=0.0)
    constraints = {
        sli: min(worst if ratio is None else ratio, sys.float_info.max)
        for sli, ratio in report.constraints.items()
    }
    return report.log_score, constraints


def tell(study: optuna.Study, trial: Trial, report: Report) -> FrozenTrial:
    """Tell a study what came of a trial that it was asked for.

    Complete with value and constraints, whether it met its SLOs or not; pruned where a hard fail is
    all that is known, as Optuna takes that without a value; failed without data. Raises ValueError
    for a report that is not final, and for a study of the other direction.
    """
    try:
        value = record(trial, report)
    except NoScore:
        return study.tell(trial, state=TrialState.FAIL)
    except optuna.TrialPruned:
        return study.tell(trial, state=TrialState.PRUNED)
    return study.tell(trial, value)


def record(trial: Trial, report: Report) -> float:
    """The value for an objective function to return; the trial keeps the constraints.

    Raises TrialPruned where a hard fail is all that is known, NoScore without data (which
    ``study.optimize(..., catch=NoScore)`` takes as a failed trial), and ValueError as ``tell``.
    """
    direction = trial.study.direction.name.lower()
    if direction != report.direction:
        raise ValueError(
            f"the study is to {direction} but the objective to {report.direction}: "
            f'create_study(direction="{report.direction}")'
        )
    trial.set_user_attr(EXPERIMENT, report.experiment)
    trial.set_user_attr(REASON, report.infeasibility_reason)
    value, constraints = value_and_constraints(report)
    trial.set_user_attr(CONSTRAINTS, constraints)
    # Optuna 4 has no constraints of its own, only those that its samplers ask a function for.
    if hasattr(trial, "set_constraint"):
        for sli, ratio in constraints.items():
            trial.set_constraint(sli, ratio)
    if value is None:
        raise optuna.TrialPruned(report.infeasibility_reason)
    return value


def constraints(trial: FrozenTrial) -> Sequence[float]:
    """The constraints of a told trial, as ``constraints_func`` of Optuna 4's samplers asks for them.

    From Optuna 5 on samplers know them without it.
    """
    return tuple(trial.user_attrs.get(CONSTRAINTS, {}).values())


class AdvicePruner(optuna.pruners.BasePruner):
    """Turns the service's advice to stop into ``trial.should_prune()``.

    For loops that ask the trial; any other asks ``experiment.should_stop()``. Either way the load
    ends, the experiment is finished, and its final report told: raising TrialPruned loses the value.
    """

    def __init__(self) -> None:
        self._running: WeakValueDictionary[int, Experiment] = WeakValueDictionary()

    def follow(self, trial: Trial, experiment: Experiment) -> None:
        """Take the advice on this experiment for the trial, as long as the experiment is kept."""
        self._running[trial.number] = experiment

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:  # noqa: ARG002  Optuna's signature
        """Whether the service advises to stop the trial's experiment; asks at most once a second."""
        experiment = self._running.get(trial.number)
        return experiment is not None and experiment.should_stop()
