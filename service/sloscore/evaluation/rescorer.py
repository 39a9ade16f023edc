"""Ended experiments under other SLOs: the numbers alone, or the whole report where words are needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from sloscore.core.nodata import NoData
from sloscore.core.phases import ScoreOf
from sloscore.core.scorer import Measured, Scorer
from sloscore.core.scoring import HARD_VIOLATION
from sloscore.core.sli import Estimate, Sli
from sloscore.errors import SpecError
from sloscore.evaluation.coverage import (
    counted_beyond,
    foreign_counts,
    is_uncertain,
    missing_counts,
)
from sloscore.evaluation.measure import measure, measure_base
from sloscore.evaluation.phased import report_phase, with_phases
from sloscore.evaluation.plan import Plan, plan_of, plan_under
from sloscore.evaluation.report import report_window
from sloscore.experiments.counted import CountedWindow, kept_counts, kept_phase_counts
from sloscore.experiments.model import Experiment
from sloscore.experiments.phases import spans_of
from sloscore.spec.slo import SloSpec
from sloscore.wire import RankedScore, Report

# What tells one experiment of a task from the next, and is no matter of how it is judged.
_OWN = frozenset({"id", "selector", "target", "scrape_interval", "baseline"})
_SCORED = tuple(name for name in RankedScore.model_fields if name != "rank")


def scored(report: Report | Mapping[str, Any]) -> RankedScore:
    """What a report comes to, without a rank; it may be a stored document."""
    get = report.get if isinstance(report, Mapping) else lambda name: getattr(report, name)
    return RankedScore.model_validate({"rank": None, **{name: get(name) for name in _SCORED}})


@dataclass(frozen=True, slots=True)
class _Rules:
    """How experiments of equal tasks are judged; ``unread`` are roles that their own SLOs left out."""

    was: Plan
    plan: Plan
    scorer: Scorer
    slis: tuple[Sli, ...]
    unread: tuple[str, ...]


class Rescorer:
    """Judges ended experiments again under ``slo``; those of equal tasks share what that takes."""

    def __init__(self, slo: SloSpec | None) -> None:
        self._slo = slo
        self._rules: dict[bytes, _Rules | SpecError] = {}

    def score(self, experiment: Experiment, counts: Mapping[str, Any] | None) -> RankedScore:
        """What the experiment comes to, from the documents of its counts.

        Raises SpecError with the reason where they cannot tell: none are kept, or something was not
        read that the SLOs need.
        """
        window = kept_counts(counts)
        if counts is None or window is None:
            raise SpecError(["no counts are kept of its window"])
        rules = self._rules_of(experiment)
        _require_read(rules, window)
        return _numbers(rules, experiment, window) or scored(
            _report(rules, experiment, window, counts)
        )

    def _rules_of(self, experiment: Experiment) -> _Rules:
        server = (experiment.scrapes or {}).get("server")
        shared = {name: value for name, value in experiment.body.items() if name not in _OWN}
        key = orjson.dumps((shared, server))
        found = self._rules.get(key)
        if found is None:
            try:
                found = _rules_under(plan_of(experiment), self._slo)
            except SpecError as error:
                found = error
            self._rules[key] = found
        if isinstance(found, SpecError):
            raise SpecError(found.problems)
        return found


def judged_again(experiment: Experiment, counts: Mapping[str, Any], slo: SloSpec | None) -> Report:
    """The report of an ended experiment under other SLOs, as its window would have given it.

    Raises what ``Rescorer.score`` raises.
    """
    window = kept_counts(counts)
    if window is None:
        raise SpecError(["no counts are kept of its window"])
    rules = _rules_under(plan_of(experiment), slo)
    _require_read(rules, window)
    return _report(rules, experiment, window, counts)


def _report(
    rules: _Rules, experiment: Experiment, window: CountedWindow, counts: Mapping[str, Any]
) -> Report:
    plan, base, now = rules.plan, experiment.base_score, experiment.updated_at
    bounds = (window.start, window.end)
    whole = report_window(plan, window.counts, bounds, now=now, base_score=base)
    spans = spans_of(experiment.phases, *bounds, rules.was.rules.phases.warmup)
    phases = kept_phase_counts(counts)
    parts = [
        (span, report_phase(plan, phases.get(span.phase.name), span, now=now, base_score=base))
        for span in spans
    ]
    return with_phases(plan, whole, parts)


def _numbers(rules: _Rules, experiment: Experiment, window: CountedWindow) -> RankedScore | None:
    """None for what has phases, or lacks data, which a report has the words for."""
    plan, counts, start, end = rules.plan, window.counts, window.start, window.end
    if experiment.phases or plan.rules.phases.score is not ScoreOf.WHOLE or end is None:
        return None
    if foreign_counts(counts) or missing_counts(counts, start, end):
        return None
    base: Estimate | NoData
    if experiment.base_score is None:
        base = measure_base(plan.spec.base, counts, (start, end), plan.setup)
    else:
        base = Estimate.exact(experiment.base_score)
    estimates = [
        measure(
            sli,
            counts,
            (start, end),
            setup=plan.setup,
            confidence=plan.rules.confidence,
            min_requests=plan.rules.min_requests,
        )
        for sli in rules.slis
    ]
    known = [Measured.of(one) for one in estimates if not isinstance(one, NoData)]
    if isinstance(base, NoData) or len(known) < len(estimates):
        return None
    found = rules.scorer.score(base.value, known)
    if found is None:
        return None
    beyond = counted_beyond(counts, None, plan.warmup)
    is_seen = not (known and is_uncertain(counts, end - start, beyond))
    return RankedScore(
        status=found.status,
        rank=None,
        score=found.score,
        finite_score=found.finite_score,
        penalty=found.penalty,
        slo_violation=found.slo_violation,
        certain=found.certain and is_seen,
        constraints=dict(zip((sli.id for sli in rules.slis), found.ratios, strict=True)),
        binding_constraint=_binding(rules.slis, found.ratios),
        reason=HARD_VIOLATION if found.slo_violation else None,
    )


def _binding(slis: Sequence[Sli], ratios: Sequence[float]) -> str | None:
    return slis[ratios.index(max(ratios))].id if ratios else None


def _rules_under(was: Plan, slo: SloSpec | None) -> _Rules:
    plan = plan_under(was, slo)
    _require_same_warmups(was, slo)
    limits = plan.rules.limits
    read = {role for sli in was.spec.measured for role in sli.roles}
    needed = dict.fromkeys(role for sli in plan.spec.measured for role in sli.roles)
    return _Rules(
        was,
        plan,
        Scorer([limit for _, limit in limits], plan.objective.direction, plan.rules.hard_fail_on),
        tuple(sli for sli, _ in limits),
        tuple(role for role in needed if role not in read),
    )


def _require_same_warmups(was: Plan, slo: SloSpec | None) -> None:
    """The stored windows were cut once; a warm-up that is left out is that of the window."""
    problems = []
    wanted = slo and slo.warmup
    if wanted is not None and wanted != was.warmup:
        problems.append(f"its window was cut by a warm-up of {was.warmup:g} s, not {wanted:g} s")
    phases = slo and slo.phases
    if phases and phases.rules.warmup not in {0.0, was.rules.phases.warmup}:
        problems.append(
            f"its phases were cut by a warm-up of {was.rules.phases.warmup:g} s, "
            f"not {phases.rules.warmup:g} s"
        )
    if problems:
        raise SpecError(problems)


def _require_read(rules: _Rules, window: CountedWindow) -> None:
    counts = window.counts
    missing = [
        role
        for role in rules.unread
        if role not in counts.histograms and role not in counts.counters
    ]
    if missing:
        raise SpecError(
            [f"{', '.join(missing)} was not read in its window, as its SLOs had no need"]
        )
