"""How phases are marked, and the windows that follow from the marks."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloscore.errors import ConflictError, LimitError
from sloscore.experiments.model import Experiment, Phase, State, new_experiment
from sloscore.experiments.phases import (
    Span,
    end_phase,
    ended_phases,
    spans_of,
    start_phase,
)

START, NOW = 100.0, 200.0
OPEN = (Phase("c=1", 110.0, 120.0), Phase("c=8", 130.0))
ENDED = (Phase("c=1", 110.0, 120.0), Phase("c=8", 130.0, 140.0))
Marked: TypeAlias = tuple[Phase, ...]
Change: TypeAlias = Callable[[Experiment], Marked]


def trial(phases: Marked = (), state: State = State.RUNNING) -> Experiment:
    running = new_experiment("trial", "chat", {}, "minimize_ttft", "minimize", START, START)
    return replace(running, phases=phases, state=state)


def start(name: str, at: float | None = None, most: int = 64) -> Change:
    return lambda experiment: start_phase(experiment, name, at, NOW, most)


def end(name: str | None = None, at: float | None = None) -> Change:
    return lambda experiment: end_phase(experiment, name, at, NOW)


CHANGES: dict[str, tuple[Marked, Change, Marked]] = {
    "the first one begins now": ((), start("c=1"), (Phase("c=1", NOW),)),
    "the first one began where the load did": ((), start("c=1", START), (Phase("c=1", START),)),
    "the next one ends the one before": (
        OPEN,
        start("c=16"),
        (OPEN[0], Phase("c=8", 130.0, NOW), Phase("c=16", NOW)),
    ),
    "the next one began a while ago": (
        OPEN,
        start("c=16", 135.0),
        (OPEN[0], Phase("c=8", 130.0, 135.0), Phase("c=16", 135.0)),
    ),
    "the next one comes after a pause": (ENDED, start("c=16"), (*ENDED, Phase("c=16", NOW))),
    "the one that goes on begins again": (OPEN, start("c=8"), OPEN),
    "the one that goes on begins again as recorded": (OPEN, start("c=8", 130.0), OPEN),
    "one begins before a clock that was ahead": (
        (Phase("c=1", NOW + 3),),
        start("c=8"),
        (Phase("c=1", NOW + 3, NOW + 3), Phase("c=8", NOW + 3)),
    ),
    "the last one ends now": (OPEN, end(), (OPEN[0], Phase("c=8", 130.0, NOW))),
    "a named one ends": (OPEN, end("c=8", 140.0), ENDED),
    "one ends again": (ENDED, end("c=8"), ENDED),
    "one ends again as recorded": (ENDED, end("c=8", 140.0), ENDED),
    "an earlier one ends again": (OPEN, end("c=1"), OPEN),
    "none is there to end": ((), end(), ()),
}


@pytest.mark.parametrize(("before", "change", "after"), CHANGES.values(), ids=CHANGES.keys())
def test_a_mark_changes_the_phases_once(before: Marked, change: Change, after: Marked) -> None:
    marked = change(trial(before))
    assert marked == after
    assert change(trial(marked)) == marked


REFUSALS: dict[str, tuple[Marked, Change, type[Exception], str]] = {
    "a name that an ended phase has": (OPEN, start("c=1"), ConflictError, "'c=1' has ended"),
    "another start": (
        OPEN,
        start("c=8", 131.0),
        ConflictError,
        "start: .* began at 1970-01-01T00:02:10.000Z",
    ),
    "a start before the load's": (
        (),
        start("c=1", 99.0),
        ValueError,
        "start: 1970-01-01T00:01:39.000Z is before 1970-01-01T00:01:40.000Z",
    ),
    "a start within an ended phase": (
        ENDED,
        start("x", 139.0),
        ValueError,
        "is before 1970-01-01T00:02:20.000Z",
    ),
    "a start before the phase that goes on": (
        OPEN,
        start("x", 129.0),
        ValueError,
        "before 1970-01-01T00:02:10",
    ),
    "one too many": (ENDED, start("x", most=2), LimitError, "as many phases as it may have, 2"),
    "an end before the start": (
        OPEN,
        end("c=8", 129.0),
        ValueError,
        "end: 1970-01-01T00:02:09.000Z is before",
    ),
    "another end": (
        ENDED,
        end("c=8", 141.0),
        ConflictError,
        "end: .* ended at 1970-01-01T00:02:20.000Z",
    ),
    "an end of what never began": (OPEN, end("x"), ConflictError, "has no phase 'x' to end"),
    "an end of nothing at some time": ((), end(at=150.0), ConflictError, "has no phase to end"),
}


@pytest.mark.parametrize(
    ("before", "change", "error", "words"), REFUSALS.values(), ids=REFUSALS.keys()
)
def test_a_mark_that_contradicts_is_refused(
    before: Marked, change: Change, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        change(trial(before))


@pytest.mark.parametrize("state", [state for state in State if state is not State.RUNNING])
def test_an_experiment_that_has_ended_starts_no_phase_and_has_none_to_end(state: State) -> None:
    for name in ("c=8", "c=16"):
        with pytest.raises(ConflictError, match=f"'trial' is already {state}"):
            start(name)(trial(OPEN, state))
    assert end("c=8")(trial(OPEN, state)) == OPEN
    assert end()(trial(ENDED, state)) == ENDED


def test_the_end_of_the_load_ends_the_phase_that_goes_on_and_no_other() -> None:
    assert ended_phases((), 150.0) == ()
    assert ended_phases(ENDED, 150.0) == ENDED
    assert ended_phases(OPEN, 150.0) == (OPEN[0], Phase("c=8", 130.0, 150.0))
    # A tuner may say afterwards that its load had ended before.
    assert ended_phases(OPEN, 125.0) == (OPEN[0], Phase("c=8", 130.0, 130.0))


def test_windows_lie_in_that_of_the_experiment_and_reach_to_no_other_phase() -> None:
    first, second, third = Phase("a", 100.0, 120.0), Phase("b", 120.0, 130.0), Phase("c", 135.0)
    assert spans_of((first, second, third), 105.0, None) == (
        Span(first, 105.0, 120.0, until=120.0),
        Span(second, 120.0, 130.0, since=120.0, until=135.0, trail=5.0),
        Span(third, 135.0, None, since=130.0, lead=5.0),
    )
    (alone,) = spans_of((second,), 105.0, 145.0)
    assert (alone.lead, alone.trail) == (15.0, 15.0)
    assert [s.end for s in spans_of((first, second, third), 105.0, 128.0)] == [120.0, 128.0, 128.0]


def test_a_warm_up_is_cut_off_from_the_start_of_each_phase() -> None:
    phases = (Phase("a", 100.0, 120.0), Phase("b", 120.0, 124.0), Phase("c", 124.0))
    spans = spans_of(phases, 110.0, None, warmup=5.0)
    assert [s.start for s in spans] == [110.0, 125.0, 129.0]
    assert [s.is_empty for s in spans] == [False, True, False]
    # What scrapes tell of the phase's own warm-up is none of another phase.
    assert [s.since for s in spans] == [-math.inf, 120.0, 124.0]


names = st.sampled_from(["a", "b", "c", "d"])
times = st.none() | st.integers(100, 120).map(float)
marks = st.lists(
    st.tuples(st.booleans(), names, times, st.integers(100, 120).map(float)), max_size=12
)


@given(marks)
def test_whatever_is_marked_phases_follow_each_other(
    marks: list[tuple[bool, str, float | None, float]],
) -> None:
    experiment = trial()
    for starts, name, at, now in marks:
        try:
            phases = (
                start_phase(experiment, name, at, now, 3)
                if starts
                else end_phase(experiment, name, at, now)
            )
        except (ConflictError, LimitError, ValueError):
            continue
        experiment = replace(experiment, phases=phases)
    phases = experiment.phases
    bounds = [time for phase in phases for time in (phase.start, phase.end) if time is not None]
    assert bounds == sorted(bounds)
    assert all(time >= START for time in bounds)
    assert all(phase.end is not None for phase in phases[:-1])
    assert len({phase.name for phase in phases}) == len(phases) <= 3
