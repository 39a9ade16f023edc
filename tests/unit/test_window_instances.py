"""Which samples are of one process, and which of several, whatever their labels say."""

import math
from typing import NamedTuple

import pytest

from sloscore.core.histogram import Histogram
from sloscore.core.samples import Child, InstanceSample
from sloscore.experiments.window import WindowAccumulator, WindowCounts

LATENCY = Child("latency", ())
START, END = 1000.0, 1060.0


def sample(
    time: float,
    requests: float | None,
    *,
    born: float | None = None,
    job: str = "j",
    instance: str = "a:1",
    up: bool | None = True,
) -> InstanceSample:
    histograms = {}
    if requests is not None:
        histograms = {LATENCY: Histogram((1.0, math.inf), (0, requests), requests)}
    return InstanceSample((job, instance), time, up, born, histograms)


def window(*samples: InstanceSample) -> WindowCounts:
    accumulator = WindowAccumulator(START, END)
    accumulator.feed(sorted(samples, key=lambda sample: sample.time))
    return accumulator.counts()


class Case(NamedTuple):
    samples: list[InstanceSample]
    requests: float
    instances: int
    ambiguous: list[str] = []  # noqa: RUF012  nobody changes it


OLD = 900.0
SHARED: dict[str, Case] = {
    "one process under two jobs counts once": Case(
        [sample(1000, 1, born=OLD), sample(1000.1, 1, job="k", born=OLD),
         sample(1060, 5, born=OLD), sample(1060.1, 6, job="k", born=OLD)],
        4, 1,
    ),
    "that which a job saw more of counts": Case(
        [sample(990, 0, born=OLD), sample(1058, 3, born=OLD),
         sample(1000, 1, job="k", born=OLD), sample(1060, 5, job="k", born=OLD)],
        4, 1,
    ),
    "one that restarts under two jobs counts once": Case(
        [sample(1000, 1, born=OLD), sample(1000.1, 1, job="k", born=OLD),
         sample(1030, 2, born=1020.0), sample(1060, 5, born=1020.0),
         sample(1030.1, 2, job="k", born=1020.0), sample(1060.1, 6, job="k", born=1020.0)],
        5, 1,
    ),
    "a restart that one job has not seen yet is of the same": Case(
        [sample(1000, 1, born=OLD), sample(1000.1, 1, job="k", born=OLD),
         sample(1030, 2, born=1020.0)],
        2, 1,
    ),
    "three jobs": Case(
        [sample(time, number, job=job, born=OLD)
         for job in "jkl" for time, number in ((1000, 1), (1060, 5))],
        4, 1,
    ),
    "two processes on one node both count": Case(
        [sample(1000, 1, born=OLD), sample(1060, 5, born=OLD),
         sample(1000, 1, job="k", born=800.0), sample(1060, 3, job="k", born=800.0)],
        6, 2,
    ),
    "nobody can tell without start times": Case(
        [sample(1000, 1), sample(1060, 5), sample(1000, 1, job="k"), sample(1060, 5, job="k")],
        8, 2, ["a:1"],
    ),
    "nobody can tell where only one has a start time": Case(
        [sample(1000, 1, born=OLD), sample(1060, 5, born=OLD),
         sample(1000, 1, job="k"), sample(1060, 5, job="k")],
        8, 2, ["a:1"],
    ),
    "a job that takes over from another is no second one": Case(
        [sample(1000, 1), sample(1030, 3), sample(1031, 3, job="k"), sample(1060, 5, job="k")],
        4, 2,
    ),
    "other instances of a job are others": Case(
        [sample(1000, 1, born=OLD), sample(1060, 5, born=OLD),
         sample(1000, 1, instance="b:1", born=OLD), sample(1060, 5, instance="b:1", born=OLD)],
        8, 2,
    ),
    "what has no instance label is told by its job": Case(
        [sample(1000, 1, instance="", born=OLD), sample(1060, 5, instance="", born=OLD),
         sample(1000, 1, instance="", job="k", born=OLD),
         sample(1060, 5, instance="", job="k", born=OLD)],
        8, 2,
    ),
    "another exporter on the same address is none": Case(
        [sample(1000, 1), sample(1060, 5),
         sample(1000, None, job="node"), sample(1060, None, job="node")],
        4, 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SHARED.values(), ids=SHARED.keys())
def test_jobs_that_share_an_instance(case: Case) -> None:
    counts = window(*case.samples)

    found = counts.histograms.get("latency")
    assert (found.count if found else 0) == case.requests
    assert counts.instances == case.instances
    assert list(counts.ambiguous) == case.ambiguous


def stamped(time: float, requests: float, born: float | None = None) -> InstanceSample:
    """Series with times of their own, at which nothing says that a scrape succeeded."""
    return sample(time, requests, up=None, born=born)


def scrape(time: float) -> InstanceSample:
    return sample(time, None)


CLOCKS: dict[str, tuple[list[InstanceSample], float, float]] = {
    "scrapes between them change nothing": (
        [stamped(999, 5), scrape(1001), stamped(1020, 7), scrape(1021), stamped(1061, 9),
         scrape(1062)],
        4, 0,
    ),
    "scrapes after the end do not close the window": (
        [stamped(999, 5), scrape(1001), scrape(1060), stamped(1061, 9)], 4, 0,
    ),
    "a first scrape does not make their history the window's": (
        [scrape(999), stamped(1020, 700), stamped(1061, 709)], 9, 20,
    ),
    "a server that is born in the window counts from zero": (
        [scrape(999), stamped(1020, 7, 1010.0), stamped(1061, 9, 1010.0)], 9, 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("samples", "requests", "unseen_head"), CLOCKS.values(), ids=CLOCKS.keys())
def test_series_with_times_of_their_own(
    samples: list[InstanceSample], requests: float, unseen_head: float
) -> None:
    counts = window(*samples)

    assert counts.histograms["latency"].count == requests
    assert (counts.resets, counts.unseen_head, counts.unseen_tail) == (0, unseen_head, 0)


def test_series_that_are_gone_from_a_scrape_are_a_restart() -> None:
    counts = window(sample(1000, 5), sample(1020, None), sample(1060, 7))

    assert (counts.histograms["latency"].count, counts.resets) == (7, 1)


@pytest.mark.parametrize(
    ("born", "requests", "unseen_head"),
    [(1010, 9, 0), (999.1, 9, 0), (990.1, 9, 0), (989.9, 2, 15)],
)
def test_a_process_that_was_young_at_the_start_counts_from_zero(
    born: float, requests: float, unseen_head: float
) -> None:
    counts = window(sample(1015, 7, born=born), sample(1060, 9, born=born))

    assert counts.histograms["latency"].count == requests
    assert counts.unseen_head == unseen_head
