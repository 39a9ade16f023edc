"""What one experiment's report says, in the order in which a person reads it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sloscore.api.page.figures import figure, unit_of
from sloscore.experiments.model import Experiment

Report = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sentence:
    """What the report says of one SLI, with its numbers for a script; ``change`` is by the baseline."""

    sli: str
    verdict: str
    text: str
    change: str | None
    value: float | str | None
    penalty: float | str | None
    threshold: float | None
    unit: str

    @property
    def cost(self) -> str | None:
        """The penalty as a sentence; None where it is unknown or nothing."""
        if self.penalty is None or float(self.penalty) <= 0:
            return None
        return f"Penalty: {figure(self.penalty)}."


@dataclass(frozen=True, slots=True)
class PhaseRow:
    """One phase of the load; ``end`` is None while it goes on, times in Unix seconds."""

    name: str
    start: float
    end: float | None
    status: str
    slo_violation: bool
    requests: float | None
    penalty: float | str | None
    score: float | str | None
    is_scored: bool
    counts: bool
    reason: str | None


def score_of(report: Report) -> tuple[str, ...]:
    """How the score comes about, and how sure it is, in clauses."""
    base, multiplier = report.get("base_score"), report.get("penalty_multiplier")
    finite = report.get("finite_score")
    parts = []
    if base is not None and multiplier is not None and finite is not None:
        made = f"{figure(base)} \u00d7 {figure(multiplier)} = {figure(finite)}"
        parts.append(f"without the hard fail {made}" if report.get("slo_violation") else made)
    if (between := _between(report.get("score_interval"))) is not None:
        parts.append(f"{between} by its own requests")
    sampled = _between(report.get("score_confidence_interval"))
    if sampled is not None and (confidence := report.get("confidence")) is not None:
        parts.append(f"the deployment's is {sampled} at {figure(100 * confidence)}% confidence")
    return tuple(parts)


def sentences_of(report: Report) -> tuple[Sentence, ...]:
    """A sentence for each SLI of a report."""
    comparison = report.get("comparison") or {}
    changes = {one.get("sli"): one.get("explanation") for one in comparison.get("slis") or ()}
    return tuple(
        Sentence(
            sli=str(sli.get("sli")),
            verdict=str(sli.get("verdict")),
            text=str(sli.get("explanation", "")),
            change=changes.get(sli.get("sli")),
            value=sli.get("value"),
            penalty=sli.get("penalty"),
            threshold=sli.get("threshold"),
            unit=unit_of(sli),
        )
        for sli in report.get("slis") or ()
    )


def phases_of(report: Report) -> tuple[PhaseRow, ...]:
    """The phases of a report; none where an older release wrote it."""
    return tuple(_phase(phase, report.get("scored_phase")) for phase in report.get("phases") or ())


def registration_of(experiment: Experiment) -> str:
    """The document that it was registered with, as a file holds it."""
    return json.dumps(experiment.body, indent=2, ensure_ascii=False)


def seconds_of(time: str | None) -> float | None:
    """A time of a report in Unix seconds."""
    return None if time is None else datetime.fromisoformat(time).timestamp()


def _phase(phase: Report, scored: str | None) -> PhaseRow:
    window = phase.get("window") or {}
    start = seconds_of(phase["start"])
    assert start is not None  # noqa: S101  every phase has begun
    return PhaseRow(
        name=str(phase["name"]),
        start=start,
        end=seconds_of(phase.get("end")),
        status=str(phase.get("status", "NO_DATA")),
        slo_violation=bool(phase.get("slo_violation")),
        requests=window.get("requests") if window.get("instances") else None,
        penalty=phase.get("penalty"),
        score=phase.get("score"),
        is_scored=phase["name"] == scored,
        counts=bool(phase.get("counts", True)),
        reason=phase.get("reason"),
    )


def _between(interval: Iterable[float | str] | None) -> str | None:
    if interval is None:
        return None
    low, high = interval
    return None if low == high else f"between {figure(low)} and {figure(high)}"
