"""An experiment next to its baseline, as a tuner reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """One value next to the baseline's; ``verdict`` is "better", "worse" or "cannot_tell".

    ``change`` is the difference in the value's own unit, ``ratio`` its share of the baseline's value;
    the intervals hold those of the deployments. None is what is not known.
    """

    verdict: str
    value: float | None
    baseline: float | None
    change: float | None
    interval: tuple[float, float] | None
    ratio: float | None
    ratio_interval: tuple[float, float] | None
    explanation: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """An experiment next to its baseline; ``reason`` says why nothing is compared.

    ``slis`` holds the changes by SLI, ``over_threshold`` those of the shares of requests that took
    longer than the thresholds, where buckets tell.
    """

    baseline: str | None
    reason: str | None
    base_score: Change | None
    slis: Mapping[str, Change]
    over_threshold: Mapping[str, Change]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Comparison":
        """The comparison in a report of the service."""
        slis, base = document["slis"], document["base_score"]
        return cls(
            baseline=document["baseline"],
            reason=document["reason"],
            base_score=base and _change(base),
            slis={one["sli"]: _change(one) for one in slis},
            over_threshold={
                one["sli"]: _change(one["over_threshold"]) for one in slis if one["over_threshold"]
            },
        )


def _change(document: Mapping[str, Any]) -> Change:
    return Change(
        verdict=document["verdict"],
        value=_number(document["value"]),
        baseline=_number(document["baseline"]),
        change=_number(document["change"]),
        interval=_interval(document["change_interval"]),
        ratio=_number(document["change_ratio"]),
        ratio_interval=_interval(document["change_ratio_interval"]),
        explanation=document["explanation"],
    )


def _number(value: float | str | None) -> float | None:
    # Infinities come as text.
    return None if value is None else float(value)


def _interval(ends: tuple[float | str, float | str] | None) -> tuple[float, float] | None:
    return None if ends is None else (float(ends[0]), float(ends[1]))
