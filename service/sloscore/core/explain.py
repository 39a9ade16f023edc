"""One sentence for each SLI: what was measured, how it stands, and how sure that is."""

import math

from sloscore.core.penalty import Slo, violation_ratio
from sloscore.core.sli import Estimate, Sli
from sloscore.core.verdict import Verdict


def explain(sli: Sli, slo: Slo, estimate: Estimate, verdict: Verdict, *, certain: bool) -> str:
    """The sentence for an SLI that has a value."""
    unit = sli.signal.unit
    standing = _standing(estimate.value, slo, verdict, unit)
    text = f"{sli.title} is {estimate.value:.4g} {unit}, {standing}"
    if estimate.lower < estimate.upper:
        text += f"; it lies in {_interval(estimate)} {unit}"
        if estimate.requests is not None:
            text += f" by the buckets of {estimate.requests:.0f} requests"
    if not certain:
        text += ", so the verdict is not certain"
    return text + "."


def _standing(value: float, slo: Slo, verdict: Verdict, unit: str) -> str:
    threshold = f"the {'minimum' if slo.is_minimum else 'threshold'} of {slo.threshold:g} {unit}"
    if verdict is Verdict.MET:
        return f"{'at or above' if slo.is_minimum else 'at or under'} {threshold}"
    share = violation_ratio(value, slo)
    text = f"{share:.1%} {'under' if slo.is_minimum else 'over'} {threshold}"
    if verdict is Verdict.HARD_FAIL:
        text += f" and past the hard limit of {slo.fail_ratio:.0%}"
    return text


def _interval(estimate: Estimate) -> str:
    opening = "(" if estimate.lower_open else "["
    closing = "inf)" if math.isinf(estimate.upper) else f"{estimate.upper:g}]"
    return f"{opening}{estimate.lower:g}, {closing}"
