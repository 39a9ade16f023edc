"""One report of a whole window and of the phases marked in it: which of them the score is of."""

from collections.abc import Sequence
from typing import Any

from sloscore.core.phases import Choice, ScoreOf, choose
from sloscore.core.scoring import Status
from sloscore.evaluation.plan import Plan
from sloscore.evaluation.report import (
    report_failure,
    report_window,
    running_decision,
    with_reason,
)
from sloscore.experiments.phases import Span
from sloscore.experiments.window import WindowCounts
from sloscore.wire import PhaseReport, Report, ScoredWindow

Part = tuple[Span, Report]
"""A phase's window with its own report."""

_OUTSIDE = "nothing of the phase lies within the window that is scored"
_WARMING = "the phase is in its warm-up"


def report_phase(
    plan: Plan,
    counts: WindowCounts | None,
    span: Span,
    *,
    now: float,
    base_score: float | None = None,
) -> Report:
    """The report of a phase by itself; it has no counts before its window begins."""
    window = (span.start, span.end)
    if span.is_empty or counts is None:
        return report_failure(plan, _OUTSIDE if span.is_empty else _WARMING, window, now=now)
    return report_window(plan, counts, window, now=now, base_score=base_score, phase=span)


def with_phases(plan: Plan, whole: Report, parts: Sequence[Part]) -> Report:
    """The report of an experiment from that of its whole window and those of its phases.

    Everything in it but the window is of what the score is of, so that score, SLIs and constraints
    belong together.
    """
    rules = plan.rules.phases
    if not parts and rules.score is ScoreOf.WHOLE:
        return whole
    choice = choose([(span.phase.name, part) for span, part in parts], rules, whole.direction)
    shown: dict[str, Any] = {
        "phases": tuple(_phase_report(span, part, rules.ignore) for span, part in parts),
        "scored_explanation": choice.explanation,
    }
    if choice.missing is not None:
        shown |= {"whole": _scored(whole)}
        return _unmarked(plan, whole, choice.missing).model_copy(update=shown)
    chosen = whole
    if choice.place is not None:
        span, part = parts[choice.place]
        chosen = _as_experiment(whole, part, span)
        shown |= {"scored_phase": span.phase.name, "whole": _scored(whole)}
    return chosen.model_copy(update=shown | {"certain": _is_certain(plan, chosen, parts, choice)})


def report_unseen(
    plan: Plan,
    reason: str,
    window: tuple[float, float | None],
    spans: Sequence[Span] = (),
    *,
    now: float,
) -> Report:
    """A report without any data of the window or of its phases, for a reason that lies outside."""
    whole = report_failure(plan, reason, window, now=now)
    parts = [(s, report_failure(plan, reason, (s.start, s.end), now=now)) for s in spans]
    return with_phases(plan, whole, parts)


def _as_experiment(whole: Report, part: Report, span: Span) -> Report:
    """The report of a phase as that of its experiment."""
    is_running = whole.status is Status.RUNNING
    place = f"in phase {span.phase.name}"
    reason = part.reason
    if part.slo_violation:
        reason = f"{reason} {place}"
    elif whole.reason is not None and whole.score is None:
        # What is missing of all of it is no matter of the phase.
        reason = whole.reason
    elif reason is not None:
        reason = f"{place}: {reason}"
    infeasible = (
        part.infeasibility_reason and f"In phase {span.phase.name}: {part.infeasibility_reason}"
    )
    changes: dict[str, Any] = {
        "status": whole.status if is_running else part.status,
        "reason": reason,
        "infeasibility_reason": None if is_running else infeasible,
        "decision": whole.decision,
        "window": whole.window,
        "comparison": whole.comparison,
    }
    if is_running:
        scored = part.score is not None
        changes["decision"] = running_decision(violated=part.slo_violation, scored=scored)
    return part.model_copy(update=changes)


def _unmarked(plan: Plan, whole: Report, missing: str) -> Report:
    window = whole.window
    span = (whole.evaluated_at, None) if window is None else (window.start, window.end)
    report = report_failure(plan, missing, span, now=whole.evaluated_at)
    return with_reason(report, missing).model_copy(update={"window": window})


def _is_certain(plan: Plan, chosen: Report, parts: Sequence[Part], choice: Choice) -> bool:
    """Whether what the experiment came to is the same wherever the true values lie."""
    if chosen.slo_violation:
        return chosen.certain
    rules = plan.rules
    if choice.place is None and not any(slo.hard_fail for _, slo in rules.limits):
        return chosen.certain
    counting = (part for span, part in parts if span.phase.name not in rules.phases.ignore)
    return chosen.certain and all(part.certain for part in counting)


def _phase_report(span: Span, part: Report, ignore: frozenset[str]) -> PhaseReport:
    phase = span.phase
    return PhaseReport(
        **_fields(part),
        name=phase.name,
        start=phase.start,
        end=phase.end,
        counts=phase.name not in ignore,
    )


def _scored(report: Report) -> ScoredWindow:
    return ScoredWindow(**_fields(report))


def _fields(report: Report) -> dict[str, Any]:
    return {name: getattr(report, name) for name in ScoredWindow.model_fields}
