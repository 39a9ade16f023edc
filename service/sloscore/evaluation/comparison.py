"""An experiment's window next to that of its baseline, from the requests that both counted."""

from dataclasses import dataclass

from sloscore.core.compare import (
    OF_REQUESTS,
    OF_TOKENS,
    Difference,
    Outcome,
    Rate,
    compare_means,
    compare_quantiles,
    compare_rates,
    compare_shares,
    compare_shares_between,
)
from sloscore.core.explain_change import explain_change
from sloscore.core.nodata import NoData
from sloscore.core.objective import Direction, Signal
from sloscore.core.penalty import Slo
from sloscore.core.sli import RATE, SHARE, Estimate, Sli
from sloscore.core.units import REQUESTS_PER_SECOND, amount
from sloscore.evaluation.coverage import foreign_counts, is_patchy, missing_counts
from sloscore.evaluation.measure import measure, requests_in
from sloscore.evaluation.plan import Plan
from sloscore.experiments.counted import CountedWindow
from sloscore.experiments.window import WindowCounts
from sloscore.wire import Change, Comparison, SliChange

_SHARED_BUCKET = "Their buckets overlap, which finer buckets mend, but no number of requests."
_GIVEN = "the base score was given by the tuner, so there are no counts that it rests on"


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Baseline:
    """An ended experiment that others are compared with.

    ``has_given_base`` says that its base score is the tuner's own.
    """

    id: str
    plan: Plan
    counted: CountedWindow
    has_given_base: bool = False


@dataclass(frozen=True, slots=True)
class NoBaseline:
    """Why there is nothing to compare with; ``waits_for`` is the live experiment that may be it."""

    id: str | None
    reason: str
    waits_for: str | None = None


def compare_window(
    plan: Plan,
    window: CountedWindow,
    baseline: Baseline | NoBaseline,
    *,
    now: float,
    has_given_base: bool = False,
) -> Comparison:
    """Every SLI and the base score of a window next to those of the baseline.

    A window without an end runs until ``now`` (Unix seconds). ``has_given_base`` says that the tuner
    gave the base score.
    """
    if isinstance(baseline, NoBaseline):
        return not_compared(plan, baseline.id, baseline.reason)
    for counted, whose in (
        (window, "this experiment"),
        (baseline.counted, f"the baseline {baseline.id!r}"),
    ):
        if unusable := _unusable(counted):
            return not_compared(plan, baseline.id, f"{whose} has no data: {unusable}")
    new = _Side(plan, window.counts, (window.start, now if window.end is None else window.end))
    old = _Side(baseline.plan, baseline.counted.counts, _span(baseline.counted))
    pair = _Pair(new, old, plan)
    return Comparison(
        baseline=baseline.id,
        reason=None,
        confidence=plan.rules.confidence,
        base_score=_base(pair, is_given=has_given_base or baseline.has_given_base),
        slis=tuple(_sli(pair, sli, slo) for sli, slo in plan.rules.limits),
    )


def not_compared(plan: Plan, baseline: str | None, reason: str) -> Comparison:
    """The comparison that could not be made."""
    return Comparison(baseline=baseline, reason=reason, confidence=plan.rules.confidence)


@dataclass(frozen=True, slots=True)
class _Side:
    """One of both windows: the plan that it was read by, its counts, its span in Unix seconds."""

    plan: Plan
    counts: WindowCounts
    span: tuple[float, float]

    @property
    def is_patchy(self) -> bool:
        return is_patchy(self.counts, self.span[1] - self.span[0])

    def measured(self, sli: Sli, plan: Plan) -> Estimate | NoData:
        """What the window says of an SLI, by the rules of the candidate's plan."""
        of_counters = sli.statistic in {RATE, SHARE}
        if not of_counters and sli.signal.value not in self.counts.histograms:
            return NoData(f"{sli.signal} was not measured in its window")
        rules = plan.rules
        try:
            return measure(
                sli,
                self.counts,
                self.span,
                setup=self.plan.setup,
                confidence=rules.confidence,
                min_requests=rules.min_requests,
            )
        except ValueError:
            # Of values without a sum there is no mean.
            return NoData(f"{sli.signal} has a sum that is not a number")

    def over(self, role: str, threshold: float) -> tuple[float, float] | None:
        """Requests over a threshold, of how many; None where no bucket ends there."""
        histogram = self.counts.histograms.get(role)
        if histogram is None:
            return None
        within = histogram.count_at_or_under(threshold)
        return None if within is None else (histogram.count - within, histogram.count)

    def rate(self, sli: Sli, measured: Estimate) -> Rate:
        """A rate with the requests that it rests on."""
        scatter = OF_REQUESTS if sli.signal.unit == REQUESTS_PER_SECOND else OF_TOKENS
        requests = requests_in(self.counts)
        if sli.within:
            # Only the good ones of them.
            share = measure(Sli.of_window(Signal.GOODPUT_SHARE, sli.within), self.counts, self.span)
            requests *= 1.0 if isinstance(share, NoData) else share.value
        return Rate(measured.value, measured.lower, measured.upper, requests, scatter)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Both windows, and the candidate's plan, which says what is compared and how surely."""

    new: _Side
    old: _Side
    plan: Plan

    def change(self, sli: Sli, title: str, direction: Direction) -> Change:
        """One SLI of both."""
        new, old = (side.measured(sli, self.plan) for side in (self.new, self.old))
        if isinstance(new, NoData):
            return _unknown(title, new.reason, None, None if isinstance(old, NoData) else old)
        if isinstance(old, NoData):
            return _unknown(title, f"of the baseline: {old.reason}", new, None)
        found = self._difference(sli, new, old)
        if isinstance(found, NoData):
            return _unknown(title, found.reason, new, old)
        unit = sli.signal.unit
        shown = (amount(new.value, unit), amount(old.value, unit))
        told = self._told(title, shown, found, direction)
        if found.sign == 0 and sli.quantile is not None and _share_a_bucket(new, old):
            text = f"{told.explanation} {_SHARED_BUCKET}"
            return told.model_copy(update={"explanation": text})
        return told

    def over_threshold(self, sli: Sli, slo: Slo) -> Change | None:
        """The shares of requests over a threshold; None where a window has no bucket there."""
        if slo.is_minimum or sli.statistic in {RATE, SHARE}:
            return None
        new, old = (side.over(sli.signal.value, slo.threshold) for side in (self.new, self.old))
        if new is None or old is None:
            return None
        found = compare_shares(new, old, self.plan.rules.confidence)
        if isinstance(found, NoData):
            return None
        title = f"share of requests with a {sli.signal} over {slo.threshold:g} {sli.signal.unit}"
        shown = (f"{found.candidate:.2%}", f"{found.baseline:.2%}")
        return self._told(title, shown, found, Direction.MINIMIZE)

    def _difference(self, sli: Sli, new: Estimate, old: Estimate) -> Difference | NoData:
        confidence = self.plan.rules.confidence
        if sli.statistic == RATE:
            return compare_rates(self.new.rate(sli, new), self.old.rate(sli, old), confidence)
        if sli.statistic == SHARE:
            one, other = ((each.value, each.lower, each.upper) for each in (new, old))
            requests = (new.requests or 0.0, old.requests or 0.0)
            return compare_shares_between(one, other, requests, confidence)
        first, second = (side.counts.histograms[sli.signal.value] for side in (self.new, self.old))
        if sli.quantile is None:
            return compare_means(first, second, confidence)
        return compare_quantiles(first, second, sli.quantile, confidence)

    def _told(
        self, title: str, shown: tuple[str, str], found: Difference, direction: Direction
    ) -> Change:
        outcome = found.outcome(direction)
        patchy = next((side for side in (self.new, self.old) if side.is_patchy), None)
        if patchy is not None:
            outcome = Outcome.CANNOT_TELL
        confidence = self.plan.rules.confidence
        text = explain_change(title, *shown, found, outcome, confidence)
        if patchy is not None:
            whose = "this experiment" if patchy is self.new else "the baseline"
            text += f" No scrape tells of a tenth of the window of {whose}, or more."
        return Change(
            value=found.candidate,
            baseline=found.baseline,
            change=found.change,
            change_interval=(found.low, found.high),
            change_ratio=found.ratio,
            change_ratio_interval=(found.ratio_low, found.ratio_high),
            verdict=outcome,
            explanation=text,
        )


def _sli(pair: _Pair, sli: Sli, slo: Slo) -> SliChange:
    direction = Direction.MAXIMIZE if slo.is_minimum else Direction.MINIMIZE
    change = pair.change(sli, sli.title, direction)
    over = pair.over_threshold(sli, slo)
    return SliChange(sli=sli.id, over_threshold=over, **dict(change))


def _base(pair: _Pair, *, is_given: bool) -> Change:
    objective = pair.plan.objective
    sli = pair.plan.spec.base
    title = f"base score ({sli.title})"
    if is_given:
        return _unknown(title, _GIVEN, None, None)
    return pair.change(sli, title, objective.direction)


def _unknown(title: str, reason: str, new: Estimate | None, old: Estimate | None) -> Change:
    return Change(
        value=new and new.value,
        baseline=old and old.value,
        change=None,
        change_interval=None,
        change_ratio=None,
        change_ratio_interval=None,
        verdict=Outcome.CANNOT_TELL,
        explanation=f"{title} cannot be compared: {reason}.",
    )


def _share_a_bucket(one: Estimate, other: Estimate) -> bool:
    return one.lower < other.upper and other.lower < one.upper


def _unusable(window: CountedWindow) -> str | None:
    """Why the counts are not those of the load."""
    counts = window.counts
    if not counts.instances:
        return "the selector matched no series in its window"
    if foreign := foreign_counts(counts):
        return foreign
    return None if window.end is None else missing_counts(counts, window.start, window.end)


def _span(window: CountedWindow) -> tuple[float, float]:
    return window.start, window.start if window.end is None else window.end
