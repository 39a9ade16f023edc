"""Penalty functions: what a violation costs at weight 1, and how fast that grows.

``ratio`` is the violation ratio: above 0 is past the threshold. All functions are 0 at and under the
threshold, never fall, and are infinite where they leave the range of a float. ``log_value`` is the
natural logarithm of the value, which does not leave it. ``slope`` is the derivative by the ratio; at
a corner it is the one towards larger violations.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import ClassVar, NamedTuple

DEFAULT_STEEPNESS = 0.1
DEFAULT_DEGREE = 2.0


class PenaltyFunction(StrEnum):
    """How a penalty grows with the violation ratio."""

    EXPONENTIAL = "exponential"
    CONTINUOUS_EXPONENTIAL = "continuous_exponential"
    LINEAR = "linear"
    POLYNOMIAL = "polynomial"
    PIECEWISE = "piecewise"


@dataclass(frozen=True, slots=True)
class Exponential:
    """``exp(ratio / steepness)``: the contract's, which begins with a jump to 1."""

    steepness: float = DEFAULT_STEEPNESS
    function: ClassVar = PenaltyFunction.EXPONENTIAL

    def value(self, ratio: float) -> float:
        """The penalty at weight 1."""
        return _saturated(math.exp, ratio / self.steepness) if ratio > 0 else 0.0

    def log_value(self, ratio: float) -> float:
        """The logarithm of the penalty of a violation."""
        return ratio / self.steepness

    def slope(self, ratio: float) -> float:
        """Growth of the penalty by the ratio."""
        return self.value(ratio) / self.steepness


@dataclass(frozen=True, slots=True)
class ContinuousExponential:
    """``exp(ratio / steepness) - 1``: as steep as the exponential, without its jump."""

    steepness: float = DEFAULT_STEEPNESS
    function: ClassVar = PenaltyFunction.CONTINUOUS_EXPONENTIAL

    def value(self, ratio: float) -> float:
        """The penalty at weight 1."""
        return _saturated(math.expm1, ratio / self.steepness) if ratio > 0 else 0.0

    def log_value(self, ratio: float) -> float:
        """The logarithm of the penalty of a violation."""
        scaled = ratio / self.steepness
        return scaled + _log(-math.expm1(-scaled))

    def slope(self, ratio: float) -> float:
        """Growth of the penalty by the ratio."""
        return Exponential(self.steepness).slope(ratio)


@dataclass(frozen=True, slots=True)
class Linear:
    """``ratio / steepness``."""

    steepness: float = DEFAULT_STEEPNESS
    function: ClassVar = PenaltyFunction.LINEAR

    def value(self, ratio: float) -> float:
        """The penalty at weight 1."""
        return ratio / self.steepness if ratio > 0 else 0.0

    def log_value(self, ratio: float) -> float:
        """The logarithm of the penalty of a violation."""
        return _log(ratio / self.steepness)

    def slope(self, ratio: float) -> float:
        """Growth of the penalty by the ratio."""
        return 1 / self.steepness if ratio > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Polynomial:
    """``(ratio / steepness) ** degree``, with a degree of 1 or more."""

    steepness: float = DEFAULT_STEEPNESS
    degree: float = DEFAULT_DEGREE
    function: ClassVar = PenaltyFunction.POLYNOMIAL

    def value(self, ratio: float) -> float:
        """The penalty at weight 1."""
        return _saturated(math.pow, ratio / self.steepness, self.degree) if ratio > 0 else 0.0

    def log_value(self, ratio: float) -> float:
        """The logarithm of the penalty of a violation."""
        return self.degree * _log(ratio / self.steepness)

    def slope(self, ratio: float) -> float:
        """Growth of the penalty by the ratio."""
        if not ratio > 0:
            return 0.0
        inner = _saturated(math.pow, ratio / self.steepness, self.degree - 1)
        return self.degree * inner / self.steepness


class Piece(NamedTuple):
    """A straight part between two violation ratios, the second of which can be infinite."""

    start: float
    end: float
    slope: float


@dataclass(frozen=True, slots=True)
class Piecewise:
    """Straight lines between points of violation ratio and penalty; the last one's slope goes on.

    They begin at (0, 0), unless the first point has the ratio 0: its penalty is then that of any
    violation, however small. Raises ValueError for points that are no such function.
    """

    points: tuple[tuple[float, float], ...]
    pieces: tuple[Piece, ...] = field(init=False, compare=False, repr=False)
    """The straight parts from the threshold on."""
    function: ClassVar = PenaltyFunction.PIECEWISE

    def __post_init__(self) -> None:
        for (low, cheap), (high, dear) in pairwise(self._corners):
            if not low < high:
                raise ValueError(f"violation ratios must ascend, got {high:g} after {low:g}")
            if not cheap <= dear:
                raise ValueError(f"penalties must not fall, got {dear:g} after {cheap:g}")
        if not self.jump >= 0:
            raise ValueError(f"penalties must not be below 0, got {self.jump:g}")
        if len(self._corners) < 2:
            raise ValueError("must hold a point with a violation ratio above 0")
        # Once for all values: a frozen object takes it in no other way.
        object.__setattr__(self, "pieces", self._between_corners())
        if not self.pieces[-1].slope > 0:
            raise ValueError("the last penalty must be above the one before it: its slope goes on")

    @property
    def jump(self) -> float:
        """What the smallest violation costs."""
        return self._corners[0][1]

    def _between_corners(self) -> tuple[Piece, ...]:
        corners = self._corners
        slopes = [(dear - cheap) / (high - low) for (low, cheap), (high, dear) in pairwise(corners)]
        starts = [ratio for ratio, _ in corners[:-1]]
        return tuple(map(Piece, starts, [*starts[1:], math.inf], slopes))

    @property
    def _corners(self) -> tuple[tuple[float, float], ...]:
        begins = self.points and self.points[0][0] == 0
        return self.points if begins else ((0.0, 0.0), *self.points)

    def value(self, ratio: float) -> float:
        """The penalty at weight 1."""
        if not ratio > 0:
            return 0.0
        return self.jump + sum(
            piece.slope * (min(ratio, piece.end) - piece.start)
            for piece in self.pieces
            if ratio > piece.start
        )

    def log_value(self, ratio: float) -> float:
        """The logarithm of the penalty of a violation."""
        return _log(self.value(ratio))

    def slope(self, ratio: float) -> float:
        """Growth of the penalty by the ratio."""
        if not ratio > 0:
            return 0.0
        return next(piece.slope for piece in reversed(self.pieces) if ratio >= piece.start)


Curve = Exponential | ContinuousExponential | Linear | Polynomial | Piecewise
DEFAULT_CURVE: Curve = Exponential()


def _log(number: float) -> float:
    return math.log(number) if number > 0 else -math.inf


def _saturated(function: Callable[..., float], *arguments: float) -> float:
    try:
        return function(*arguments)
    except OverflowError:
        return math.inf
