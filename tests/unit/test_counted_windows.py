"""Counts as the store keeps them: what is read back is what was counted, and is judged alike."""

import dataclasses
import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.memory_source import END, START, plan, sample

from sloscore.core.histogram import Histogram, Layout
from sloscore.evaluation.report import report_window
from sloscore.experiments.counted import CountedWindow, counted_of, document_of, kept_counts
from sloscore.experiments.window import WindowAccumulator, WindowCounts

texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.floats(allow_nan=False, allow_infinity=False)
counted = st.integers(0, 2**53).map(float) | numbers


@st.composite
def histograms(draw: st.DrawFn) -> Histogram:
    bounds = sorted(draw(st.sets(numbers | st.just(-math.inf), max_size=5)))
    cumulative = draw(st.lists(counted, min_size=len(bounds) + 1, max_size=len(bounds) + 1))
    total = draw(numbers | st.sampled_from([math.inf, -math.inf]))
    return Histogram((*bounds, math.inf), tuple(cumulative), total, draw(st.sampled_from(Layout)))


GIVEN: dict[str, Any] = {
    "histograms": st.dictionaries(texts, histograms(), max_size=3),
    "counters": st.dictionaries(texts, counted, max_size=3),
    "ambiguous": st.lists(texts, max_size=2).map(tuple),
    "mixed": st.none() | texts,
    "instances": st.integers(0, 1000),
    "resets": st.integers(0, 1000),
}
# A field that is added to the counts is drawn, too, and has to come back.
all_counts = st.builds(
    WindowCounts, **{f.name: GIVEN.get(f.name, numbers) for f in dataclasses.fields(WindowCounts)}
)
windows = st.builds(CountedWindow, numbers, st.none() | numbers, all_counts)


def through_json(window: CountedWindow) -> CountedWindow:
    return counted_of(orjson.loads(orjson.dumps(document_of(window))))


@given(windows)
def test_counts_come_back_from_json_as_they_were(window: CountedWindow) -> None:
    assert through_json(window) == window
    assert counted_of(document_of(window)) == window


def test_a_sum_that_is_no_number_comes_back_as_none() -> None:
    histogram = Histogram((1.0, math.inf), (1.0, 2.0), math.nan)
    counts = WindowCounts({"latency": histogram}, {}, None, None, 0.0, 0.0, 1, 0, None)

    back = through_json(CountedWindow(START, END, counts)).counts.histograms["latency"]

    assert math.isnan(back.sum)
    assert (back.bounds, back.cumulative) == (histogram.bounds, histogram.cumulative)


def test_a_document_of_a_release_with_fewer_fields_is_read_with_their_defaults() -> None:
    counts = WindowCounts({}, {}, 1.0, 2.0, 0.0, 0.0, 1, 0, 15.0)
    document = document_of(CountedWindow(START, END, counts))
    for field in dataclasses.fields(WindowCounts):
        if field.default is not dataclasses.MISSING:
            del document[field.name]

    assert counted_of(document).counts == counts


@pytest.mark.parametrize("kept", [None, {}, {"phases": []}])
def test_an_experiment_without_counts_of_its_window_has_none(kept: dict[str, Any] | None) -> None:
    assert kept_counts(kept) is None


requests = st.lists(st.integers(0, 400), min_size=2, max_size=6).map(sorted)


@given(requests, requests, st.none() | st.floats(0, 1e6), st.sampled_from([None, END]))
def test_stored_counts_give_the_identical_report(
    one: list[int], other: list[int], base_score: float | None, end: float | None
) -> None:
    window = WindowAccumulator(START, end)
    for name, counts in (("a", one), ("b", other)):
        # From before the start to after the end, with a restart where there are many.
        times = [START - 5 + 15 * number for number in range(len(counts))]
        window.feed(
            sample(time, count if count < 300 else count - 250, instance=name)
            for time, count in zip(times, counts, strict=True)
        )
    given = CountedWindow(START, end, window.counts())
    stored = through_json(given)

    reports = [
        report_window(
            plan(), each.counts, (each.start, each.end), now=END + 9, base_score=base_score
        )
        for each in (given, stored)
    ]

    assert reports[0] == reports[1]
    assert reports[0].model_dump_json() == reports[1].model_dump_json()
