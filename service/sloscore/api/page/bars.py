"""Where an SLI lies against its threshold, as a small bar."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

WIDTH: Final = 100.0
_THRESHOLD: Final = WIDTH / 2
_THINNEST: Final = 2.0


@dataclass(frozen=True, slots=True)
class Bar:
    """Places from 0 to ``WIDTH``; the threshold is in the middle, twice the threshold at the end.

    ``start`` and ``width`` are of the interval that the buckets leave open, ``likely`` the ends of
    the one for the deployment's own value. ``is_beyond`` says that some of it is past the end.
    """

    start: float
    width: float
    value: float
    likely: tuple[float, float] | None
    is_beyond: bool


def bar_of(sli: Mapping[str, Any]) -> Bar | None:
    """The bar of an SLI of a report; None where it has no value, or no threshold above 0."""
    value, threshold = _number(sli.get("value")), _number(sli.get("threshold"))
    if value is None or threshold is None or not 0 < threshold < math.inf:
        return None
    lower, upper = _number(sli.get("lower")), _number(sli.get("upper"))
    low, high = value if lower is None else lower, value if upper is None else upper
    start, end = _place(low, threshold), _place(high, threshold)
    width = max(end - start, _THINNEST)
    ends = (_number(sli.get("confidence_lower")), _number(sli.get("confidence_upper")))
    likely = None
    if ends[0] is not None and ends[1] is not None:
        likely = (_place(ends[0], threshold), _place(ends[1], threshold))
    return Bar(
        start=round(min(start, WIDTH - width), 1),
        width=round(width, 1),
        value=_place(value, threshold),
        likely=likely,
        is_beyond=high > 2 * threshold,
    )


def _place(value: float, threshold: float) -> float:
    return round(min(max(value / threshold * _THRESHOLD, 0.0), WIDTH), 1)


def _number(value: float | str | None) -> float | None:
    # Reports name their infinities.
    return None if value is None else float(value)
