"""An experiment as people see it: its badge, its figures, and each SLI against its threshold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sloscore.api.page.bars import Bar, bar_of
from sloscore.api.page.figures import quantity, unit_of
from sloscore.core.verdict import Verdict
from sloscore.experiments.model import LIVE, Experiment, State


@dataclass(frozen=True, slots=True)
class Badge:
    """Says beside the state how the SLOs stand: ``kind`` is hard, soft or none (nothing known)."""

    kind: str
    title: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gauge:
    """One SLI: its value and threshold as texts with their unit, and what else is known of it."""

    sli: str
    value: str
    threshold: str
    between: str | None
    verdict: str
    certain: bool
    explanation: str
    bar: Bar | None


@dataclass(frozen=True, slots=True)
class Row:
    """One experiment; ``start`` in Unix seconds, numbers as its report has them."""

    id: str
    task: str
    state: str
    is_live: bool
    start: float
    requests: float | None
    penalty: float | str | None
    score: float | str | None
    rank: int | None
    badge: Badge | None
    gauges: tuple[Gauge, ...]
    note: str | None


def row_of(experiment: Experiment, report: Mapping[str, Any] | None, rank: int | None) -> Row:
    """The row of an experiment; without a report nothing of it was measured."""
    given = report or {}
    slis: Sequence[Mapping[str, Any]] = given.get("slis") or ()
    window = given.get("window") or {}
    return Row(
        id=experiment.id,
        task=experiment.task,
        state=str(experiment.state),
        is_live=experiment.state in LIVE,
        start=experiment.start,
        requests=window.get("requests") if window.get("instances") else None,
        penalty=given.get("penalty"),
        score=given.get("score"),
        rank=rank,
        badge=None if experiment.state is State.ABORTED else badge_of(given),
        gauges=() if experiment.state is State.ABORTED else tuple(gauge_of(sli) for sli in slis),
        note=experiment.reason if experiment.state is State.ABORTED else None,
    )


def badge_of(report: Mapping[str, Any]) -> Badge | None:
    """The badge of a report, None where every SLO is met."""
    said = {
        verdict: tuple(
            str(sli.get("explanation", sli.get("sli")))
            for sli in report.get("slis") or ()
            if sli.get("verdict") == verdict
        )
        for verdict in Verdict
    }
    if report.get("slo_violation"):
        return Badge("hard", "hard violation", said[Verdict.HARD_FAIL])
    if said[Verdict.VIOLATED]:
        return Badge("soft", "soft violation", said[Verdict.VIOLATED])
    if said[Verdict.NO_DATA] or report.get("score") is None:
        reason = report.get("reason")
        return Badge("none", "no data", said[Verdict.NO_DATA] or ((reason,) if reason else ()))
    return None


def gauge_of(sli: Mapping[str, Any]) -> Gauge:
    """An SLI of a report."""
    unit = unit_of(sli)
    lower, upper = sli.get("lower"), sli.get("upper")
    between = None
    if lower is not None and lower != upper:
        between = f"between {quantity(lower, unit)} and {quantity(upper, unit)}"
    return Gauge(
        sli=str(sli.get("sli")),
        value=quantity(sli.get("value"), unit),
        threshold=quantity(sli.get("threshold"), unit),
        between=between,
        verdict=str(sli.get("verdict")),
        certain=bool(sli.get("certain")),
        explanation=str(sli.get("explanation", "")),
        bar=bar_of(sli),
    )
