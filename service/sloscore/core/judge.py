"""One SLI against its SLO: the verdict, what it costs, and whether it is certain."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from sloscore.core import penalty as slo_penalty
from sloscore.core.explain import explain
from sloscore.core.nodata import NoData
from sloscore.core.penalty import Slo, hard_limit
from sloscore.core.settle import requests_to_settle
from sloscore.core.sli import Estimate, Sli
from sloscore.core.units import capital
from sloscore.core.verdict import (
    HardFailOn,
    Severity,
    Uncertainty,
    Verdict,
    severity_of,
    verdict_at,
    verdict_within,
)

Verdicts = tuple[Verdict, Verdict]


@dataclass(frozen=True, slots=True)
class Range:
    """What the best and the worst possible value would give, in this order."""

    verdicts: Verdicts
    penalties: tuple[float, float]


@dataclass(frozen=True, slots=True)
class SliResult:
    """One SLI against its SLO; everything but the estimate and the words is None without data.

    ``log_penalty`` is the natural logarithm of the penalty, -inf where that is 0.
    ``by_buckets`` is what the window's own requests leave open, ``by_sampling`` what the
    deployment's behaviour can be at the estimate's confidence; the second contains the first.
    ``requests_to_settle`` is about how many more requests would make the verdict certain, None
    where it is, or where no number of them would.
    """

    sli: Sli
    slo: Slo
    estimate: Estimate | NoData
    verdict: Verdict
    severity: Severity | None = None
    violation_ratio: float | None = None
    penalty: float | None = None
    log_penalty: float | None = None
    by_buckets: Range | None = None
    by_sampling: Range | None = None
    uncertainty: Uncertainty | None = None
    requests_to_settle: int | None = None
    explanation: str = ""

    @property
    def certain(self) -> bool:
        """Whether the verdict is the same wherever the true value lies."""
        return self.verdict is not Verdict.NO_DATA and self.uncertainty is None

    @property
    def penalty_error(self) -> float | None:
        """Standard error of the penalty, linearised at the value; None where it is not known."""
        if self.violation_ratio is None or isinstance(self.estimate, NoData):
            return None
        if self.penalty == 0 or self.estimate.sampled is None:
            return 0.0
        if self.estimate.error is None:
            return None
        slope = slo_penalty.penalty_slope(self.violation_ratio, self.slo)
        error = slope * self.estimate.error
        return error if math.isfinite(error) else None


class Standing(NamedTuple):
    """A verdict, whether it is certain, and what the ends of both intervals would give."""

    verdict: Verdict
    uncertainty: Uncertainty | None
    by_buckets: Range
    by_sampling: Range


def judge(
    sli: Sli,
    slo: Slo,
    estimate: Estimate | NoData,
    hard_fail_on: HardFailOn = HardFailOn.ESTIMATE,
) -> SliResult:
    """The verdict at the SLI's value, and at the ends of what its value can be."""
    if isinstance(estimate, NoData):
        return _no_data(sli, slo, estimate)
    value = max(estimate.value, estimate.least)
    stands = standing(slo, value, (estimate.least, estimate.upper), estimate.widest, hard_fail_on)
    if stands is None:
        beyond = f"it lies above the last bucket bound, {estimate.lower:g} {sli.signal.unit}"
        return _no_data(sli, slo, NoData(f"{beyond}, which does not reach the threshold"))
    verdict, uncertainty = stands.verdict, stands.uncertainty
    if uncertainty is Uncertainty.BUCKETS and estimate.open_because:
        uncertainty = Uncertainty.COUNTS
    more = None
    if uncertainty is Uncertainty.SAMPLING:
        more = requests_to_settle(estimate, sli, _limits(slo))
    ratio = slo_penalty.violation_ratio(value, slo)
    return SliResult(
        sli=sli,
        slo=slo,
        estimate=estimate,
        verdict=verdict,
        severity=severity_of(verdict, ratio),
        violation_ratio=ratio,
        penalty=slo_penalty.penalty(value, slo),
        log_penalty=slo_penalty.log_penalty(value, slo),
        by_buckets=stands.by_buckets,
        by_sampling=stands.by_sampling,
        uncertainty=uncertainty,
        requests_to_settle=more,
        explanation=explain(sli, slo, estimate, uncertainty, more),
    )


def standing(
    slo: Slo,
    value: float,
    by_buckets: tuple[float, float],
    by_sampling: tuple[float, float],
    hard_fail_on: HardFailOn = HardFailOn.ESTIMATE,
) -> Standing | None:
    """How a value stands of which both intervals, least first, say what it can be.

    None where it lies above the last bucket bound, and that does not reach the threshold.
    """
    best, worst = _ends(slo, *by_buckets)
    if math.isinf(worst) and not slo_penalty.is_violated(best, slo):
        return None
    buckets = _range(slo, (best, worst), value)
    # Numbers that nobody sampled leave both the same.
    is_same = by_sampling == by_buckets
    sampling = buckets if is_same else _range(slo, _ends(slo, *by_sampling), value)
    uncertainty = _uncertainty(buckets.verdicts, sampling.verdicts)
    verdict = verdict_at(value, slo)
    if hard_fail_on is HardFailOn.CERTAIN and uncertainty is not None:
        verdict = _softened(verdict)
        buckets, sampling = _soft_range(buckets), _soft_range(sampling)
    return Standing(verdict, uncertainty, buckets, sampling)


def _no_data(sli: Sli, slo: Slo, missing: NoData) -> SliResult:
    text = f"{capital(sli.title)} is unknown: {missing.reason}."
    return SliResult(sli, slo, missing, Verdict.NO_DATA, explanation=text)


def _ends(slo: Slo, low: float, high: float) -> tuple[float, float]:
    return (high, low) if slo.is_minimum else (low, high)


def _range(slo: Slo, ends: tuple[float, float], value: float) -> Range:
    best, worst = ends
    at_worst = verdict_at(worst, slo) if worst == value else verdict_within(worst, slo)
    return Range(
        verdicts=(verdict_at(best, slo), at_worst),
        penalties=(slo_penalty.penalty(best, slo), slo_penalty.penalty(worst, slo)),
    )


def _uncertainty(by_buckets: Verdicts, by_sampling: Verdicts) -> Uncertainty | None:
    if by_buckets[0] is not by_buckets[1]:
        return Uncertainty.BUCKETS
    return Uncertainty.SAMPLING if by_sampling[0] is not by_sampling[1] else None


def _softened(verdict: Verdict) -> Verdict:
    return Verdict.VIOLATED if verdict is Verdict.HARD_FAIL else verdict


def _soft_range(hard: Range) -> Range:
    best, worst = hard.verdicts
    return Range((_softened(best), _softened(worst)), hard.penalties)


def _limits(slo: Slo) -> tuple[float, ...]:
    return (slo.threshold, hard_limit(slo)) if slo.hard_fail else (slo.threshold,)
