"""Gauges of the last reports, for Prometheus to scrape."""

import math
from collections.abc import Iterable, Mapping

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sloscore import conventions as names
from sloscore.core.compare import Outcome
from sloscore.core.sli import signal_of
from sloscore.core.verdict import Verdict
from sloscore.evaluation.board import Board
from sloscore.evaluation.budget import budget_of_tally
from sloscore.evaluation.figures import ChangeFigures, Figures, SliFigures
from sloscore.experiments.model import State, TaskTally
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
_CHANGE_VERDICT = "1 where better than the baseline, -1 where worse, 0 where that cannot be told."
_OUTCOMES = {Outcome.BETTER: 1, Outcome.WORSE: -1, Outcome.CANNOT_TELL: 0}
_STATE_LABELS = (names.LABEL_TASK, "state")
_BY_STATE = "Experiments in the store, by task and state."
_BUDGET = "Experiments of the task that may break a hard SLO."
_SPENT = "Share of the violation budget that is used up; 1 is all of it."
_EXPERIMENT_NUMBERS = (
    (names.EXPERIMENT_PENALTY, "penalty", "Sum of the penalties of all SLIs."),
    (names.EXPERIMENT_PENALTY_MULTIPLIER, "penalty_multiplier", "1 + the penalty."),
    (names.EXPERIMENT_SCORE, "score", "Score with its penalty; infinite on a hard fail."),
)


class ReportCollector(Collector):
    """Exposes the board: one series a gauge for each experiment and SLI.

    What is not known is not exposed: ``_no_data`` says so, never a zero.
    """

    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterable[Metric]:
        """Build all families from the reports of this moment."""
        families: dict[str, GaugeMetricFamily] = {}
        for posted in self._board:
            figures = posted.figures
            _add_experiment(families, figures, ended=posted.ended_at is not None)
            for sli in figures.slis:
                _add_sli(families, figures, sli)
            for change in figures.changes:
                _add_change(families, figures, change)
        return families.values()


class TaskCollector(Collector):
    """Exposes tallies of tasks: their experiments by state, and what is spent of their budgets."""

    def __init__(self, tallies: Mapping[str, TaskTally]) -> None:
        self._tallies = tallies

    def collect(self) -> Iterable[Metric]:
        """Build the families; a task without a budget has no series of one."""
        families: dict[str, GaugeMetricFamily] = {}
        for task, tally in self._tallies.items():
            for state in State:
                labels, count = (task, str(state)), tally.states.get(state, 0)
                _add(families, names.TASK_EXPERIMENTS, _BY_STATE, _STATE_LABELS, labels, count)
            if (budget := budget_of_tally(tally)) is not None:
                for name, text, value in (
                    (names.TASK_BUDGET, _BUDGET, budget.allowed),
                    (names.TASK_BUDGET_SPENT, _SPENT, budget.spent),
                ):
                    _add(families, name, text, (names.LABEL_TASK,), (task,), value)
        return families.values()


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


def tasks_on(board: Board) -> set[str]:
    """Tasks with an experiment on the board: one that is live, or that ended lately."""
    return {posted.figures.task for posted in board if posted.figures.task is not None}


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


def _add_experiment(
    families: dict[str, GaugeMetricFamily], report: Figures, *, ended: bool
) -> None:
    labels = (report.task or "", report.experiment or "")
    for name, field, text in _EXPERIMENT_NUMBERS:
        _add(families, name, text, names.EXPERIMENT_LABELS, labels, getattr(report, field))
    _add(
        families,
        names.EXPERIMENT_HARD_FAIL,
        "1 where a hard SLO is violated, else 0.",
        names.EXPERIMENT_LABELS,
        labels,
        report.slo_violation,
    )
    _add(
        families,
        names.EXPERIMENT_NO_DATA,
        "1 where the score is not known, else 0.",
        names.EXPERIMENT_LABELS,
        labels,
        report.score is None,
    )
    _add(
        families,
        names.EXPERIMENT_LIVE,
        "1 while the experiment runs or settles, 0 once it has ended.",
        names.EXPERIMENT_LABELS,
        labels,
        not ended,
    )
    if report.start is not None:
        _add(
            families,
            names.EXPERIMENT_START,
            "Unix time at which the window starts: the load's start plus the warm-up.",
            names.EXPERIMENT_LABELS,
            labels,
            report.start,
        )
    # Where no instance was seen, nobody knows how many requests there were.
    if report.requests is not None and report.instances:
        _add(
            families,
            names.EXPERIMENT_REQUESTS,
            "Requests that finished in the window.",
            names.EXPERIMENT_LABELS,
            labels,
            report.requests,
        )
    _add(
        families,
        names.EXPERIMENT_INFO,
        "Always 1; the labels describe the experiment.",
        (*names.EXPERIMENT_LABELS, "objective", "status", "ended"),
        (*labels, report.objective, report.status, str(ended).lower()),
        1,
    )


def _add_sli(families: dict[str, GaugeMetricFamily], report: Figures, sli: SliFigures) -> None:
    labels = (report.task or "", report.experiment or "", sli.sli)
    unit = names.UNIT_NAMES[signal_of(sli.sli).unit]
    for template, field, text in _SLI_VALUES:
        name = template.format(unit=unit)
        _add(families, name, text, names.SLI_LABELS, labels, getattr(sli, field))
    for name, field, text in _SLI_NUMBERS:
        _add(families, name, text, names.SLI_LABELS, labels, getattr(sli, field))
    for name, verdict, text in _SLI_FLAGS:
        _add(families, name, text, names.SLI_LABELS, labels, sli.verdict is verdict)
    _add(families, names.SLI_CERTAIN, _CERTAIN, names.SLI_LABELS, labels, sli.certain)


def _add_change(
    families: dict[str, GaugeMetricFamily], report: Figures, change: ChangeFigures
) -> None:
    labels = (report.task or "", report.experiment or "", change.sli)
    lower, upper = change.change_ratio_interval or (None, None)
    for name, text, value in (
        (names.SLI_CHANGE, _CHANGE, change.change_ratio),
        (names.SLI_CHANGE_LOWER, "Lowest change that is possible.", lower),
        (names.SLI_CHANGE_UPPER, "Highest change that is possible.", upper),
        (names.SLI_CHANGE_VERDICT, _CHANGE_VERDICT, _OUTCOMES[change.verdict]),
    ):
        _add(families, name, text, names.SLI_LABELS, labels, value)


def _add(  # noqa: PLR0913, PLR0917  a sample is made of these
    families: dict[str, GaugeMetricFamily],
    name: str,
    text: str,
    label_names: tuple[str, ...],
    labels: tuple[str, ...],
    value: float | None,
) -> None:
    if value is None or math.isnan(value):
        return
    family = families.get(name)
    if family is None:
        family = families[name] = GaugeMetricFamily(name, text, labels=label_names)
    family.add_metric(labels, float(value))
