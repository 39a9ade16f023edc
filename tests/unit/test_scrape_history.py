"""What is kept of a long experiment's scrapes: whatever goes, a window counts the same."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sloscore.core.histogram import Histogram
from sloscore.core.samples import Child, InstanceSample
from sloscore.experiments.model import Phase
from sloscore.experiments.phases import PhasedWindow, spans_of
from sloscore.experiments.window import WindowAccumulator, WindowCounts
from sloscore.sources.history import History

LIMIT = 8
BOUNDS = (1.0, 5.0, math.inf)
LATENCY = Child("latency", (("engine", "0"),))
OTHER = Child("latency", (("engine", "1"),))
TOKENS = Child("tokens_out", ())


class Step(NamedTuple):
    """From one scrape to the next: what finished, and what became of the process.

    ``drift`` moves the start time that it tells, as that of a server that works it out from a
    clock which is being adjusted.
    """

    fast: int = 0
    slow: int = 0
    other: bool = False
    restarts: bool = False
    up: bool = True
    drift: float = 0.0


def scrapes_of(steps: Sequence[Step], *, tells_start: bool) -> list[InstanceSample]:
    found = []
    born, fast, slow, other = 0.5, 0, 0, None
    for time, step in enumerate(steps, start=1):
        if step.restarts:
            born, fast, slow, other = time - 0.5, 0, 0, None
        born += step.drift
        fast += step.fast
        slow += step.slow
        if step.other:
            other = (other or 0) + 1
        histograms = {LATENCY: Histogram(BOUNDS, (fast, fast, fast + slow), float(fast + 9 * slow))}
        if other is not None:
            histograms[OTHER] = Histogram(BOUNDS, (0, other, other), 3.0 * other)
        found.append(
            InstanceSample(
                ("", "a:1"),
                float(time),
                step.up,
                born if tells_start and step.up else None,
                histograms if step.up else {},
                {TOKENS: 10.0 * (fast + slow)} if step.up else {},
            )
        )
    return found


def counted(history: History, start: float, end: float | None) -> WindowCounts:
    """A window as an evaluation counts it from what a source has."""
    window = WindowAccumulator(start, end)
    window.feed(history.newest(start))
    window.feed(history.between(start, math.inf))
    return window.counts()


steps = st.builds(
    Step,
    fast=st.sampled_from([0, 1, 50]),
    slow=st.sampled_from([0, 1, 50]),
    other=st.booleans(),
    restarts=st.sampled_from([False, False, True]),
    up=st.sampled_from([True, True, False]),
    drift=st.sampled_from([0.0, 0.0, 0.4]),
)
quiet = st.sampled_from([Step(), Step(fast=1), Step(drift=0.4)])


@settings(max_examples=300)
@given(
    st.lists(steps | quiet, min_size=LIMIT, max_size=40),
    st.booleans(),
    st.floats(0, 40),
    st.none() | st.integers(0, LIMIT // 2 - 1),
)
def test_a_window_counts_the_same_whatever_has_been_dropped(
    history: list[Step], tells_start: bool, start: float, back: int | None
) -> None:
    samples = scrapes_of(history, tells_start=tells_start)
    # A tuner may say that its load ended some scrapes ago.
    end = None if back is None else max(start, samples[-1].time - back)
    everything, thinned = History(start, limit=10**6), History(start, LIMIT)
    everything.add(samples)
    for sample in samples:
        thinned.add([sample])

    full, kept = counted(everything, start, end), counted(thinned, start, end)

    # How often it was scraped is the only thing that may seem otherwise.
    assert replace(kept, scrape_interval=None) == replace(full, scrape_interval=None)


@given(
    st.lists(steps | quiet, min_size=LIMIT, max_size=40),
    st.booleans(),
    st.lists(st.integers(0, 80), min_size=2, max_size=6, unique=True).map(sorted),
)
def test_phases_count_the_same_whatever_has_been_dropped(
    history: list[Step], tells_start: bool, halves: list[int]
) -> None:
    samples = scrapes_of(history, tells_start=tells_start)
    marks = [mark / 2 for mark in halves]
    phases = [Phase(str(a), a, b) for a, b in itertools.pairwise(marks)]
    everything, thinned = History(marks[0], limit=10**6), History(marks[0], LIMIT)
    everything.add(samples)
    thinned.mark(marks)
    for sample in samples:
        thinned.add([sample])

    found = []
    for kept in (everything, thinned):
        window = PhasedWindow(marks[0], marks[-1], spans_of(phases, marks[0], marks[-1]))
        window.feed(kept.newest(marks[0]))
        window.feed(kept.between(marks[0], math.inf))
        found.append([replace(one.counts(), scrape_interval=None) for _, one in window.parts])

    assert found[0] == found[1]


STEADY: dict[str, Callable[[int], Step]] = {
    "a server under load": lambda _: Step(fast=1),
    "a server without load": lambda _: Step(),
    "a server that is down": lambda _: Step(up=False),
    "a server that restarts now and then": lambda time: Step(fast=1, restarts=time % 500 == 0),
}


@pytest.mark.parametrize("step", STEADY.values(), ids=STEADY.keys())
def test_what_is_kept_of_a_long_experiment_is_bounded(step: Callable[[int], Step]) -> None:
    samples = scrapes_of([step(time) for time in range(5000)], tells_start=True)
    history = History(since=100.0, limit=100)
    sizes = []
    for sample in samples:
        history.add([sample])
        sizes.append(len(history.between(0, math.inf)))

    assert max(sizes) <= 200


def test_the_newest_scrapes_are_all_there() -> None:
    samples = scrapes_of([Step(fast=1)] * 1000, tells_start=True)
    history = History(since=1.0, limit=100)
    for sample in samples:
        history.add([sample])
        assert (
            history.between(sample.time - 50, sample.time)
            == samples[max(0, int(sample.time) - 50) : int(sample.time)]
        )


def test_the_last_scrape_before_the_start_is_there() -> None:
    samples = scrapes_of([Step(fast=1)] * 1000, tells_start=True)
    history = History(since=333.3, limit=10)
    for sample in samples:
        history.add([sample])

    assert history.newest(333.3) == [samples[332]]


def test_a_history_answers_by_time() -> None:
    first, second, third = samples = scrapes_of([Step(), Step(), Step()], tells_start=True)
    history = History()
    history.add([third, first])
    history.add([second])

    assert [list(history.newest(at)) for at in (0.9, 1, 2.9, 9)] == [[], [first], [second], [third]]
    assert history.between(0, 9) == samples
    assert history.between(1, 3) == [second, third]
    assert history.between(1, 1) == history.between(3, 9) == history.between(9, 1) == []


def test_of_two_scrapes_at_one_time_the_first_counts() -> None:
    (known,) = scrapes_of([Step(fast=1)], tells_start=True)
    (again,) = scrapes_of([Step(fast=2)], tells_start=True)
    history = History()
    history.add([known])
    history.add([again])

    assert history.between(0, 9) == [known]


def test_a_history_knows_whether_anybody_ever_answered() -> None:
    history = History()
    assert not history.has_answer
    history.add(scrapes_of([Step(up=False)], tells_start=True))
    assert not history.has_answer
    history.add(scrapes_of([Step(up=False), Step()], tells_start=True))
    assert history.has_answer
