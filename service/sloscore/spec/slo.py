"""The ``slo`` section of a task: limits on what can be measured, and how they are judged."""

import functools
from collections.abc import Iterator, Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.functional_validators import model_validator

from sloscore.core.confidence import DEFAULT_CONFIDENCE
from sloscore.core.curve import DEFAULT_STEEPNESS, Curve, PenaltyFunction
from sloscore.core.objective import Signal
from sloscore.core.penalty import Slo
from sloscore.core.sli import Sli, parse_percentile
from sloscore.core.verdict import HardFailOn
from sloscore.settings_base import Duration
from sloscore.spec.penalty import Penalty, curve_of
from sloscore.spec.phases import PhasesSpec
from sloscore.spec.stop import EarlyStopSpec
from sloscore.spec.target import (
    DEFAULT_STATISTIC,
    SIGNAL_OF_KIND,
    ErrorRateTarget,
    FlatSlo,
    GoodputTarget,
    PercentileSlos,
    Positive,
    SignalSlo,
    SloTarget,
    ThroughputSlo,
)

_SECTIONS = ("latency", "ttft", "tpot", "queue", "throughput", "error_rate", "goodput")


class ViolationBudgetSpec(BaseModel):
    """How many of a task's experiments may violate a hard SLO: a ``share`` of them, or a ``count``.

    The share is of the experiments that the optimization plans (``max_iterations``), or of those
    judged so far where these are more.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    share: float | None = Field(default=None, ge=0, le=1)
    count: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _has_one_measure(self) -> Self:
        if (self.share is None) == (self.count is None):
            raise ValueError(
                "give either share (of the experiments, such as 0.1) or count (how many)"
            )
        return self


class SloSpec(BaseModel):
    """All limits of a task; thresholds in seconds, but for throughput (minimums) and shares.

    ``throughput`` takes one of output tokens/s, or one of each kind. ``error_rate`` is the largest
    share of requests that may fail, ``goodput`` the least share (or rate) of those within limits.

    ``min_requests`` is how many requests a window needs before its SLIs are judged; without it
    each statistic's own minimum holds. ``warmup`` (seconds) is cut off from the window's start.
    ``confidence`` is that of the intervals that sampling leaves open; with ``hard_fail_on``
    "certain" a hard fail is told only where all of the interval fails. ``violation_budget`` says
    how many experiments of the task may end with one. ``penalty`` is the function of all limits
    that have none of their own; ``steepness`` scales the violation ratio in it. ``phases`` says
    which part of the load is scored, where parts of it are marked.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    latency: PercentileSlos = Field(default_factory=dict)
    ttft: SignalSlo | None = None
    tpot: SignalSlo | None = None
    queue: SignalSlo | None = None
    throughput: ThroughputSlo | None = None
    error_rate: ErrorRateTarget | None = None
    goodput: GoodputTarget | None = None
    penalty: Penalty = PenaltyFunction.EXPONENTIAL
    steepness: Positive = DEFAULT_STEEPNESS
    min_requests: int | None = Field(default=None, ge=1)
    warmup: Duration | None = None
    early_stop: EarlyStopSpec | None = None
    confidence: float = Field(default=DEFAULT_CONFIDENCE, ge=0.5, lt=1)
    hard_fail_on: HardFailOn = Field(default=HardFailOn.ESTIMATE, strict=False)
    violation_budget: ViolationBudgetSpec | None = None
    phases: PhasesSpec | None = None

    @model_validator(mode="after")
    def _holds_a_limit(self) -> Self:
        if not self.limits():
            raise ValueError(f"holds no SLO: give at least one of {', '.join(_SECTIONS)}")
        if self.violation_budget and not any(slo.hard_fail for _, slo in self.limits()):
            raise ValueError(
                "has a violation_budget that nothing can spend: set hard_fail on an SLO, or leave "
                "the budget out"
            )
        return self

    def limits(self) -> tuple[tuple[Sli, Slo], ...]:
        """Every SLI with its limit: latency by percentile, then the other sections."""
        return self._limits

    @functools.cached_property
    def _limits(self) -> tuple[tuple[Sli, Slo], ...]:
        return tuple(
            (sli, target.limit(self._curve(target), is_minimum=sli.signal.rises_to_better))
            for _, sli, target in self._targets()
        )

    def places(self) -> tuple[tuple[Sli, tuple[str, ...]], ...]:
        """Every SLI as in ``limits``, with the keys that lead to its limit in this section."""
        return tuple((sli, place) for place, sli, _ in self._targets())

    def _curve(self, target: SloTarget) -> Curve:
        return curve_of(target.penalty or self.penalty, self.steepness)

    def _targets(self) -> Iterator[tuple[tuple[str, ...], Sli, SloTarget]]:
        yield from _by_percentile(Signal.LATENCY, self.latency)
        for signal, section in (
            (Signal.TTFT, self.ttft),
            (Signal.TPOT, self.tpot),
            (Signal.QUEUE, self.queue),
        ):
            if isinstance(section, FlatSlo):
                statistic = section.statistic or DEFAULT_STATISTIC[signal]
                yield (signal.value,), Sli(signal.value, signal, statistic), section
            elif section is not None:
                yield from _by_percentile(signal, section)
        for kind, signal in SIGNAL_OF_KIND.items():
            if (found := self._throughput(kind)) is not None:
                place, target = found
                yield place, Sli.of_window(signal), target
        if self.error_rate is not None:
            yield ("error_rate",), Sli.of_window(Signal.ERROR_RATE), self.error_rate
        if self.goodput is not None:
            yield ("goodput",), self.goodput.sli(self.goodput.measure), self.goodput

    def _throughput(self, kind: str) -> tuple[tuple[str, ...], SloTarget] | None:
        if isinstance(self.throughput, SloTarget):
            return (("throughput",), self.throughput) if kind == "output" else None
        found: SloTarget | None = getattr(self.throughput, kind, None)
        return None if found is None else (("throughput", kind), found)


def _by_percentile(
    signal: Signal, targets: Mapping[str, SloTarget]
) -> Iterator[tuple[tuple[str, ...], Sli, SloTarget]]:
    for name in sorted(targets, key=parse_percentile):
        place = (signal.value, name)
        yield place, Sli(f"{signal.value}_{name}", signal, name), targets[name]
