"""Numbers as pages show them."""

import math


def figure(value: float | str | None) -> str:
    """A number with four digits, "no data" for none; reports name their infinities."""
    if value is None:
        return "no data"
    number = float(value)
    if math.isinf(number):
        return "∞" if number > 0 else "-∞"
    return f"{number:.4g}"
