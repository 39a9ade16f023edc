"""The report of an experiment, as a tuner reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sloscore.client.comparison import Comparison


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now: ``continue`` or ``stop``; ``confidence`` is that it is right, if known."""

    action: str
    reason: str
    confidence: float | None


@dataclass(frozen=True, slots=True)
class SliResult:
    """One SLI against its SLO, in the SLI's unit (docs/slis.md); None is what is not known."""

    sli: str
    verdict: str
    value: float | None
    lower: float | None
    upper: float | None
    certain: bool
    threshold: float
    violation_ratio: float | None
    penalty: float | None
    explanation: str


@dataclass(frozen=True, slots=True)
class PhaseResult:
    """A phase of the load, scored by its own window; its fields are those of a report.

    ``counts`` says whether a hard fail of it is one of the experiment.
    """

    name: str
    counts: bool
    status: str
    slo_violation: bool
    reason: str | None
    score: float | None
    finite_score: float | None
    log_score: float | None
    base_score: float | None
    penalty: float | None
    certain: bool
    slis: tuple[SliResult, ...]
    requests: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """The score of an experiment, so far or final.

    ``score`` is infinite on a hard fail and None without data; ``constraints`` holds the violation
    ratio of each SLI, feasible at or below 0. ``log_score`` is the natural logarithm of
    ``finite_score``, which leaves hard fails aside; ``infeasibility_reason`` says why an ended
    experiment failed hard or has no data. ``comparison`` is with its baseline, if it names one. ``phases``
    are the marked parts of its load, and ``scored_phase`` the one that the score is of, None where
    that is the whole. ``raw`` is the whole document of the service, whose other fields
    docs/scoring.md and docs/windows.md explain.
    """

    experiment: str | None
    task: str | None
    status: str
    slo_violation: bool
    reason: str | None
    direction: str
    score: float | None
    finite_score: float | None
    log_score: float | None
    standard_error: float | None
    base_score: float | None
    penalty: float | None
    certain: bool
    constraints: Mapping[str, float | None]
    binding_constraint: str | None
    infeasibility_reason: str | None
    decision: Decision
    slis: tuple[SliResult, ...]
    requests: float | None
    comparison: Comparison | None
    phases: tuple[PhaseResult, ...]
    scored_phase: str | None
    raw: Mapping[str, Any]

    @property
    def is_final(self) -> bool:
        """Whether this is the final report, which never changes."""
        return self.status != "RUNNING"

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Report":
        """The report in a document of the service; fields that it does not know stay in ``raw``."""
        decision = document["decision"]
        comparison = document.get("comparison")
        return cls(
            experiment=document["experiment"],
            task=document["task"],
            status=document["status"],
            slo_violation=document["slo_violation"],
            reason=document["reason"],
            direction=document["direction"],
            score=number(document["score"]),
            finite_score=number(document["finite_score"]),
            log_score=number(document.get("log_score")),
            standard_error=number(document.get("standard_error")),
            base_score=number(document["base_score"]),
            penalty=number(document["penalty"]),
            certain=document.get("certain", False),
            constraints={sli: number(v) for sli, v in document["constraints"].items()},
            binding_constraint=document.get("binding_constraint"),
            infeasibility_reason=document.get("infeasibility_reason"),
            decision=Decision(decision["action"], decision["reason"], decision.get("confidence")),
            slis=tuple(_sli(one) for one in document["slis"]),
            requests=_requests(document),
            comparison=None if comparison is None else Comparison.of(comparison),
            phases=tuple(_phase(one) for one in document.get("phases", ())),
            scored_phase=document.get("scored_phase"),
            raw=document,
        )


def number(value: float | str | None) -> float | None:
    """A number of the wire: infinities come as text."""
    return None if value is None else float(value)


def _sli(document: Mapping[str, Any]) -> SliResult:
    return SliResult(
        sli=document["sli"],
        verdict=document["verdict"],
        value=number(document["value"]),
        lower=number(document["lower"]),
        upper=number(document["upper"]),
        certain=document["certain"],
        threshold=document["threshold"],
        violation_ratio=number(document["violation_ratio"]),
        penalty=number(document["penalty"]),
        explanation=document["explanation"],
    )


def _phase(document: Mapping[str, Any]) -> PhaseResult:
    return PhaseResult(
        name=document["name"],
        counts=document["counts"],
        status=document["status"],
        slo_violation=document["slo_violation"],
        reason=document["reason"],
        score=number(document["score"]),
        finite_score=number(document["finite_score"]),
        log_score=number(document["log_score"]),
        base_score=number(document["base_score"]),
        penalty=number(document["penalty"]),
        certain=document["certain"],
        slis=tuple(_sli(one) for one in document["slis"]),
        requests=_requests(document),
    )


def _requests(document: Mapping[str, Any]) -> float | None:
    window: Mapping[str, float] | None = document.get("window")
    return None if window is None else window["requests"]
