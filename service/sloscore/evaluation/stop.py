"""The advice to stop a running experiment, kept once it was given."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sloscore.core.histogram import Histogram
from sloscore.core.penalty import Slo, hard_limit
from sloscore.core.phases import PhaseRules, ScoreOf
from sloscore.core.sli import Sli
from sloscore.core.stopping import StopRule, evidence, is_certain, slow_requests
from sloscore.evaluation.live_phases import LivePhase
from sloscore.experiments.window import WindowCounts
from sloscore.spec.stop import EarlyStopSpec
from sloscore.wire import Decision


@dataclass(slots=True)
class EarlyStop:
    """Looks at an experiment's counts as often as it is evaluated; ``start`` is Unix seconds.

    What it has once told stays: a later look cannot take a stop back. It looks at the whole window
    where that can fail the experiment, at the phase that goes on and at how each of them ended.
    """

    spec: EarlyStopSpec
    limits: Sequence[tuple[Sli, Slo]]
    start: float
    phases: PhaseRules = field(default_factory=PhaseRules)
    _whole: "_Test | None" = None
    _tests: dict[str, "_Test"] = field(default_factory=dict)
    _told: Decision | None = None

    def decide(
        self, counts: WindowCounts, phases: Iterable[LivePhase], now: float
    ) -> Decision | None:
        """The advice to stop, or None while there is no reason for it."""
        if self._told is None:
            self._told = self._decide(counts, tuple(phases), now)
        return self._told

    def _decide(
        self, counts: WindowCounts, phases: Sequence[LivePhase], now: float
    ) -> Decision | None:
        scores_whole = self.phases.score is ScoreOf.WHOLE
        if scores_whole:
            self._whole = self._whole or _Test(self.spec, self.limits, self.start)
            alpha = self.spec.alpha / 2 if phases else self.spec.alpha
            if decision := self._whole.decide(counts, now, alpha):
                return decision
        for number, live in enumerate(phases, start=1):
            name = live.span.phase.name
            if name in self.phases.ignore:
                continue
            if live.final is not None and live.final.slo_violation:
                reason = f"Phase {name} has ended with a hard SLO violated, whatever follows."
                return _stop(StopRule.CERTAIN, reason, 1.0, _saved(self.spec, self.start, now))
            if live.window is None or live.span.end is not None:
                continue
            # The shares 1/2, 1/6, 1/12, ... add up to 1, however many phases follow.
            alpha = self.spec.alpha / (number * (number + 1)) / (2 if scores_whole else 1)
            test = self._tests.get(name)
            if test is None:
                test = _Test(self.spec, self.limits, self.start, live.span.start, name)
                self._tests[name] = test
            if decision := test.decide(live.window.counts(), now, alpha):
                return decision
        return None


def _saved(spec: EarlyStopSpec, start: float, now: float) -> float | None:
    """Seconds of the planned duration that a stop saves."""
    planned = spec.planned_duration
    return None if planned is None else max(0.0, start + planned - now)


@dataclass(slots=True)
class _Test:
    """Looks at one window's counts, those of the phase ``name`` if it has one.

    ``start`` is that of the experiment's window, ``begins`` the phase's own, in Unix seconds.
    """

    spec: EarlyStopSpec
    limits: Sequence[tuple[Sli, Slo]]
    start: float
    begins: float | None = None
    name: str | None = None
    _burned: dict[str, Histogram] | None = None

    def decide(self, counts: WindowCounts, now: float, alpha: float) -> Decision | None:
        """The advice to stop, wrong by its evidence with a probability of at most ``alpha``."""
        return self._certain(counts, now) or self._proven(counts, now, alpha)

    @property
    def _where(self) -> str:
        return "" if self.name is None else f" in phase {self.name}"

    def _certain(self, counts: WindowCounts, now: float) -> Decision | None:
        planned = self.spec.planned_requests
        if planned is None:
            return None
        for sli, slo in self.limits:
            histogram = counts.histograms.get(sli.signal.value)
            slow = histogram and slow_requests(histogram, slo)
            if slow and sli.quantile is not None and is_certain(slow, sli.quantile, planned):
                saved = _saved(self.spec, self.start, now)
                reason = (
                    f"{slow.over:.0f} requests{self._where} took longer than {hard_limit(slo):g} s, "
                    f"more than {sli.title} allows of {planned}: the hard limit is broken whatever "
                    "follows."
                )
                return _stop(StopRule.CERTAIN, reason, 1.0, saved)
        return None

    def _proven(self, counts: WindowCounts, now: float, alpha: float) -> Decision | None:
        burned = self.start + (self.spec.burn_in or 0.0)
        if now < burned:
            return None
        if self._burned is None:
            begins = self.start if self.begins is None else self.begins
            self._burned = dict(counts.histograms) if begins < burned else {}
        hard = [(sli, slo) for sli, slo in self.limits if slo.hard_fail and sli.quantile]
        # Each of them could be wrong by itself.
        alpha /= max(1, len(hard))
        for sli, slo in hard:
            histogram = self._since_burn_in(sli, counts)
            slow = histogram and slow_requests(histogram, slo)
            if not slow or sli.quantile is None:
                continue
            allowed = max(1 - sli.quantile, self.spec.null_share or 0.0)
            value = evidence(slow, allowed)
            if value >= 1 / alpha:
                saved = _saved(self.spec, self.start, now)
                reason = (
                    f"{slow.over:.0f} of {slow.total:.0f} requests{self._where} took longer than "
                    f"{hard_limit(slo):g} s, where {allowed:.3g} may: {value:.3g} times likelier if "
                    f"{sli.title} breaks its hard limit; wrong in at most {alpha:g} of "
                    "such experiments."
                )
                return _stop(StopRule.EVIDENCE, reason, 1 - alpha, saved)
        return None

    def _since_burn_in(self, sli: Sli, counts: WindowCounts) -> Histogram | None:
        histogram = counts.histograms.get(sli.signal.value)
        before = (self._burned or {}).get(sli.signal.value)
        if histogram is None or before is None or histogram.bounds != before.bounds:
            return histogram
        return histogram.minus(before)


def _stop(rule: StopRule, reason: str, confidence: float, saved: float | None) -> Decision:
    return Decision(
        action="stop", reason=reason, confidence=confidence, rule=rule, saved_seconds=saved
    )
