"""Which penalty function an ``slo`` section or one of its limits takes: a name, or a mapping."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from sloscore.core.curve import (
    DEFAULT_DEGREE,
    ContinuousExponential,
    Curve,
    Exponential,
    Linear,
    PenaltyFunction,
    Piecewise,
    Polynomial,
)

# Angle brackets set a form's tag apart from keys: it is no part of a mistake's dotted path.
_NAME, _MAPPING = "<name>", "<mapping>"
_OWNERS: Mapping[str | None, PenaltyFunction] = {
    "degree": PenaltyFunction.POLYNOMIAL,
    "points": PenaltyFunction.PIECEWISE,
}
_NEEDS_POINTS = (
    "piecewise needs points of violation ratio and penalty, such as "
    "{function: piecewise, points: [[0.1, 1], [0.5, 20]]}"
)


def _ratio(number: float) -> float:
    # Nearer to the threshold than any value is told, a slope would leave the range of a float.
    if 0 < number < 1e-9:
        raise ValueError(f"must be 0, or between 1e-09 and 1e+09, got {number:g}")
    return number


def _is_function(points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    Piecewise(points)
    return points


def _needs_no_points(function: PenaltyFunction) -> PenaltyFunction:
    if function is PenaltyFunction.PIECEWISE:
        raise ValueError(_NEEDS_POINTS)
    return function


Ratio = Annotated[float, Field(ge=0, le=1e9), AfterValidator(_ratio)]
Cost = Annotated[float, Field(ge=0, le=1e9)]
Point = Annotated[tuple[Ratio, Cost], Field(strict=False)]
Points = Annotated[
    tuple[Point, ...], Field(max_length=20, strict=False), AfterValidator(_is_function)
]


class PenaltySpec(BaseModel):
    """A penalty function with what it takes besides ``weight`` and ``steepness``.

    ``degree`` is the power of "polynomial", 2 where none is given. ``points`` of "piecewise" are
    pairs of violation ratio and penalty at weight 1, with straight lines between them from (0, 0),
    or from a first point at ratio 0; the slope of the last line goes on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    function: PenaltyFunction = Field(strict=False)
    degree: float | None = Field(default=None, ge=1, le=10)
    points: Points | None = None

    @field_validator("degree", "points", mode="after")
    @classmethod
    def _belongs_to_its_function(cls, value: object, info: ValidationInfo) -> object:
        function, owner = info.data.get("function"), _OWNERS[info.field_name]
        if value is not None and function not in {owner, None}:
            raise ValueError(f"belongs to {owner}, not to {function}")
        return value

    @model_validator(mode="after")
    def _has_its_points(self) -> Self:
        if self.function is PenaltyFunction.PIECEWISE and self.points is None:
            raise ValueError(_NEEDS_POINTS)
        return self


def _form(given: object) -> str:
    return _MAPPING if isinstance(given, Mapping | PenaltySpec) else _NAME


Penalty = Annotated[
    Annotated[PenaltyFunction, Field(strict=False), AfterValidator(_needs_no_points), Tag(_NAME)]
    | Annotated[PenaltySpec, Tag(_MAPPING)],
    Discriminator(_form),
]
"""A function's name, where its parameters are the defaults, or a mapping."""


def curve_of(penalty: PenaltyFunction | PenaltySpec, steepness: float) -> Curve:
    """The penalty at weight 1, as the core scores it."""
    spec = penalty if isinstance(penalty, PenaltySpec) else PenaltySpec(function=penalty)
    match spec.function:
        case PenaltyFunction.EXPONENTIAL:
            return Exponential(steepness)
        case PenaltyFunction.CONTINUOUS_EXPONENTIAL:
            return ContinuousExponential(steepness)
        case PenaltyFunction.LINEAR:
            return Linear(steepness)
        case PenaltyFunction.POLYNOMIAL:
            return Polynomial(steepness, spec.degree or DEFAULT_DEGREE)
        case PenaltyFunction.PIECEWISE:
            return Piecewise(spec.points or ())
