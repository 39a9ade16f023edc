"""What an experiment is, and how its state may change."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where an experiment is between its registration and its final score."""

    RUNNING = "running"
    SETTLING = "settling"
    SCORED = "scored"
    FAILED = "failed"
    NO_DATA = "no_data"
    ABORTED = "aborted"


LIVE: Final = frozenset({State.RUNNING, State.SETTLING})
OUTCOMES: Final = frozenset({State.SCORED, State.FAILED, State.NO_DATA})
FINAL: Final = OUTCOMES | {State.ABORTED}

TRANSITIONS: Final[Mapping[State, frozenset[State]]] = {
    State.RUNNING: FINAL | {State.SETTLING},
    State.SETTLING: FINAL,
    State.SCORED: frozenset(),
    State.FAILED: frozenset(),
    State.NO_DATA: frozenset(),
    State.ABORTED: frozenset(),
}


def sources_of(target: State) -> frozenset[State]:
    """Return the states that ``target`` may directly follow."""
    return frozenset(state for state, targets in TRANSITIONS.items() if target in targets)


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of an experiment's load, in Unix seconds; ``end`` is None while it goes on."""

    name: str
    start: float
    end: float | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """One registered experiment; all times in Unix seconds.

    ``body`` is the registration document and ``body_digest`` its `digest`. ``start`` and ``end``
    bound the load (``end`` is None until the tuner finished). ``base_score`` is what the tuner
    measured, ``score`` the final score (may be infinite), both in the unit of ``objective``.
    ``reason`` tells why it was aborted. ``report`` is the final report. ``scrapes`` holds the samples
    that bound the window where the service took them itself, as documents under ``start`` and
    ``end``, and those that bound its ``phases`` under that name. ``phases`` are in order of time, and
    all but the last have ended. Once final, ``updated_at`` is the time at which it became so, and
    ``penalty`` and ``requests`` are those of the report. ``holder`` is the number of the service that
    evaluates it, None where only one can.
    """

    id: str
    task: str
    body: Mapping[str, object]
    body_digest: str
    objective: str
    direction: str
    state: State
    start: float
    end: float | None
    created_at: float
    updated_at: float
    base_score: float | None
    score: float | None
    reason: str | None
    report: Mapping[str, object] | None
    scrapes: Mapping[str, object] | None = None
    penalty: float | None = None
    requests: float | None = None
    phases: tuple[Phase, ...] = ()
    holder: int | None = None


@dataclass(frozen=True, slots=True)
class TaskTally:
    """All experiments of a task: how many are in each state, and the newest one's registration."""

    states: Mapping[State, int]
    newest_body: Mapping[str, object]


def digest(body: Mapping[str, object]) -> str:
    """Return the SHA-256, in hex, of ``body`` as JSON with sorted keys and no spaces.

    Numbers are told apart as JSON writes them: 1 and 1.0 differ. Raises ValueError for NaN and
    infinities and TypeError for values that JSON has no form for.
    """
    # The standard library's text of a float never changes, so old digests stay comparable.
    text = json.dumps(dict(body), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def new_experiment(  # noqa: PLR0913, PLR0917 - a registration has no part less
    id: str,  # noqa: A002 - the field's name
    task: str,
    body: Mapping[str, object],
    objective: str,
    direction: str,
    start: float,
    now: float,
    scrapes: Mapping[str, object] | None = None,
) -> Experiment:
    """Return a running experiment whose load began at ``start``, registered at ``now``.

    Raises what `digest` raises when ``body`` cannot be JSON.
    """
    return Experiment(
        id=id,
        task=task,
        body=body,
        body_digest=digest(body),
        objective=objective,
        direction=direction,
        state=State.RUNNING,
        start=start,
        end=None,
        created_at=now,
        updated_at=now,
        base_score=None,
        score=None,
        reason=None,
        report=None,
        scrapes=scrapes,
    )
