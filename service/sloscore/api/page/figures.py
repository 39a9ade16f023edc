"""Numbers, units and times as pages show them."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sloscore.core.objective import Signal


def figure(value: float | str | None) -> str:
    """A number with four digits, "no data" for none; reports name their infinities."""
    if value is None:
        return "no data"
    number = float(value)
    if math.isinf(number):
        return "∞" if number > 0 else "-∞"
    return f"{number:.4g}"


def unit_of(sli: Mapping[str, Any]) -> str:
    """The unit of an SLI of a report, by what the report says or else by its signal."""
    said = sli.get("unit")
    if isinstance(said, str):
        return said
    signal = str(sli.get("sli", "")).partition("_")[0]
    return Signal(signal).unit if signal in list(Signal) else ""


def quantity(value: float | str | None, unit: str) -> str:
    """A number with its unit."""
    return f"{figure(value)} {unit}".rstrip() if value is not None else figure(value)


def moment(seconds: float) -> str:
    """A time (Unix seconds) in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
