"""The window's counts against what really happened."""

import math
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloscore.core.histogram import Histogram
from sloscore.core.samples import Child, InstanceSample
from sloscore.experiments.window import WindowAccumulator, WindowCounts

LATENCY = Child("latency", (("model_name", "m"),))
OTHER_ENGINE = Child("latency", (("engine", "1"), ("model_name", "m")))
TOKENS = Child("tokens_out", (("model_name", "m"),))
BOUNDS = (1.0, 5.0, math.inf)
START, END = 1000.0, 1060.0


def sample(
    time: float,
    counts: tuple[float, ...] | None,
    *,
    instance: str = "a",
    born: float | None = None,
    child: Child = LATENCY,
    tokens: float | None = None,
    up: bool | None = True,
) -> InstanceSample:
    histograms = {} if counts is None else {child: Histogram(BOUNDS, counts, sum(counts))}
    counters = {} if tokens is None else {TOKENS: tokens}
    return InstanceSample(("job", instance), time, up, born, histograms, counters)


def window(*samples: InstanceSample, end: float | None = END) -> WindowCounts:
    accumulator = WindowAccumulator(START, end)
    accumulator.feed(samples)
    return accumulator.counts()


class Case(NamedTuple):
    samples: list[InstanceSample]
    counts: tuple[float, ...] | None
    resets: int = 0
    unseen_head: float = 0
    unseen_tail: float = 0
    gaps: float = 0


CASES = {
    "a baseline before the start is subtracted": Case(
        [sample(995, (1, 2, 3)), sample(1010, (2, 4, 6)), sample(1061, (5, 8, 10))], (4, 6, 7)
    ),
    "the latest of several baselines counts": Case(
        [sample(985, (0, 0, 0)), sample(1000, (1, 2, 3)), sample(1060, (5, 8, 10))], (4, 6, 7)
    ),
    "samples after the closing scrape are left out": Case(
        [sample(995, (0, 0, 0)), sample(1060, (1, 2, 3)), sample(1075, (9, 9, 9))], (1, 2, 3)
    ),
    "a process born inside the window counts from zero": Case(
        [sample(1015, (4, 5, 6), born=1003), sample(1060, (5, 6, 7), born=1003)], (5, 6, 7)
    ),
    "a process born before the window but seen late is a late baseline": Case(
        [sample(1015, (4, 5, 6), born=900), sample(1060, (5, 6, 7), born=900)],
        (1, 1, 1),
        unseen_head=15,
    ),
    "a process of unknown birth that is seen late is a late baseline": Case(
        [sample(1015, (4, 5, 6)), sample(1060, (5, 6, 8))], (1, 1, 2), unseen_head=15
    ),
    "a child that its instance did not have yet counts from zero": Case(
        [sample(995, None), sample(1030, (4, 5, 6)), sample(1060, (5, 6, 8))], (5, 6, 8)
    ),
    "a fall of the count is a reset and all buckets count from zero": Case(
        [sample(995, (5, 6, 9)), sample(1030, (7, 8, 11)), sample(1040, (6, 8, 9)),
         sample(1060, (6, 8, 9))],
        (8, 10, 11),
        resets=1,
        gaps=10,
    ),
    "a reset that only one bucket shows is one for the whole histogram": Case(
        [sample(1000, (12, 13, 15)), sample(1050, (6, 17, 18)), sample(1060, (6, 17, 18))],
        (6, 17, 18),
        resets=1,
        gaps=50,
    ),
    "a reset that only the process start shows is seen": Case(
        [sample(1000, (1, 1, 1), born=900), sample(1060, (5, 6, 7), born=1030)],
        (5, 6, 7),
        resets=1,
        gaps=30,
    ),
    "a start time that is rounded differently is no reset": Case(
        [sample(1000, (1, 1, 1), born=900.1), sample(1060, (5, 6, 7), born=900.12)], (4, 5, 6)
    ),
    "a child that vanished and came back is a reset": Case(
        [sample(1000, (1, 1, 1)), sample(1030, None), sample(1060, (5, 6, 7))],
        (5, 6, 7),
        resets=1,
        gaps=30,
    ),
    "a fall of any counter is a reset of the histograms as well": Case(
        [sample(1000, (1, 1, 1), tokens=500), sample(1040, (5, 6, 7), tokens=300),
         sample(1060, (5, 6, 7), tokens=300)],
        (5, 6, 7),
        resets=1,
        gaps=40,
    ),
    "other bounds after a restart are merged on those that both have": Case(
        [
            sample(1000, (1, 1, 1)),
            InstanceSample(
                ("job", "a"),
                1050,
                histograms={LATENCY: Histogram((2.0, 5.0, math.inf), (3, 4, 5), 1)},
            ),
        ],
        (3, 4, 5),
        resets=1,
        gaps=50,
        unseen_tail=10,
    ),
    "a process born after the end is the next experiment's": Case(
        [sample(995, (0, 0, 0), born=900), sample(1055, (4, 5, 6), born=900),
         sample(1065, (7, 7, 7), born=1061)],
        (4, 5, 6),
        unseen_tail=5,
    ),
    "a restart that only the closing scrape shows may be the next experiment's": Case(
        [sample(995, (0, 0, 0)), sample(1055, (4, 5, 6)), sample(1065, (1, 1, 1))],
        (4, 5, 6),
        unseen_tail=5,
    ),
    "a process that first shows after the end and was born after it is nobody": Case(
        [sample(995, None, up=False), sample(1065, (7, 7, 7), born=1061)], None
    ),
    "the process before, seen down at the start, is no reset of the next": Case(
        [sample(990, (9, 9, 9), born=100), sample(995, None, up=False),
         sample(1010, (1, 2, 3), born=998), sample(1060, (4, 5, 6), born=998)],
        (4, 5, 6),
    ),
    "a process born while its server was down at the start counts from zero": Case(
        [sample(980, None, up=False), sample(1005, (1, 2, 3), born=983),
         sample(1060, (4, 5, 6), born=983)],
        (4, 5, 6),
    ),
    "a process born shortly before the start counts from zero": Case(
        [sample(1005, (1, 2, 3), born=998), sample(1060, (4, 5, 6), born=998)], (4, 5, 6)
    ),
    "a scrape that failed does not make an old process new": Case(
        [sample(980, None, up=False), sample(1005, (100, 200, 300), born=100),
         sample(1060, (101, 202, 303), born=100)],
        (1, 2, 3),
        unseen_head=5,
    ),
    "a late server that has counted nothing yet leaves nothing unseen": Case(
        [sample(1030, None), sample(1060, (4, 5, 6))], (4, 5, 6)
    ),
    "a child that the same process shows no more is no restart": Case(
        [sample(1000, (100, 100, 100), born=900), sample(1030, None, born=900),
         sample(1060, (101, 102, 103), born=900)],
        (1, 2, 3),
    ),
    "what a process shows no more leaves the rest of the window unseen": Case(
        [sample(1000, (1, 1, 1), born=900), sample(1030, (2, 2, 2), born=900),
         sample(1045, None, born=900), sample(1060, None, born=900)],
        (1, 1, 1),
        unseen_tail=30,
    ),
    "what a process of unknown start shows no more leaves the rest unseen, too": Case(
        [sample(1000, (1, 1, 1)), sample(1030, (2, 2, 2)), sample(1045, None), sample(1060, None)],
        (1, 1, 1),
        resets=1,
        unseen_tail=30,
        gaps=15,
    ),
    "a process that shows nothing of what the one before it did leaves the rest unseen": Case(
        [sample(1000, (1, 1, 1), born=900), sample(1030, (2, 2, 2), born=900),
         sample(1045, None, born=1040), sample(1060, None, born=1040)],
        (1, 1, 1),
        resets=1,
        unseen_tail=30,
        gaps=10,
    ),
    "an engine that is hidden in a process of unknown start makes the others no new ones": Case(
        [InstanceSample(("job", "a"), t, True, None, {
            LATENCY: Histogram(BOUNDS, (a, a, a), a),
            **({OTHER_ENGINE: Histogram(BOUNDS, (b, b, b), b)} if b else {})})
         for t, a, b in ((1000, 50, 100), (1030, 51, 103), (1045, 52, 0), (1060, 53, 0))],
        (6, 6, 6),
        unseen_tail=30,
    ),
    "a server that answered no scrape may have served until the next process began": Case(
        [sample(1000, (1, 1, 1), born=900), sample(1010, None, born=None, up=False),
         sample(1040, (2, 2, 2), born=1035), sample(1060, (3, 3, 3), born=1035)],
        (3, 3, 3),
        resets=1,
        gaps=35,
    ),
    "a child that fell in the same process began anew by itself": Case(
        [InstanceSample(("job", "a"), t, True, 900.0, {
            LATENCY: Histogram(BOUNDS, (a, a, a), a),
            OTHER_ENGINE: Histogram(BOUNDS, (b, b, b), b)})
         for t, a, b in ((1000, 50, 100), (1030, 51, 3), (1060, 52, 4))],
        (6, 6, 6),
        resets=1,
    ),
    "instances are added": Case(
        [sample(1000, (1, 1, 1)), sample(1000, (0, 0, 0), instance="b"),
         sample(1060, (2, 2, 2)), sample(1062, (3, 4, 5), instance="b")],
        (4, 5, 6),
    ),
    "engines of one instance are added": Case(
        [sample(1000, None), InstanceSample(("job", "a"), 1060, True, None, {
            LATENCY: Histogram(BOUNDS, (1, 1, 1), 1),
            OTHER_ENGINE: Histogram(BOUNDS, (0, 2, 2), 1)})],
        (1, 3, 3),
    ),
    "a scrape that failed inside the window is passed over": Case(
        [sample(1000, (1, 1, 1)), sample(1030, None, up=False), sample(1060, (2, 2, 4))],
        (1, 1, 3),
    ),
    "a server that was gone at the end leaves its tail unseen": Case(
        [sample(1000, (1, 1, 1)), sample(1045, (2, 2, 4)), sample(1060, None, up=False)],
        (1, 1, 3),
        unseen_tail=15,
    ),
    "repeated samples count once": Case(
        [sample(1000, (1, 1, 1)), sample(1030, (2, 2, 4)), sample(1030, (2, 2, 4)),
         sample(1060, (2, 2, 5))],
        (1, 1, 4),
    ),
    "no scrape is nothing": Case([], None),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_window(case: Case) -> None:
    counts = window(*case.samples)
    histogram = counts.histograms.get("latency")
    assert (histogram and histogram.cumulative) == case.counts
    told = (counts.resets, counts.unseen_head, counts.unseen_tail, counts.unseen_gaps)
    assert told == (case.resets, case.unseen_head, case.unseen_tail, case.gaps)


def test_other_bounds_after_a_restart_keep_only_the_shared_ones() -> None:
    case = CASES["other bounds after a restart are merged on those that both have"]
    first = sample(995, (0, 0, 0))
    counts = window(first, *case.samples)
    assert counts.histograms["latency"].bounds == (2.0, 5.0, math.inf)
    moved = window(sample(1000, None), sample(1020, (1, 2, 3)), case.samples[1])
    assert moved.histograms["latency"].bounds == (5.0, math.inf)
    assert moved.histograms["latency"].cumulative == (6, 8)


def test_it_is_told_how_many_instances_count_something() -> None:
    counts = window(
        *(sample(995, (0, 0, 0), instance=name, tokens=0) for name in ("a", "b")),
        sample(995, (0, 0, 0), instance="c"),
        sample(1060, (1, 1, 1), instance="a", tokens=5),
        sample(1060, (1, 1, 1), instance="b", tokens=0),
        sample(1060, (1, 1, 1), instance="c"),
    )
    assert (counts.instances, counts.shown_by) == (3, {"tokens_out": 2})


def test_processes_that_take_turns_behind_an_address_are_told() -> None:
    turns = [sample(1000 + 10 * n, (9, 9, 9), born=(500, 700)[n % 2]) for n in range(4)]
    assert window(*turns).mixed == "a"
    assert window(sample(1000, (1, 1, 1), born=500)).mixed is None


def test_processes_that_take_turns_without_telling_their_start_are_told() -> None:
    turns = [sample(1000 + 5 * n, (((40, 50, 60), (4, 5, 6))[n % 2])) for n in range(6)]
    assert window(*turns[:4]).mixed is None
    assert window(*turns).mixed == "a"
    down = [sample(1002 + 5 * n, None, up=False) for n in range(6)]
    restarts = sorted([*turns, *down], key=lambda each: each.time)
    assert window(*restarts).mixed is None


def test_a_sum_that_falls_is_another_process_of_unknown_start() -> None:
    def shown(time: float, total: float) -> InstanceSample:
        histograms = {LATENCY: Histogram(BOUNDS, (3, 3, 3), total)}
        return InstanceSample(("job", "a"), time, up=True, histograms=histograms)

    assert window(shown(1000, 2.5), shown(1060 - 1, 2.0)).resets == 1
    assert window(shown(1000, 2.5), shown(1060 - 1, 2.5 - 1e-12)).resets == 0


def test_the_instance_whose_scrapes_failed_longest_is_told() -> None:
    counts = window(
        *(sample(time, (1, 1, 1)) for time in (1000, 1060)),
        *(sample(time, None, instance="b", up=False) for time in (990, 1010, 1040)),
        *(sample(time, None, instance="c", up=False) for time in (1010, 1030)),
        *(sample(time, None, instance="d", up=time > 1010) for time in (1000, 1060)),
    )
    assert (counts.instances, counts.silent, counts.silent_seconds) == (1, "b", 40)
    assert window(sample(1000, None, instance="b", up=False)).silent is None


def test_a_process_whose_clock_is_ahead_is_not_left_out() -> None:
    counts = window(
        sample(1000, (1, 1, 1)),
        sample(1060, (2, 2, 2)),
        sample(1005, (4, 4, 9), instance="b", born=5000),
        sample(1060, (5, 5, 20), instance="b", born=5000),
    )
    assert (counts.instances, counts.unseen_head) == (2, 5)
    assert counts.histograms["latency"].cumulative == (2, 2, 12)


def test_how_far_the_window_was_widened_is_told() -> None:
    counts = window(sample(985, (0, 0, 0)), sample(1030, (1, 1, 1)), sample(1075, (2, 2, 2)))
    assert (counts.widened_head, counts.widened_tail) == (15, 15)


def test_a_window_is_closed_by_a_scrape_at_or_after_its_end_of_every_instance() -> None:
    accumulator = WindowAccumulator(START, END)
    assert accumulator.awaits_scrape
    accumulator.feed([sample(1000, (1, 1, 1)), sample(1000, (1, 1, 1), instance="b")])
    accumulator.feed([sample(1060, (2, 2, 2))])
    assert accumulator.awaits_scrape
    accumulator.feed([sample(1063, None, instance="b", up=False)])
    assert not accumulator.awaits_scrape


def test_the_window_reports_the_scrapes_it_runs_between() -> None:
    counts = window(sample(990, (0, 0, 0)), *(sample(990 + 15 * n, (n, n, n)) for n in range(1, 7)))
    assert (counts.observed_start, counts.observed_end) == (990, 1065)
    assert counts.scrape_interval == 15
    assert counts.instances == 1


class Step(NamedTuple):
    requests: list[float]
    restart: bool


steps = st.lists(
    st.builds(Step, st.lists(st.sampled_from([0.5, 3.0, 9.0]), max_size=5), st.booleans()),
    min_size=1,
    max_size=12,
)


@given(steps, st.booleans())
def test_no_request_is_counted_twice_or_invented_whatever_restarts(
    history: list[Step], tells_start: bool
) -> None:
    values: list[float] = []
    born = 0.0
    samples = [sample(START, (0, 0, 0), born=born if tells_start else None)]
    scraped_and_alive = 0
    for number, step in enumerate(history, start=1):
        if step.restart:
            values, born = [], START + number - 0.5
        values = values + step.requests
        scraped_and_alive += len(step.requests)
        counts = tuple(float(sum(v <= bound for v in values)) for bound in BOUNDS)
        samples.append(sample(START + number, counts, born=born if tells_start else None))
    # A process that is born within the last second may be the next experiment's.
    result = window(*samples, end=START + len(history) + 2)
    seen = result.histograms["latency"].count
    if tells_start:
        assert seen == scraped_and_alive
        assert result.resets == sum(step.restart for step in history)
    else:
        assert seen <= scraped_and_alive
