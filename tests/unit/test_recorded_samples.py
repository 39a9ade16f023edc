"""Samples as the store keeps them: what is read back is what was scraped."""

import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloscore.core.histogram import Histogram
from sloscore.core.samples import Child, InstanceSample
from sloscore.experiments.recorded import documents_of, kept_samples, samples_of

texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.floats(allow_nan=False, allow_infinity=False)
counts = st.integers(0, 2**53).map(float) | numbers
children = st.builds(Child, texts, st.lists(st.tuples(texts, texts), max_size=3).map(tuple))


@st.composite
def histograms(draw: st.DrawFn) -> Histogram:
    bounds = sorted(draw(st.sets(numbers | st.just(-math.inf), max_size=5)))
    cumulative = draw(st.lists(counts, min_size=len(bounds) + 1, max_size=len(bounds) + 1))
    return Histogram((*bounds, math.inf), tuple(cumulative), draw(numbers))


samples = st.builds(
    InstanceSample,
    instance=st.tuples(texts, texts),
    time=numbers,
    up=st.sampled_from([True, False, None]),
    process_start=st.none() | numbers,
    histograms=st.dictionaries(children, histograms(), max_size=3),
    counters=st.dictionaries(children, counts, max_size=3),
)


@given(st.lists(samples, max_size=3))
def test_samples_come_back_from_json_as_they_were(given: list[InstanceSample]) -> None:
    stored = orjson.loads(orjson.dumps(documents_of(given)))

    assert samples_of(stored) == given


def at(*times: float) -> list[InstanceSample]:
    return [InstanceSample(("", "a:1"), time, up=True) for time in times]


@pytest.mark.parametrize(
    ("scrapes", "times"),
    [
        (None, []),
        ({}, []),
        ({"start": []}, []),
        ({"start": documents_of(at(1)), "server": "vllm"}, [1]),
        ({"end": documents_of(at(2))}, [2]),
        ({"end": documents_of(at(2)), "start": documents_of(at(1))}, [1, 2]),
    ],
)
def test_an_experiment_keeps_the_samples_of_its_start_and_its_end(
    scrapes: dict[str, object] | None, times: list[float]
) -> None:
    assert [sample.time for sample in kept_samples(scrapes)] == times
