"""Numbers, units and times as pages show them."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sloscore.core.sli import signal_of
from sloscore.core.units import RATIO


def figure(value: float | str | None) -> str:
    """A number with four digits, "no data" for none; reports name their infinities."""
    if value is None:
        return "no data"
    number = float(value)
    if math.isinf(number):
        return "∞" if number > 0 else "-∞"
    return f"{number:.4g}"


def unit_of(sli: Mapping[str, Any]) -> str:
    """The unit of an SLI of a report; none where another release wrote of what this one does not know."""
    try:
        return signal_of(str(sli.get("sli", ""))).unit
    except ValueError:
        return ""


def quantity(value: float | str | None, unit: str) -> str:
    """A number with its unit; a share is in per cent."""
    if value is None:
        return figure(value)
    if unit == RATIO:
        return f"{figure(100 * float(value))}%"
    return f"{figure(value)} {unit}".rstrip()


def moment(seconds: float) -> str:
    """A time (Unix seconds) in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
