"""Which part of a load is scored, where phases of it are marked: ``phases`` of an ``slo`` section."""

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
)
from pydantic.functional_validators import model_validator

from sloscore.core.phases import PhaseRules, ScoreOf
from sloscore.settings_base import Duration

_WORDS = ("whole", "worst")
# In angle brackets, as they are no part of a mistake's place.
_WORD, _NAMED = "<word>", "<named>"


def _check_name(name: str) -> str:
    if not name.isprintable() or not name.strip():
        raise ValueError(f"must be printable characters, got {name!a}")
    return name


PhaseName = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_check_name)]


class NamedPhase(BaseModel):
    """The phase of this name."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    phase: PhaseName


def _check_word(score: object) -> object:
    if score not in _WORDS:
        raise ValueError(f"must be {', '.join(_WORDS)} or {{phase: NAME}}, got {score!a}")
    return score


def _form(score: object) -> str:
    return _NAMED if isinstance(score, dict | NamedPhase) else _WORD


Scored = Annotated[
    Annotated[Literal["whole", "worst"], BeforeValidator(_check_word), Tag(_WORD)]
    | Annotated[NamedPhase, Tag(_NAMED)],
    Discriminator(_form),
]


class PhasesSpec(BaseModel):
    """What the score is of: the ``whole`` window, the ``worst`` phase, or ``{phase: name}``.

    Phases in ``ignore`` do not count: none is the worst, and a hard fail of one is none of the
    experiment. ``warmup`` (seconds) is cut off from the start of each phase, as ``slo.warmup`` is
    from that of the load.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    score: Scored = "whole"
    ignore: tuple[PhaseName, ...] = Field(default=(), strict=False)
    warmup: Duration | None = None

    @model_validator(mode="after")
    def _scores_what_counts(self) -> Self:
        if isinstance(self.score, NamedPhase) and self.score.phase in self.ignore:
            raise ValueError(f"scores phase {self.score.phase!r}, which it ignores, too")
        return self

    @property
    def rules(self) -> PhaseRules:
        """These as the core uses them."""
        named = self.score.phase if isinstance(self.score, NamedPhase) else None
        score = ScoreOf.NAMED if isinstance(self.score, NamedPhase) else ScoreOf(self.score)
        return PhaseRules(score, named, frozenset(self.ignore), self.warmup or 0.0)
