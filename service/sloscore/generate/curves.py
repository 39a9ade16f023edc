"""Penalty functions in PromQL."""

import math
from collections.abc import Iterator, Mapping
from typing import Final

from sloscore.core.curve import (
    ContinuousExponential,
    Curve,
    Exponential,
    Linear,
    PenaltyFunction,
    Piecewise,
    Polynomial,
)
from sloscore.generate.text import plain

FORMULAS: Final[Mapping[PenaltyFunction, str]] = {
    PenaltyFunction.EXPONENTIAL: (
        "weight * exp(violation ratio / steepness) past the threshold, else 0."
    ),
    PenaltyFunction.CONTINUOUS_EXPONENTIAL: (
        "weight * (exp(violation ratio / steepness) - 1) past the threshold, else 0."
    ),
    PenaltyFunction.LINEAR: "weight * violation ratio / steepness past the threshold, else 0.",
    PenaltyFunction.POLYNOMIAL: (
        "weight * (violation ratio / steepness) ^ degree past the threshold, else 0."
    ),
    PenaltyFunction.PIECEWISE: (
        "weight * straight lines over the violation ratio past the threshold, else 0."
    ),
}


def value_of(curve: Curve, ratio: str, is_violated: str) -> str:
    """The penalty at weight 1, as a factor, by a ratio and what is 1 where it is above 0, else 0."""
    match curve:
        case Exponential(steepness):
            return f"exp({ratio} / {plain(steepness)}) * {is_violated}"
        case ContinuousExponential(steepness):
            return f"(exp({_past(ratio, steepness)}) - 1)"
        case Linear(steepness):
            return _past(ratio, steepness)
        case Polynomial(steepness, degree):
            return f"{_past(ratio, steepness)} ^ {plain(degree)}"
        case Piecewise():
            return f"({' + '.join(_terms(curve, ratio, is_violated))})"


def _past(ratio: str, steepness: float) -> str:
    """The scaled ratio past the threshold: a power of what is below 0 is no number."""
    return f"clamp_min({ratio} / {plain(steepness)}, 0)"


def _terms(curve: Piecewise, ratio: str, is_violated: str) -> Iterator[str]:
    if curve.jump:
        yield f"{plain(curve.jump)} * {is_violated}"
    for start, end, slope in curve.pieces:
        if not slope:
            continue
        low, high = plain(start), plain(end)
        part = f"clamp_min({ratio}, {low})" if math.isinf(end) else f"clamp({ratio}, {low}, {high})"
        yield f"{plain(slope)} * {f'({part} - {low})' if start else part}"
