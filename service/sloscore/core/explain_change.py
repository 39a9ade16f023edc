"""One sentence for a value next to that of a baseline."""

import math

from sloscore.core.compare import Difference, Outcome


def explain_change(  # noqa: PLR0913, PLR0917  a sentence is made of these
    title: str, value: str, baseline: str, found: Difference, outcome: Outcome, confidence: float
) -> str:
    """How a value stands next to the baseline's; both are given as they are to be read."""
    text = f"{title} is {value}, {baseline} in the baseline"
    if found.ratio is not None:
        text += f": {_change(found.ratio)}"
    limits = f"{_limits(found.ratio_low, found.ratio_high)} at {confidence:.4g} confidence"
    told = "neither better nor worse for certain"
    if outcome is not Outcome.CANNOT_TELL:
        told = f"which is {outcome}"
    return f"{text} ({limits}), {told}."


def _change(ratio: float) -> str:
    if ratio == 0:
        return "the same"
    return f"{abs(ratio):.1%} {'higher' if ratio > 0 else 'lower'}"


def _limits(low: float, high: float) -> str:
    """Both ends in words; a ratio of -1 is no lower end, as nothing is below 0."""
    if low <= -1 and math.isinf(high):
        return "anything is possible"
    if math.isinf(high):
        return f"at least {low:.1%} higher" if low >= 0 else f"at most {-low:.1%} lower"
    if low <= -1:
        return f"at least {abs(high):.1%} lower" if high <= 0 else f"at most {high:.1%} higher"
    if low < 0 < high:
        return f"from {-low:.1%} lower to {high:.1%} higher"
    if low >= 0:
        return f"from {low:.1%} to {high:.1%} higher"
    return f"from {abs(high):.1%} to {-low:.1%} lower"
