"""The ``slo`` section of a task: limits on latency, TTFT, TPOT and throughput."""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag
from pydantic.functional_validators import model_validator

from sloscore.core.confidence import DEFAULT_CONFIDENCE
from sloscore.core.curve import DEFAULT_STEEPNESS, Curve, PenaltyFunction
from sloscore.core.objective import Signal
from sloscore.core.penalty import DEFAULT_FAIL_RATIO, Slo
from sloscore.core.sli import MEAN, Sli, parse_percentile
from sloscore.core.verdict import HardFailOn
from sloscore.settings import Duration
from sloscore.spec.penalty import Penalty, curve_of
from sloscore.spec.phases import PhasesSpec
from sloscore.spec.stop import EarlyStopSpec

_PERCENTILE_LIKE = re.compile(r"p\d.*", re.DOTALL)
# Angle brackets set a form's tag apart from keys: it is no part of a mistake's dotted path.
_FLAT, _PERCENTILES, _KINDS = "<flat>", "<percentiles>", "<kinds>"
# Far past any use; within them no figure that is made of these leaves the range of a float.
_LEAST, _MOST = 1e-9, 1e9
_SECTIONS = ("latency", "ttft", "tpot", "queue", "throughput", "error_rate", "goodput")
_DEFAULT_STATISTIC = {Signal.TTFT: "p90", Signal.TPOT: MEAN, Signal.QUEUE: "p90"}


def _percentile(name: str) -> str:
    quantile = parse_percentile(name)
    if name.endswith(".0"):
        raise ValueError(f"{name!r} must be written without its decimal: p{quantile * 100:.0f}")
    return name


def _statistic(name: str) -> str:
    if name == MEAN:
        return name
    try:
        return _percentile(name)
    except ValueError as error:
        raise ValueError(f"{error}, or {MEAN}") from None


def _form(section: object) -> str:
    """The form of a ttft or tpot section: percentiles where every key looks like one."""
    if isinstance(section, Mapping) and section:
        keys = (isinstance(key, str) and _PERCENTILE_LIKE.fullmatch(key) for key in section)
        return _PERCENTILES if all(keys) else _FLAT
    return _FLAT


def _usable(number: float) -> float:
    if not _LEAST <= number <= _MOST:
        raise ValueError(f"must be between {_LEAST:g} and {_MOST:g}, got {number:g}")
    return number


Positive = Annotated[float, Field(gt=0), AfterValidator(_usable)]
Share = Annotated[float, Field(gt=0, lt=1), AfterValidator(_usable)]
Percentile = Annotated[str, AfterValidator(_percentile)]
Statistic = Annotated[str, AfterValidator(_statistic)]


class SloTarget(BaseModel):
    """One limit, in the unit of its SLI: seconds, tokens/s, a share.

    ``hard_fail`` fails the experiment where the violation reaches ``fail_ratio`` of the threshold.
    ``penalty`` is this limit's own function, in place of the section's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    threshold: Positive
    weight: float = Field(default=1.0, ge=0)
    hard_fail: bool = False
    fail_ratio: float = Field(default=DEFAULT_FAIL_RATIO, ge=0)
    penalty: Penalty | None = None

    def limit(self, curve: Curve, *, is_minimum: bool = False) -> Slo:
        """The target as the core scores it, by this penalty curve."""
        return Slo(self.threshold, self.weight, self.hard_fail, self.fail_ratio, is_minimum, curve)


class FlatSlo(SloTarget):
    """A limit on one statistic of a signal: a percentile or ``mean``.

    Without ``statistic`` it is p90 of ttft and queue, and the mean of tpot.
    """

    statistic: Statistic | None = None


PercentileSlos = dict[Percentile, SloTarget]
SignalSlo = Annotated[
    Annotated[FlatSlo, Tag(_FLAT)] | Annotated[PercentileSlos, Tag(_PERCENTILES)],
    Discriminator(_form),
]


class ThroughputSlos(BaseModel):
    """Minimums of throughput by what is counted in a second.

    ``output`` tokens, ``total`` tokens (prompt and output), either per GPU as well (of which there
    are ``gpus``), and finished ``requests``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    output: SloTarget | None = None
    output_per_gpu: SloTarget | None = None
    total: SloTarget | None = None
    total_per_gpu: SloTarget | None = None
    requests: SloTarget | None = None


_SIGNAL_OF_KIND = {
    "output": Signal.THROUGHPUT,
    "output_per_gpu": Signal.THROUGHPUT_PER_GPU,
    "total": Signal.TOTAL_THROUGHPUT,
    "total_per_gpu": Signal.TOTAL_THROUGHPUT_PER_GPU,
    "requests": Signal.REQUEST_THROUGHPUT,
}


def _throughput_form(section: object) -> str:
    """The form of a throughput section: kinds where any key is one."""
    if isinstance(section, ThroughputSlos):
        return _KINDS
    is_kinds = isinstance(section, Mapping) and not _SIGNAL_OF_KIND.keys().isdisjoint(section)
    return _KINDS if is_kinds else _FLAT


ThroughputSlo = Annotated[
    Annotated[SloTarget, Tag(_FLAT)] | Annotated[ThroughputSlos, Tag(_KINDS)],
    Discriminator(_throughput_form),
]


class ErrorRateTarget(SloTarget):
    """The largest share of requests that may fail, between 0 and 1."""

    threshold: Share

    @model_validator(mode="after")
    def _can_fail_hard(self) -> Self:
        if self.hard_fail and self.threshold * (1 + self.fail_ratio) > 1:
            raise ValueError(
                f"can never fail hard: {self.fail_ratio:g} over {self.threshold:g} is a share above 1; "
                "lower fail_ratio"
            )
        return self


class Measure(StrEnum):
    """What goodput is: the share of the requests that are good, or how many are in a second."""

    SHARE = "share"
    RATE = "rate"


class GoodputTarget(SloTarget):
    """The least goodput: of requests that are ``within`` all of these limits, in seconds.

    ``measure`` is their share of all requests, or their rate in requests/s.
    """

    within: dict[Literal["latency", "ttft", "tpot"], Positive] = Field(min_length=1)
    measure: Measure = Field(default=Measure.SHARE, strict=False)

    @model_validator(mode="after")
    def _is_a_share(self) -> Self:
        if self.measure is Measure.SHARE and self.threshold > 1:
            raise ValueError(
                f"is a share, so threshold must be 1 at most, got {self.threshold:g}; or set "
                "measure: rate"
            )
        return self

    def sli(self, measure: Measure) -> Sli:
        """The SLI that it is a limit on, in this measure."""
        signal = Signal.GOODPUT if measure is Measure.RATE else Signal.GOODPUT_SHARE
        order = ("latency", "ttft", "tpot")
        limits = ((Signal(name), self.within[name]) for name in order if name in self.within)
        return Sli.of_window(signal, tuple(limits))


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
                statistic = section.statistic or _DEFAULT_STATISTIC[signal]
                yield (signal.value,), Sli(signal.value, signal, statistic), section
            elif section is not None:
                yield from _by_percentile(signal, section)
        for kind, signal in _SIGNAL_OF_KIND.items():
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
