"""The ``phases`` part of an ``slo`` section."""

from typing import TypeAlias

import pytest

from sloscore.core.phases import PhaseRules, ScoreOf
from sloscore.errors import SpecError
from sloscore.evaluation.plan import rules_of
from sloscore.spec.loader import validate
from sloscore.spec.slo import SloSpec

Section: TypeAlias = dict[str, object] | None
LIMITS = {"latency": {"p90": {"threshold": 1.0}}}


def rules(phases: Section = None) -> PhaseRules:
    slo = LIMITS if phases is None else {**LIMITS, "phases": phases}
    return rules_of(validate(SloSpec, slo, "slo")).phases


READ: dict[str, tuple[Section, PhaseRules]] = {
    "nothing": (None, PhaseRules()),
    "an empty section": ({}, PhaseRules()),
    "the worst": ({"score": "worst"}, PhaseRules(ScoreOf.WORST)),
    "a named one": ({"score": {"phase": "c=8"}}, PhaseRules(ScoreOf.NAMED, "c=8")),
    "one that is called like a rule": (
        {"score": {"phase": "worst"}}, PhaseRules(ScoreOf.NAMED, "worst"),
    ),
    "what does not count": (
        {"score": "worst", "ignore": ["warm", "cool"], "warmup": "10s"},
        PhaseRules(ScoreOf.WORST, None, frozenset({"warm", "cool"}), 10.0),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("section", "expected"), READ.values(), ids=READ.keys())
def test_a_section_says_what_is_scored(section: Section, expected: PhaseRules) -> None:
    assert rules(section) == expected


REFUSED: dict[str, tuple[Section, str]] = {
    "another word": (
        {"score": "Worst"},
        "slo: phases.score: must be whole, worst or {phase: NAME}, got 'Worst'",
    ),
    "a name without its key": ({"score": "c=8"}, "slo: phases.score: must be whole, worst or {"),
    "no name": ({"score": {}}, "slo: phases.score.phase: is required"),
    "an unknown key": (
        {"score": {"name": "c=8"}},
        "slo: phases.score.name: is not a known key; known are phase",
    ),
    "an unknown part": ({"worst": True}, "slo: phases.worst: is not a known key"),
    "a name that nobody can read": (
        {"ignore": ["a\x00b"]},
        "slo: phases.ignore[0]: must be printable characters",
    ),
    "no list": ({"ignore": "warm"}, "slo: phases.ignore: must be a list"),
    "the ignored one": (
        {"score": {"phase": "c=8"}, "ignore": ["c=8"]},
        "slo: phases: scores phase 'c=8', which it ignores, too",
    ),
}


@pytest.mark.parametrize(("section", "problem"), REFUSED.values(), ids=REFUSED.keys())
def test_a_mistake_is_named_with_its_place(section: Section, problem: str) -> None:
    with pytest.raises(SpecError) as raised:
        rules(section)
    assert any(each.startswith(problem) for each in raised.value.problems), raised.value.problems
