"""Which part of a load an experiment's score is of, where parts of it were marked as phases."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from sloscore.core.objective import Direction

_NONE_COUNTS: Final = "No phase that counts is marked, so the score is that of the whole window."


class ScoreOf(StrEnum):
    """What an experiment's score is of."""

    WHOLE = "whole"
    WORST = "worst"
    NAMED = "named"


@dataclass(frozen=True, slots=True)
class PhaseRules:
    """What is scored; ``named`` is a phase's name where the score is that of one.

    Phases in ``ignore`` do not count: they are not the worst, and their hard fails are none of the
    experiment. ``warmup`` (seconds) is cut off from the start of each phase.
    """

    score: ScoreOf = ScoreOf.WHOLE
    named: str | None = None
    ignore: frozenset[str] = frozenset()
    warmup: float = 0.0


class Outcome(Protocol):
    """What a window came to; ``score`` is None without data."""

    @property
    def slo_violation(self) -> bool:
        """Whether a hard SLO is broken."""

    @property
    def score(self) -> float | None:
        """The score, infinite on a hard fail."""

    @property
    def log_score(self) -> float | None:
        """The logarithm of the score if no SLO were hard, by which all are in order."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the score is of: the phase at this place, or the whole window (None).

    ``missing`` says why there is no score although there may be data; ``explanation`` why the choice
    is what it is, where that is not plain.
    """

    place: int | None = None
    explanation: str | None = None
    missing: str | None = None


def choose(
    phases: Sequence[tuple[str, Outcome]], rules: PhaseRules, direction: Direction
) -> Choice:
    """What the score is of, of phases by name in order of time.

    A hard fail of any phase that counts outranks everything else, as it does among SLIs. The worst
    phase cannot be told while one that counts has no data.
    """
    sign = -1.0 if direction is Direction.MAXIMIZE else 1.0

    def badness(place: int) -> tuple[bool, float]:
        log = phases[place][1].log_score
        return log is None, 0.0 if log is None else sign * log

    counting = [place for place, (name, _) in enumerate(phases) if name not in rules.ignore]
    failed = [place for place in counting if phases[place][1].slo_violation]
    if failed:
        worst = max(failed, key=badness)
        return Choice(worst, f"Phase {phases[worst][0]} breaks a hard SLO.")
    if rules.score is ScoreOf.NAMED:
        return _named(phases, rules.named)
    if rules.score is ScoreOf.WHOLE:
        return Choice()
    if not counting:
        return Choice(explanation=_NONE_COUNTS)
    unknown = next((place for place in counting if phases[place][1].score is None), None)
    if unknown is not None:
        name = phases[unknown][0]
        return Choice(unknown, f"The worst phase is unknown, as phase {name} has no score.")
    worst = max(counting, key=badness)
    return Choice(worst, f"Phase {phases[worst][0]} is the worst of {len(counting)} that count.")


def _named(phases: Sequence[tuple[str, Outcome]], named: str | None) -> Choice:
    for place, (name, _) in enumerate(phases):
        if name == named:
            return Choice(place, f"slo.phases scores phase {name}.")
    return Choice(missing=f"no phase {named!r}, which slo.phases scores, was marked")
