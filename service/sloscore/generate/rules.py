"""Rules as data, before they are written in any format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sloscore.generate.text import Span

# What Mimir's ruler takes at most in one group, as it comes.
MAX_RULES: Final = 20


@dataclass(frozen=True, slots=True)
class Recording:
    """A rule that records ``expr`` under a name; ``comment`` says for people what it is."""

    name: str
    expr: str
    labels: Mapping[str, str]
    comment: str


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule that fires once ``expr`` has given something for ``hold`` (a duration, or None).

    Labels and annotations are templates of Go.
    """

    name: str
    expr: str
    hold: str | None
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


Rule = Recording | Alert


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated one after the other for the same moment, every ``interval``.

    ``remarks`` say what the group does not hold, and why.
    """

    name: str
    interval: str
    rules: tuple[Rule, ...]
    remarks: tuple[str, ...] = ()


def small_groups(
    kind: str, task: str, interval: Span, rules: Sequence[Rule], remarks: Sequence[str] = ()
) -> tuple[Group, ...]:
    """Rules that can do with each other's results of the evaluation before, in bounded groups."""
    starts = range(0, len(rules), MAX_RULES)
    return tuple(
        Group(
            # The task comes last: whatever it is called, no two groups share a name.
            f"sloscore-{kind}-{number}-{task}",
            interval.text,
            tuple(rules[start : start + MAX_RULES]),
            () if start else tuple(remarks),
        )
        for number, start in enumerate(starts, start=1)
    )
