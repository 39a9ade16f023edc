"""The advice to stop a running experiment, kept once it was given."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sloscore.core.histogram import Histogram
from sloscore.core.penalty import Slo, hard_limit
from sloscore.core.sli import Sli
from sloscore.core.stopping import StopRule, evidence, is_certain, slow_requests
from sloscore.experiments.window import WindowCounts
from sloscore.spec.stop import EarlyStopSpec
from sloscore.wire import Decision


@dataclass(slots=True)
class EarlyStop:
    """Looks at an experiment's counts as often as it is evaluated; ``start`` is Unix seconds.

    What it has once told stays: a later look cannot take a stop back.
    """

    spec: EarlyStopSpec
    limits: Sequence[tuple[Sli, Slo]]
    start: float
    _burned: dict[str, Histogram] | None = None
    _told: Decision | None = field(default=None)

    def decide(self, counts: WindowCounts, now: float) -> Decision | None:
        """The advice to stop, or None while there is no reason for it."""
        if self._told is None:
            self._told = self._certain(counts, now) or self._proven(counts, now)
        return self._told

    def _certain(self, counts: WindowCounts, now: float) -> Decision | None:
        planned = self.spec.planned_requests
        if planned is None:
            return None
        for sli, slo in self.limits:
            histogram = counts.histograms.get(sli.signal.value)
            slow = histogram and slow_requests(histogram, slo)
            if slow and sli.quantile is not None and is_certain(slow, sli.quantile, planned):
                reason = (
                    f"{slow.over:.0f} requests took longer than {hard_limit(slo):g} s, more than "
                    f"{sli.title} allows of {planned}: the hard limit is broken whatever follows."
                )
                return self._stop(StopRule.CERTAIN, reason, 1.0, now)
        return None

    def _proven(self, counts: WindowCounts, now: float) -> Decision | None:
        if now < self.start + (self.spec.burn_in or 0.0):
            return None
        if self._burned is None:
            self._burned = dict(counts.histograms) if self.spec.burn_in else {}
        for sli, slo in self.limits:
            histogram = self._since_burn_in(sli, counts)
            slow = histogram and slow_requests(histogram, slo)
            if not slow or sli.quantile is None:
                continue
            allowed = max(1 - sli.quantile, self.spec.null_share or 0.0)
            value = evidence(slow, allowed)
            if value >= 1 / self.spec.alpha:
                reason = (
                    f"{slow.over:.0f} of {slow.total:.0f} requests took longer than "
                    f"{hard_limit(slo):g} s, where {allowed:.3g} may: {value:.3g} times likelier if "
                    f"{sli.title} breaks its hard limit; wrong in at most {self.spec.alpha:g} of "
                    "such experiments."
                )
                return self._stop(StopRule.EVIDENCE, reason, 1 - self.spec.alpha, now)
        return None

    def _since_burn_in(self, sli: Sli, counts: WindowCounts) -> Histogram | None:
        histogram = counts.histograms.get(sli.signal.value)
        before = (self._burned or {}).get(sli.signal.value)
        if histogram is None or before is None or histogram.bounds != before.bounds:
            return histogram
        return histogram.minus(before)

    def _stop(self, rule: StopRule, reason: str, confidence: float, now: float) -> Decision:
        planned = self.spec.planned_duration
        saved = None if planned is None else max(0.0, self.start + planned - now)
        return Decision(
            action="stop", reason=reason, confidence=confidence, rule=rule, saved_seconds=saved
        )
