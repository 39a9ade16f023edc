"""The limit of one SLO: what is past it, by how much, and what that costs."""

import math
import sys
from dataclasses import dataclass

from sloscore.core.curve import DEFAULT_CURVE, Curve

DEFAULT_FAIL_RATIO = 0.5
SEVERE_RATIO = 0.2
# fail_ratio is inclusive; (1.2 - 1.0) / 1.0 is one rounding step below 0.2.
RELATIVE_TOLERANCE = 1e-9
ABSOLUTE_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True)
class Slo:
    """A limit on one SLI: ``threshold`` in its unit (seconds, or tokens/s for a minimum).

    ``curve`` is the penalty at weight 1.
    """

    threshold: float
    weight: float = 1.0
    hard_fail: bool = False
    fail_ratio: float = DEFAULT_FAIL_RATIO
    is_minimum: bool = False
    curve: Curve = DEFAULT_CURVE


def violation_ratio(value: float, slo: Slo) -> float:
    """Distance past the threshold as a share of it: above 0 is violated, 0 or below is met."""
    if slo.is_minimum:
        return (slo.threshold - value) / slo.threshold
    return (value - slo.threshold) / slo.threshold


def is_violated(value: float, slo: Slo) -> bool:
    """Whether the value is past the threshold; exactly at it the SLO is met."""
    return value < slo.threshold if slo.is_minimum else value > slo.threshold


def hard_limit(slo: Slo) -> float:
    """The value from which on a violation reaches ``fail_ratio``."""
    over = -slo.fail_ratio if slo.is_minimum else slo.fail_ratio
    return slo.threshold * (1 + over)


def penalty(value: float, slo: Slo) -> float:
    """The weighted penalty past the threshold, 0 at or within it; infinite past a float's range."""
    return _weighted(slo.curve.value(violation_ratio(value, slo)), slo)


def penalty_slope(ratio: float, slo: Slo) -> float:
    """How much the penalty grows with the SLI's value, per unit, at this violation ratio."""
    return _weighted(slo.curve.slope(ratio), slo) / slo.threshold


def log_penalty(value: float, slo: Slo) -> float:
    """The natural logarithm of the penalty, which no violation takes out of the range of a float.

    -inf where the penalty is 0. Finite for every other value that is finite itself.
    """
    ratio = violation_ratio(value, slo)
    if slo.weight == 0 or not ratio > 0:
        return -math.inf
    return min(math.log(slo.weight) + slo.curve.log_value(ratio), sys.float_info.max)


def is_hard_fail(value: float, slo: Slo) -> bool:
    """Whether a violation reaches ``fail_ratio`` (inclusive, tolerant of float rounding)."""
    if not slo.hard_fail or not is_violated(value, slo):
        return False
    return reaches(violation_ratio(value, slo), slo.fail_ratio)


def reaches(ratio: float, fail_ratio: float) -> bool:
    """Whether a violation ratio is at or past a fail ratio, but for the rounding of floats."""
    return ratio >= fail_ratio or _is_close(ratio, fail_ratio)


def is_at_hard_limit(value: float, slo: Slo) -> bool:
    """Whether the violation is ``fail_ratio`` itself, but for the rounding of floats."""
    return _is_close(violation_ratio(value, slo), slo.fail_ratio)


def _weighted(cost: float, slo: Slo) -> float:
    # What weighs nothing costs nothing, even where it is infinite.
    return 0.0 if slo.weight == 0 else slo.weight * cost


def _is_close(ratio: float, fail_ratio: float) -> bool:
    return math.isclose(ratio, fail_ratio, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE)
