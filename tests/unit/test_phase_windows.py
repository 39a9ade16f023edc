"""Windows of phases: what scrapes tell of a phase and of no other one."""

import itertools
import math
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.memory_source import sample

from sloscore.core.samples import InstanceSample
from sloscore.experiments.model import Phase
from sloscore.experiments.phases import PhasedWindow, spans_of
from sloscore.experiments.window import WindowAccumulator, WindowCounts

START, END = 1000.0, 1060.0


def window(*samples: InstanceSample, since: float, until: float) -> WindowCounts:
    accumulator = WindowAccumulator(START, END, since, until)
    accumulator.feed(samples)
    return accumulator.counts()


def requests(counts: WindowCounts) -> float:
    return counts.histograms["latency"].count if counts.histograms else 0.0


class Case(NamedTuple):
    samples: list[InstanceSample]
    requests: float
    head: float = 0.0
    tail: float = 0.0
    since: float = START
    until: float = END
    observed: tuple[float, float] = (START, END)


CASES = {
    "scrapes at both bounds lose nothing": Case(
        [sample(1000, 5), sample(1030, 9), sample(1060, 15)], 10
    ),
    "a scrape before the start is the other phase's": Case(
        [sample(995, 5), sample(1005, 9), sample(1060, 15)], 6, head=5, observed=(1005, 1060)
    ),
    "a scrape in a pause before the start loses nothing": Case(
        [sample(995, 5), sample(1005, 9), sample(1060, 15)], 10, since=994, observed=(995, 1060)
    ),
    "a scrape after the end is the next phase's": Case(
        [sample(1000, 5), sample(1055, 9), sample(1065, 15)], 4, tail=5, observed=(1000, 1055)
    ),
    "a scrape in a pause after the end closes the window": Case(
        [sample(1000, 5), sample(1055, 9), sample(1065, 15)], 10, until=1065, observed=(1000, 1065)
    ),
    "a process born in the phase counts from zero": Case(
        [sample(995, 5, born=900), sample(1010, 3, born=1004), sample(1060, 7, born=1004)],
        7,
        observed=(1004, 1060),
    ),
    "a young process has served the phase before": Case(
        [sample(1010, 3, born=995), sample(1060, 7, born=995)], 4, head=10, observed=(1010, 1060)
    ),
    "a process that came up in the phase before has served it": Case(
        [sample(990, None), sample(1010, 3, born=995), sample(1060, 7, born=995)],
        4,
        head=10,
        observed=(1010, 1060),
    ),
    "a restart within the phase loses what no scrape saw": Case(
        [sample(1000, 5, born=900), sample(1020, 9, born=900), sample(1050, 3, born=1030),
         sample(1060, 4, born=1030)],
        8,
    ),
    "a phase between two scrapes shows nothing": Case(
        [sample(995, 5), sample(1065, 15)], 0, tail=60, observed=(1000, 995)
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_phase_counts_what_scrapes_tell_of_it_alone(case: Case) -> None:
    counts = window(*case.samples, since=case.since, until=case.until)
    assert requests(counts) == case.requests
    assert (counts.unseen_head, counts.unseen_tail) == (case.head, case.tail)
    assert (counts.observed_start, counts.observed_end) == case.observed


def test_an_instance_that_was_scraped_in_other_phases_only_is_unseen() -> None:
    seen = [sample(time, time - 990) for time in (1000, 1030, 1060)]
    other = [sample(time, time - 990, instance="b") for time in (998, 1068)]
    counts = window(*seen, *other, since=START, until=END)
    assert (requests(counts), counts.instances) == (60, 2)
    assert counts.unseen_tail == END - START


def test_a_window_is_over_once_every_instance_was_scraped_after_its_phase() -> None:
    accumulator = WindowAccumulator(START, None, START)
    accumulator.feed([sample(1000, 5), sample(1050, 9)])
    accumulator.close(END, END)
    assert accumulator.awaits_scrape
    accumulator.feed([sample(1070, 20)])
    assert not accumulator.awaits_scrape
    assert requests(accumulator.counts()) == 4


times = st.lists(st.integers(0, 1000), min_size=2, max_size=60, unique=True).map(sorted)


@given(times, st.lists(st.integers(0, 1000), max_size=200), times, st.booleans())
def test_every_request_is_counted_in_one_phase_at_most_and_as_the_log_has_it(
    scraped: list[int], log: list[int], bounds: list[int], pauses: bool
) -> None:
    pairs = list(zip(bounds[::2], bounds[1::2], strict=False)) if pauses else []
    pairs = pairs or list(itertools.pairwise(bounds))
    phases = [Phase(str(start), float(start), float(end)) for start, end in pairs]
    whole = PhasedWindow(0.0, 1000.0, spans_of(phases, 0.0, 1000.0))
    whole.feed(
        sample(float(at), sum(finished <= at for finished in log), born=-500.0) for at in scraped
    )
    reached = -math.inf
    for span, part in whole.parts:
        counts = part.counts()
        if not requests(counts):
            continue
        first, last = counts.observed_start, counts.observed_end
        assert first is not None
        assert last is not None
        assert requests(counts) == sum(first < finished <= last for finished in log)
        assert reached <= first
        assert span.since <= first < last <= span.until
        reached = last
