"""Student's t distribution, for standard errors that come from few requests."""

import math
from functools import lru_cache
from statistics import NormalDist
from typing import Final

# From here on the expansion is right to nine digits at any confidence in use.
_MANY: Final = 200
_TOLERANCE: Final = 1e-12


@lru_cache(maxsize=4096)
def student_t(confidence: float, degrees: int) -> float:
    """How many standard errors lie on each side of the middle at this confidence.

    ``degrees`` of freedom are whole ones from 1 on (Abramowitz and Stegun, Handbook of Mathematical
    Functions, 26.7.3 and 26.7.4; 26.7.5 where there are many).
    """
    if degrees < 1:
        raise ValueError(f"a t distribution has at least 1 degree of freedom, not {degrees}")
    if degrees > _MANY:
        return _expanded(confidence, degrees)
    low, high = 0.0, 1.0
    while _within(high, degrees) < confidence:
        low, high = high, 2 * high
    while high - low > _TOLERANCE * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, degrees) < confidence else (low, middle)
    return high


def _within(t: float, degrees: int) -> float:
    """The probability of a value between ``-t`` and ``t``."""
    angle = math.atan(t / math.sqrt(degrees))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = degrees % 2
    term = cosine if odd else 1.0
    total = 0.0
    for n in range(2 + odd, degrees + 1, 2):
        total += term
        term *= cosine**2 * (n - 1) / n
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


def _expanded(confidence: float, degrees: int) -> float:
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / degrees + second / degrees**2 + third / degrees**3
