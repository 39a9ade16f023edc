"""Gauges of the last reports, for Prometheus to scrape."""

import functools
from collections.abc import Iterable, Mapping

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sloscore import conventions as names
from sloscore.core.compare import Outcome
from sloscore.core.sli import signal_of
from sloscore.core.verdict import Verdict
from sloscore.evaluation.board import Board, Posted
from sloscore.evaluation.budget import budget_of_tally
from sloscore.evaluation.figures import ChangeFigures, Figures, SliFigures
from sloscore.experiments.model import State, TaskTally
from sloscore.gauges import Gauges, labels_text
from sloscore.settings import Settings

_SLI_VALUES = (
    (names.SLI_VALUE, "value", "Measured value of the SLI."),
    (names.SLI_LOWER, "lower", "Lowest possible value."),
    (names.SLI_UPPER, "upper", "Highest possible value."),
    (names.SLI_THRESHOLD, "threshold", "Limit of the SLO."),
)
_SLI_NUMBERS = (
    (names.SLI_VIOLATION_RATIO, "violation_ratio", "Distance past the threshold as its share."),
    (names.SLI_PENALTY, "penalty", "Penalty of the SLI."),
)
_SLI_FLAGS = (
    (names.SLI_HARD_FAIL, Verdict.HARD_FAIL, "1 where the SLI breaks its hard limit, else 0."),
    (names.SLI_NO_DATA, Verdict.NO_DATA, "1 where nothing could be measured, else 0."),
)
_CERTAIN = "1 where the verdict is the same wherever the true value lies, else 0."
_CHANGE = "Difference to the baseline as a share of it."
_CHANGE_LOWER = "Lowest change that is possible."
_CHANGE_UPPER = "Highest change that is possible."
_CHANGE_VERDICT = "1 where better than the baseline, -1 where worse, 0 where that cannot be told."
_OUTCOMES = {Outcome.BETTER: 1, Outcome.WORSE: -1, Outcome.CANNOT_TELL: 0}
_BY_STATE = "Experiments in the store, by task and state."
_BUDGET = "Experiments of the task that may break a hard SLO."
_SPENT = "Share of the violation budget that is used up; 1 is all of it."
_EXPERIMENT_NUMBERS = (
    (names.EXPERIMENT_PENALTY, "penalty", "Sum of the penalties of all SLIs."),
    (names.EXPERIMENT_PENALTY_MULTIPLIER, "penalty_multiplier", "1 + the penalty."),
    (names.EXPERIMENT_SCORE, "score", "Score with its penalty; infinite on a hard fail."),
)
_HARD_FAIL = "1 where a hard SLO is violated, else 0."
_NO_DATA = "1 where the score is not known, else 0."
_LIVE = "1 while the experiment runs or settles, 0 once it has ended."
_START = "Unix time at which the window starts: the load's start plus the warm-up."
_REQUESTS = "Requests that finished in the window."
_INFO = "Always 1; the labels describe the experiment."


def add_reports(gauges: Gauges, board: Iterable[Posted]) -> None:
    """Add the board: one series a gauge for each experiment and SLI.

    What is not known is not exposed: ``_no_data`` says so, never a zero.
    """
    for posted in board:
        report = posted.figures
        own = {names.LABEL_TASK: report.task or "", names.LABEL_EXPERIMENT: report.experiment or ""}
        _add_experiment(gauges, own, report, ended=posted.ended_at is not None)
        for sli in report.slis:
            _add_sli(gauges, labels_text({**own, names.LABEL_SLI: sli.sli}), sli)
        for change in report.changes:
            _add_change(gauges, labels_text({**own, names.LABEL_SLI: change.sli}), change)


def add_tallies(gauges: Gauges, tallies: Mapping[str, TaskTally]) -> None:
    """Add the tallies of tasks: their experiments by state, and what is spent of their budgets.

    A task without a budget has no series of one.
    """
    for task, tally in tallies.items():
        for state in State:
            labels = labels_text({names.LABEL_TASK: task, "state": state})
            gauges.add(names.TASK_EXPERIMENTS, _BY_STATE, labels, tally.states.get(state, 0))
        if (budget := budget_of_tally(tally)) is not None:
            labels = labels_text({names.LABEL_TASK: task})
            gauges.add(names.TASK_BUDGET, _BUDGET, labels, budget.allowed)
            gauges.add(names.TASK_BUDGET_SPENT, _SPENT, labels, budget.spent)


class SettingsCollector(Collector):
    """Exposes the settings that alerts need to know."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def collect(self) -> Iterable[Metric]:
        """Build the families; where no external URL is set there is none."""
        yield GaugeMetricFamily(
            names.EVALUATION_INTERVAL,
            "Seconds between two evaluations, by the settings.",
            value=self._settings.evaluation.interval,
        )
        if (url := self._settings.listen.external_url) is not None:
            family = GaugeMetricFamily(
                names.EXTERNAL_URL_INFO,
                "Always 1; the label is where people reach the service.",
                labels=["url"],
            )
            family.add_metric([url], 1)
            yield family


class StoreCollector(Collector):
    """Exposes whether the store works, and its experiments by state, None where it was not read."""

    def __init__(self, counts: Mapping[State, int] | None, *, last_write_failed: bool) -> None:
        self._counts = counts
        self._is_up = counts is not None and not last_write_failed

    def collect(self) -> Iterable[Metric]:
        """Build the families."""
        yield GaugeMetricFamily(
            names.STORE_UP,
            "1 where the store can be read and the last write worked, else 0.",
            value=self._is_up,
        )
        if self._counts is not None:
            family = GaugeMetricFamily(
                names.EXPERIMENTS_BY_STATE, "Experiments in the store, by state.", labels=["state"]
            )
            for state, count in self._counts.items():
                family.add_metric([state], count)
            yield family


def tasks_on(board: Board) -> set[str]:
    """Tasks with an experiment on the board: one that is live, or that ended lately."""
    return {posted.figures.task for posted in board if posted.figures.task is not None}


def _add_experiment(
    gauges: Gauges, own: Mapping[str, str], report: Figures, *, ended: bool
) -> None:
    labels = labels_text(own)
    for name, field, text in _EXPERIMENT_NUMBERS:
        gauges.add(name, text, labels, getattr(report, field))
    for name, text, flag in (
        (names.EXPERIMENT_HARD_FAIL, _HARD_FAIL, report.slo_violation),
        (names.EXPERIMENT_NO_DATA, _NO_DATA, report.score is None),
        (names.EXPERIMENT_LIVE, _LIVE, not ended),
    ):
        gauges.add(name, text, labels, flag)
    gauges.add(names.EXPERIMENT_START, _START, labels, report.start)
    # Where no instance was seen, nobody knows how many requests there were.
    if report.instances:
        gauges.add(names.EXPERIMENT_REQUESTS, _REQUESTS, labels, report.requests)
    described = labels_text(
        {
            **own,
            "objective": report.objective,
            "status": report.status,
            "ended": str(ended).lower(),
        }
    )
    gauges.add(names.EXPERIMENT_INFO, _INFO, described, 1)


def _add_sli(gauges: Gauges, labels: str, sli: SliFigures) -> None:
    for name, field, text in _numbers_of(sli.sli):
        gauges.add(name, text, labels, getattr(sli, field))
    for name, verdict, text in _SLI_FLAGS:
        gauges.add(name, text, labels, sli.verdict is verdict)
    gauges.add(names.SLI_CERTAIN, _CERTAIN, labels, sli.certain)


@functools.lru_cache(maxsize=256)
def _numbers_of(sli: str) -> tuple[tuple[str, str, str], ...]:
    """The gauges of an SLI's numbers: name, field of its report, and help text."""
    unit = names.UNIT_NAMES[signal_of(sli).unit]
    values = ((name.format(unit=unit), field, text) for name, field, text in _SLI_VALUES)
    return (*values, *_SLI_NUMBERS)


def _add_change(gauges: Gauges, labels: str, change: ChangeFigures) -> None:
    lower, upper = change.change_ratio_interval or (None, None)
    for name, text, value in (
        (names.SLI_CHANGE, _CHANGE, change.change_ratio),
        (names.SLI_CHANGE_LOWER, _CHANGE_LOWER, lower),
        (names.SLI_CHANGE_UPPER, _CHANGE_UPPER, upper),
        (names.SLI_CHANGE_VERDICT, _CHANGE_VERDICT, _OUTCOMES[change.verdict]),
    ):
        gauges.add(name, text, labels, value)
