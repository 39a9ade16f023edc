"""Experiments judged again by their numbers alone: what their whole reports say."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sloscore.core.histogram import Histogram
from sloscore.core.objective import Objective
from sloscore.core.verdict import HardFailOn
from sloscore.errors import SpecError
from sloscore.evaluation.rescorer import Rescorer, judged_again, scored
from sloscore.experiments.counted import CountedWindow, documents_of
from sloscore.experiments.model import Experiment, Phase, new_experiment
from sloscore.experiments.window import WindowCounts
from sloscore.spec.loader import validate
from sloscore.spec.slo import SloSpec
from sloscore.wire import RankedScore

START, END = 1000.0, 1060.0
BOUNDS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, float("inf"))
HISTOGRAMS = ("latency", "ttft", "tpot")
penalties = st.sampled_from([
    "exponential",
    "continuous_exponential",
    "linear",
    {"function": "polynomial", "degree": 3.0},
    {"function": "piecewise", "points": [[0.1, 1.0], [0.5, 20.0]]},
])  # fmt: skip


def limits(thresholds: st.SearchStrategy[float], most_fail: float) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {"threshold": thresholds},
        optional={
            "weight": st.sampled_from([0.0, 1.0, 2.5]),
            "hard_fail": st.booleans(),
            "fail_ratio": st.sampled_from([0.05, 0.2, most_fail]),
            "penalty": penalties,
        },
    )


seconds = st.sampled_from([*BOUNDS[:-1], 6.0]) | st.floats(0.01, 20)
sections = st.fixed_dictionaries(
    {"latency": st.dictionaries(st.sampled_from(["p50", "p90", "p99"]), limits(seconds, 3.0), min_size=1)},
    optional={
        "ttft": limits(seconds, 3.0),
        "tpot": limits(seconds, 3.0),
        "queue": limits(seconds, 3.0),
        "throughput": limits(st.floats(1, 1e4), 0.9),
        "error_rate": limits(st.floats(0.001, 0.5), 0.05),
        "goodput": st.just({"within": {"latency": 2.0, "ttft": 0.5}, "threshold": 0.9}),
        "penalty": st.sampled_from(["exponential", "linear"]),
        "steepness": st.sampled_from([0.05, 0.1, 1.0]),
        "hard_fail_on": st.sampled_from([one.value for one in HardFailOn]),
        "min_requests": st.sampled_from([1, 30]),
        "confidence": st.sampled_from([0.5, 0.95]),
        "phases": st.sampled_from([{"score": "whole"}] * 3 + [{"score": "worst"}]),
    },
)  # fmt: skip


@st.composite
def histograms(draw: st.DrawFn) -> Histogram:
    some = st.sampled_from([0, 1, 40, 300])
    inside = draw(st.lists(some, min_size=len(BOUNDS), max_size=len(BOUNDS)))
    counts = tuple(float(sum(inside[: place + 1])) for place in range(len(BOUNDS)))
    return Histogram(BOUNDS, counts, draw(st.floats(0, 10)) * counts[-1])


seldom = st.sampled_from([0.0] * 6 + [3.0, 7.0, 40.0])
windows = st.builds(
    WindowCounts,
    histograms=st.fixed_dictionaries(dict.fromkeys(HISTOGRAMS, histograms())),
    counters=st.fixed_dictionaries(
        {"tokens_out": st.floats(0, 1e6), "requests": st.integers(0, 2000).map(float)},
        optional={"errors": st.integers(0, 100).map(float)},
    ),
    observed_start=st.just(START - 1),
    observed_end=st.just(END + 1),
    unseen_head=seldom,
    unseen_tail=seldom,
    instances=st.sampled_from([1] * 9 + [0]),
    resets=st.just(0),
    scrape_interval=st.sampled_from([5.0, None]),
    unseen_gaps=seldom,
    widened_head=seldom,
    widened_tail=seldom,
    mixed=st.sampled_from([None] * 9 + ["a:8000"]),
    shown_by=st.just({"requests": 1, "errors": 1}),
)
objectives = st.sampled_from(
    [Objective.MINIMIZE_LATENCY, Objective.MINIMIZE_TTFT, Objective.MAXIMIZE_THROUGHPUT]
)


def experiment_of(slo: Any, objective: Objective, base: float | None) -> Experiment:  # noqa: ANN401  a JSON document
    task = {
        "task_name": "t",
        "server": "vllm",
        "optimization": {"objective": objective.value},
        "slo": slo,
    }
    body = {"id": "one", "task": task, "selector": {"instance": "a"}}
    made = new_experiment("one", "t", body, objective, objective.direction, START, START)
    return replace(made, base_score=base, end=END, updated_at=END)


def whole(experiment: Experiment, counts: Any, slo: SloSpec) -> RankedScore | list[str]:  # noqa: ANN401  as above
    try:
        return scored(judged_again(experiment, counts, slo))
    except SpecError as error:
        return error.problems


def alone(rescorer: Rescorer, experiment: Experiment, counts: Any) -> RankedScore | list[str]:  # noqa: ANN401  as above
    try:
        return rescorer.score(experiment, counts)
    except SpecError as error:
        return error.problems


@settings(max_examples=300)
@given(
    sections, sections, objectives, st.lists(windows, min_size=1, max_size=3), st.none() | st.floats(0, 1e6),
    st.sampled_from([False] * 3 + [True]),
)  # fmt: skip
def test_numbers_of_experiments_of_equal_tasks_are_those_of_their_reports(
    own: Any,  # noqa: ANN401  a JSON document
    other: Any,  # noqa: ANN401  as above
    objective: Objective,
    found: list[WindowCounts],
    base: float | None,
    is_phased: bool,
) -> None:
    slo = validate(SloSpec, other, "slo")
    made = experiment_of(own, objective, base)
    rescorer = Rescorer(slo)
    for number, counts in enumerate(found):
        body = {**made.body, "id": f"trial-{number}", "selector": {"instance": f"{number}"}}
        experiment = replace(made, id=f"trial-{number}", body=body)
        window = CountedWindow(START, END, counts)
        phases = {}
        if is_phased:
            experiment = replace(experiment, phases=(Phase("c=1", START, END),))
            phases = {"c=1": window}
        kept = documents_of(window, phases)
        assert alone(rescorer, experiment, kept) == whole(experiment, kept, slo)
