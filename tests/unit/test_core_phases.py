"""Which part of a load the score is of."""

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloscore.core.objective import Direction
from sloscore.core.phases import PhaseRules, ScoreOf, choose

MIN, MAX = Direction.MINIMIZE, Direction.MAXIMIZE


@dataclass(frozen=True)
class Outcome:
    """A window that came to this finite score; None is without data."""

    finite: float | None
    slo_violation: bool = False

    @property
    def score(self) -> float | None:
        return math.inf if self.slo_violation else self.finite

    @property
    def log_score(self) -> float | None:
        return None if self.finite is None else math.log(self.finite)


GOOD, BAD, UNKNOWN = Outcome(1.0), Outcome(3.0), Outcome(None)
HARD, HARDER = Outcome(5.0, slo_violation=True), Outcome(9.0, slo_violation=True)
WHOLE, WORST = PhaseRules(), PhaseRules(ScoreOf.WORST)
NAMED = PhaseRules(ScoreOf.NAMED, "c=8")


def ignoring(rules: PhaseRules, *names: str) -> PhaseRules:
    return PhaseRules(rules.score, rules.named, frozenset(names))


CHOICES: dict[str, tuple[list[Outcome], PhaseRules, Direction, int | None]] = {
    "the whole window, whatever phases cost": ([GOOD, BAD], WHOLE, MIN, None),
    "the whole window, although a phase has no data": ([GOOD, UNKNOWN], WHOLE, MIN, None),
    "the phase that fails hard in place of the whole": ([GOOD, HARD], WHOLE, MIN, 1),
    "the whole where the phase that fails hard is ignored": (
        [GOOD, HARD], ignoring(WHOLE, "c=8"), MIN, None,
    ),
    "the worst is the highest where minimised": ([GOOD, BAD, GOOD], WORST, MIN, 1),
    "the worst is the lowest where maximised": ([BAD, GOOD, BAD], WORST, MAX, 1),
    "the first of equal ones": ([GOOD, BAD, BAD], WORST, MIN, 1),
    "the worst of those that count": ([GOOD, BAD], ignoring(WORST, "c=8"), MIN, 0),
    "a hard fail is the worst": ([BAD, HARD, Outcome(99.0)], WORST, MIN, 1),
    "the worse of two hard fails": ([HARD, HARDER], WORST, MIN, 1),
    "the worse of two hard fails where maximised": ([HARD, HARDER], WORST, MAX, 0),
    "a hard fail outranks missing data": ([UNKNOWN, HARD], WORST, MIN, 1),
    "missing data outranks what is known": ([GOOD, UNKNOWN, BAD], WORST, MIN, 1),
    "missing data of what is ignored does not": (
        [UNKNOWN, GOOD], ignoring(WORST, "c=1"), MIN, 1,
    ),
    "no phase at all is the whole window": ([], WORST, MIN, None),
    "none that counts is the whole window": ([GOOD], ignoring(WORST, "c=1"), MIN, None),
    "the named phase": ([BAD, GOOD, BAD], NAMED, MIN, 1),
    "the named phase without data": ([BAD, UNKNOWN], NAMED, MIN, 1),
    "another phase that fails hard": ([HARD, GOOD], NAMED, MIN, 0),
    "the named one where the other that fails hard is ignored": (
        [HARD, GOOD], ignoring(NAMED, "c=1"), MIN, 1,
    ),
    "nothing where the named one never came": ([GOOD], NAMED, MIN, None),
}  # fmt: skip
NAMES = ("c=1", "c=8", "c=16")


@pytest.mark.parametrize(
    ("outcomes", "rules", "direction", "place"), CHOICES.values(), ids=CHOICES.keys()
)
def test_the_score_is_that_of(
    outcomes: list[Outcome], rules: PhaseRules, direction: Direction, place: int | None
) -> None:
    found = choose(list(zip(NAMES, outcomes, strict=False)), rules, direction)
    assert found.place == place


def test_it_is_said_why() -> None:
    assert choose([("c=1", GOOD)], WHOLE, MIN).explanation is None
    worst = choose([("c=1", GOOD), ("c=8", BAD)], WORST, MIN)
    assert worst.explanation == "Phase c=8 is the worst of 2 that count."
    assert choose([], WORST, MIN).explanation == (
        "No phase that counts is marked, so the score is that of the whole window."
    )
    assert choose([("c=1", UNKNOWN)], WORST, MIN).explanation == (
        "The worst phase is unknown, as phase c=1 has no score."
    )
    assert choose([("c=1", HARD)], WHOLE, MIN).explanation == "Phase c=1 breaks a hard SLO."
    assert choose([("c=1", GOOD)], NAMED, MIN).missing == (
        "no phase 'c=8', which slo.phases scores, was marked"
    )


outcomes = st.builds(Outcome, st.none() | st.floats(0.1, 100), st.booleans())


@given(st.lists(outcomes, min_size=1, max_size=6), st.sampled_from([MIN, MAX]))
def test_the_worst_is_no_better_than_any_other(found: list[Outcome], direction: Direction) -> None:
    place = choose([(str(n), each) for n, each in enumerate(found)], WORST, direction).place
    assert place is not None
    worst = found[place]
    if any(each.slo_violation for each in found):
        assert worst.slo_violation
    elif any(each.finite is None for each in found):
        assert worst.finite is None
    else:
        sign = 1 if direction is MIN else -1
        assert all(sign * (worst.finite or 0) >= sign * (each.finite or 0) for each in found)
