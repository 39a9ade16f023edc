"""One sentence for each SLI: what was measured, how it stands, and how sure that is."""

import math

from sloscore.core.objective import Signal
from sloscore.core.penalty import Slo, hard_limit, violation_ratio
from sloscore.core.sli import SHARE, Estimate, Sli
from sloscore.core.units import amount, capital, figure, mark
from sloscore.core.verdict import Uncertainty, Verdict, verdict_at


def explain(
    sli: Sli, slo: Slo, estimate: Estimate, uncertainty: Uncertainty | None, more: int | None
) -> str:
    """The sentence for an SLI that has a value; ``more`` requests would settle its verdict."""
    unit = sli.signal.unit
    text = f"{capital(sli.title)} is {amount(estimate.value, unit)}, "
    text += against_limit(estimate.value, slo, unit)
    if evidence := _evidence(sli, estimate, slo):
        text += f": {evidence}"
    if uncertainty is Uncertainty.BUCKETS:
        text += (
            f"; the verdict is not certain, because {_limits_inside(estimate, slo, unit)}: "
            "give the server a bucket bound there"
        )
    elif uncertainty is Uncertainty.COUNTS:
        text += (
            f"; the verdict is not certain, because {_limits_inside(estimate, slo, unit)}: "
            f"{estimate.open_because}"
        )
    elif uncertainty is Uncertainty.SAMPLING:
        text += f"; the verdict is not certain, because {_by_chance(estimate, unit)}"
        if more is not None:
            text += f": about {more} more requests would settle it"
    return text + "."


def against_limit(value: float, slo: Slo, unit: str) -> str:
    """How a value stands against its limit, as the end of a sentence."""
    name = "minimum" if slo.is_minimum else "threshold"
    threshold = f"the {name} of {_limit(slo.threshold, unit)}"
    verdict = verdict_at(value, slo)
    if verdict is Verdict.MET:
        return f"{'at or above' if slo.is_minimum else 'at or under'} {threshold}"
    share = violation_ratio(value, slo)
    text = f"{share:.1%} {'under' if slo.is_minimum else 'over'} {threshold}"
    if verdict is Verdict.HARD_FAIL:
        text += f" and past the hard limit of {slo.fail_ratio:.0%}"
    return text


def _evidence(sli: Sli, estimate: Estimate, slo: Slo) -> str:
    """What was counted: where the value lies, and how many requests were over a limit."""
    parts, unit = [], sli.signal.unit
    if estimate.lower < estimate.upper:
        opening = "(" if estimate.lower_open else "["
        parts.append(f"it lies in {_interval(opening, estimate.lower, estimate.upper, unit)}")
    total = estimate.requests
    if total is not None and sli.statistic == SHARE:
        parts.append(f"{estimate.value * total:.0f} of {total:.0f} requests {_common(sli)}")
    elif total is not None and not slo.is_minimum:
        over = estimate.count_over(slo.threshold)
        limit = slo.threshold
        if over is None and estimate.lower < estimate.upper:
            limit = estimate.lower
            over = estimate.count_over(limit)
        verb = "waited" if sli.signal is Signal.QUEUE else "took"
        if over is not None:
            parts.append(
                f"{over:.0f} of {total:.0f} requests {verb} longer than {_limit(limit, unit)}"
            )
        elif parts:
            parts.append(f"{total:.0f} requests")
    return ", ".join(parts)


def _common(sli: Sli) -> str:
    """What the requests have in common that a share is of."""
    if not sli.within:
        return "failed"
    limits = (f"{signal.words} {_limit(limit, signal.unit)}" for signal, limit in sli.within)
    return f"were surely within {' and '.join(limits)}"


def _limits_inside(estimate: Estimate, slo: Slo, unit: str) -> str:
    limits = [("threshold", slo.threshold)]
    if slo.hard_fail:
        limits.append(("hard limit", hard_limit(slo)))
    inside = [
        f"the {name} of {_limit(limit, unit)}"
        for name, limit in limits
        if estimate.lower < limit < estimate.upper
    ]
    which = " and ".join(inside) or "a limit"
    return f"{which} {'lie' if len(inside) > 1 else 'lies'} inside that interval"


def _by_chance(estimate: Estimate, unit: str) -> str:
    low, high = estimate.sampled or (estimate.lower, estimate.upper)
    opening = "(" if low > 0 else "["
    where = _interval(opening, low, high, unit)
    return (
        f"{estimate.requests or 0:.0f} requests tell only that the deployment's own lies in "
        f"{where} ({estimate.confidence or 0:.4g} confidence)"
    )


def _interval(opening: str, low: float, high: float, unit: str) -> str:
    closing = "inf)" if math.isinf(high) else f"{figure(high, unit)}]"
    return f"{opening}{figure(low, unit)}, {closing}{mark(unit)}"


def _limit(value: float, unit: str) -> str:
    """An amount in as many digits as people write a limit."""
    return amount(value, unit, 6)
