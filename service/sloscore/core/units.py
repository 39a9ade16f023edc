"""Units of SLIs, and amounts as sentences give them."""

from typing import Final

SECONDS: Final = "s"
TOKENS_PER_SECOND: Final = "tokens/s"
TOKENS_PER_SECOND_PER_GPU: Final = "tokens/s/GPU"
REQUESTS_PER_SECOND: Final = "requests/s"


def amount(value: float, unit: str, digits: int = 4) -> str:
    """A value with its unit, in so many significant digits."""
    return f"{value:.{digits}g} {unit}"
