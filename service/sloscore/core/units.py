"""Units of SLIs, and amounts as sentences give them."""

from typing import Final

SECONDS: Final = "s"
TOKENS_PER_SECOND: Final = "tokens/s"
TOKENS_PER_SECOND_PER_GPU: Final = "tokens/s/GPU"
REQUESTS_PER_SECOND: Final = "requests/s"
RATIO: Final = "ratio"
"""Of shares, from 0 to 1; sentences give them in per cent."""


def amount(value: float, unit: str, digits: int = 4) -> str:
    """A value with its unit, in so many significant digits."""
    return f"{figure(value, unit, digits)}{mark(unit)}"


def figure(value: float, unit: str, digits: int = 4) -> str:
    """A value without its unit, of which a share is in per cent."""
    return f"{100 * value if unit == RATIO else value:.{digits}g}"


def capital(text: str) -> str:
    """A text as the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def mark(unit: str) -> str:
    """What stands behind a figure."""
    return "%" if unit == RATIO else f" {unit}"
