"""The single limits of an ``slo`` section, and the forms that sections of them take."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag
from pydantic.functional_validators import model_validator

from sloscore.core.curve import Curve
from sloscore.core.objective import Signal
from sloscore.core.penalty import DEFAULT_FAIL_RATIO, Slo
from sloscore.core.sli import MEAN, Sli, parse_percentile
from sloscore.spec.penalty import Penalty

_PERCENTILE_LIKE = re.compile(r"p\d.*", re.DOTALL)
# Angle brackets set a form's tag apart from keys: it is no part of a mistake's dotted path.
_FLAT, _PERCENTILES, _KINDS = "<flat>", "<percentiles>", "<kinds>"
# Far past any use; within them no figure that is made of these leaves the range of a float.
_LEAST, _MOST = 1e-9, 1e9
DEFAULT_STATISTIC = {Signal.TTFT: "p90", Signal.TPOT: MEAN, Signal.QUEUE: "p90"}


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


SIGNAL_OF_KIND = {
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
    is_kinds = isinstance(section, Mapping) and not SIGNAL_OF_KIND.keys().isdisjoint(section)
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
