"""The exponential penalty of one SLO, as the scoring contract states it."""

import math
import sys
from dataclasses import dataclass

DEFAULT_STEEPNESS = 0.1
DEFAULT_FAIL_RATIO = 0.5
SEVERE_RATIO = 0.2
# fail_ratio is inclusive; (1.2 - 1.0) / 1.0 is one rounding step below 0.2.
RELATIVE_TOLERANCE = 1e-9
ABSOLUTE_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True)
class Slo:
    """A limit on one SLI: ``threshold`` in its unit (seconds, or tokens/s for a minimum)."""

    threshold: float
    weight: float = 1.0
    hard_fail: bool = False
    fail_ratio: float = DEFAULT_FAIL_RATIO
    is_minimum: bool = False


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


def penalty(value: float, slo: Slo, steepness: float = DEFAULT_STEEPNESS) -> float:
    """``weight * exp(violation_ratio / steepness)`` past the threshold, 0 at or within it.

    Saturates to infinity where the exponential leaves the range of a float.
    """
    if not is_violated(value, slo):
        return 0.0
    return penalty_of(violation_ratio(value, slo), slo.weight, steepness)


def penalty_of(ratio: float, weight: float, steepness: float) -> float:
    """The penalty of a violation by this ratio."""
    if weight == 0:
        return 0.0
    try:
        return weight * math.exp(ratio / steepness)
    except OverflowError:
        return math.inf


def log_penalty(value: float, slo: Slo, steepness: float = DEFAULT_STEEPNESS) -> float:
    """The natural logarithm of the penalty, which no violation takes out of the range of a float.

    -inf where the penalty is 0. Finite for every other value that is finite itself.
    """
    if slo.weight == 0 or not is_violated(value, slo):
        return -math.inf
    log = math.log(slo.weight) + violation_ratio(value, slo) / steepness
    return min(log, sys.float_info.max)


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


def _is_close(ratio: float, fail_ratio: float) -> bool:
    return math.isclose(ratio, fail_ratio, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE)
