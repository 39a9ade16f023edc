"""What a metric of an inference server is called, and how it is read for its role in scoring."""

import itertools
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)
from pydantic.functional_validators import model_validator

from sloscore.core.samples import Family, FamilyKind, LabelValues
from sloscore.core.shares import Held

Role = Literal[
    "latency", "ttft", "tpot", "itl", "queue", "requests", "errors", "tokens_out", "tokens_in"
]
Unit = Literal["s", "ms", "us", "requests", "tokens"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

MetricName = Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", max_length=256)]

_SCALE: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "requests": 1.0, "tokens": 1.0}
_TIMES: Final = ("s", "ms", "us")
_UNITS: Final = {FamilyKind.HISTOGRAM: _TIMES, FamilyKind.COUNTER: ("requests", "tokens")}
_UNITS_OF_ROLE: Final[Mapping[str, tuple[str, ...]]] = {
    "requests": ("requests",),
    "errors": ("requests",),
    "tokens_out": ("tokens",),
    "tokens_in": ("tokens",),
}
# A scrape's own labels and those of a histogram's parts are no part of a child.
_NOT_OF_CHILD: Final = frozenset({"__name__", "le", "job", "instance"})


def _one_or_several(values: object) -> object:
    return [values] if isinstance(values, str) else values


def _is_of_child(label: str) -> str:
    if label in _NOT_OF_CHILD:
        raise ValueError(f"{label} does not tell the parts of a metric from each other")
    return label


LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$"), AfterValidator(_is_of_child)]
_VALUE: Final = {"type": "string", "maxLength": 256}
_VALUES: Final = {"type": "array", "minItems": 1, "maxItems": 64}
Values = Annotated[
    tuple[Annotated[str, Field(max_length=256)], ...],
    BeforeValidator(_one_or_several),
    Field(min_length=1, max_length=64, strict=False),
    WithJsonSchema({"anyOf": [_VALUE, {**_VALUES, "items": _VALUE}]}),
]
LabelMatch = Annotated[
    dict[LabelName, Values], Field(json_schema_extra={"additionalProperties": False})
]


def _ascend(bounds: tuple[float, ...]) -> tuple[float, ...]:
    if any(low >= high for low, high in itertools.pairwise(bounds)):
        raise ValueError("bounds must ascend, each above the one before it")
    return bounds


Bounds = Annotated[
    tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...],
    Field(max_length=512, strict=False),
    AfterValidator(_ascend),
]


class Metric(BaseModel):
    """One metric with every spelling of its name, counters with their ``_total``.

    Of several spellings the first that an instance shows counts. A histogram's own ``..._sum`` or
    ``..._count`` may be named as a counter. ``match`` and ``unless`` narrow the metric to the part
    whose labels have, or do not have, one of these values; a label that is not there is empty.
    ``buckets`` are a histogram's bounds as the server comes with them, in its unit, without +Inf.
    ``version`` and ``source`` say where the name is from if not from where its preset is.

    Of ``requests``, ``holds_failed`` says which of the failed ones are in it, too: all, none or
    some. Unless it is said, that is all where ``errors`` are a part of the same metric, else some.
    Of ``errors`` that are not exposed before the first, ``zero_with`` is the role whose counter
    shows that there were none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    names: tuple[MetricName, ...] = Field(min_length=1, max_length=16, strict=False)
    unit: Unit
    type: FamilyKind | None = Field(default=None, strict=False)
    match: LabelMatch = Field(default_factory=dict)
    unless: LabelMatch = Field(default_factory=dict)
    buckets: Bounds = ()
    holds_failed: Held | None = Field(default=None, strict=False)
    zero_with: Role | None = None
    version: str | None = None
    source: str | None = None
    note: str | None = None

    @property
    def kind(self) -> FamilyKind:
        """How the metric is exposed: times in histograms, requests and tokens in counters."""
        return FamilyKind.HISTOGRAM if self.unit in _TIMES else FamilyKind.COUNTER

    @model_validator(mode="after")
    def _unit_fits_type(self) -> Self:
        if self.type is not None and self.unit not in _UNITS[self.type]:
            units = " or ".join(_UNITS[self.type])
            raise ValueError(f"a {self.type} is measured in {units}, not in {self.unit}")
        if self.buckets and self.kind is not FamilyKind.HISTOGRAM:
            raise ValueError(f"buckets belong to a histogram, not to a {self.kind}")
        return self

    @property
    def scale(self) -> float:
        """What takes the metric's unit to seconds, requests or tokens."""
        return _SCALE[self.unit]

    def family(self, role: str) -> Family:
        """The metric as it is read from a source, scaled to seconds, requests or tokens."""
        match, unless = _pairs(self.match), _pairs(self.unless)
        return Family(role, self.kind, self.names, self.scale, match, unless)


def _pairs(labels: Mapping[str, tuple[str, ...]]) -> LabelValues:
    return tuple(sorted(labels.items()))


def _roles_fit(metrics: dict[Role, Metric]) -> dict[Role, Metric]:
    for role, metric in metrics.items():
        units = _UNITS_OF_ROLE.get(role, _TIMES)
        if metric.unit not in units:
            kind = FamilyKind.COUNTER if role in _UNITS_OF_ROLE else FamilyKind.HISTOGRAM
            right, wrong = " or ".join(units), f"{metric.kind} in {metric.unit}"
            raise ValueError(f"{role} must be a {kind} in {right}, not a {wrong}")
        if metric.holds_failed is not None and role != "requests":
            raise ValueError(f"holds_failed belongs to requests, not to {role}")
        if metric.zero_with is not None and role != "errors":
            raise ValueError(f"zero_with belongs to errors, not to {role}")
    return metrics


Metrics = Annotated[dict[Role, Metric], AfterValidator(_roles_fit)]
CustomMetrics = Annotated[dict[Role, Metric], Field(min_length=1), AfterValidator(_roles_fit)]
"""Metrics that a task names itself, by role: of a server without a preset, or renamed ones."""
