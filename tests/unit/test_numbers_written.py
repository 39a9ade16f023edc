"""Reports of numbers under a section that is known say what they say under one that is not."""

import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloscore.core.objective import Objective
from sloscore.errors import SpecError
from sloscore.evaluation.numbers import KnownNumbers, Numbers
from sloscore.evaluation.report import report_values
from sloscore.spec.slo import SloSpec
from sloscore.wire import ScoreRequest

NOW = 1_790_000_000.123
PENALTIES = [
    "exponential",
    "continuous_exponential",
    "linear",
    {"function": "polynomial", "degree": 3},
    {"function": "piecewise", "points": [[0, 1], [0.5, 4], [1, 9]]},
]
targets = st.fixed_dictionaries(
    {
        "threshold": st.floats(1e-3, 1e4),
        "weight": st.sampled_from([0.0, 1.0]) | st.floats(0, 100),
        "hard_fail": st.booleans(),
        "fail_ratio": st.floats(0, 5),
    },
    optional={"penalty": st.sampled_from(PENALTIES)},
)
shares = st.fixed_dictionaries({"threshold": st.floats(1e-3, 0.6), "hard_fail": st.booleans()})
sections = st.fixed_dictionaries(
    {"latency": st.dictionaries(st.sampled_from(["p50", "p90", "p99.9"]), targets, min_size=1)},
    optional={
        "ttft": targets,
        "queue": targets,
        "throughput": targets,
        "error_rate": shares,
        "hard_fail_on": st.sampled_from(["estimate", "certain"]),
        "steepness": st.floats(1e-3, 1e3),
    },
)


@st.composite
def requests(draw: st.DrawFn) -> ScoreRequest:
    """A section, and a value at, near or anywhere around each of its limits."""
    section = SloSpec.model_validate(draw(sections))
    values = {}
    for sli, slo in section.limits():
        over = st.sampled_from([-1.0, 0.0, slo.fail_ratio, -slo.fail_ratio]) | st.floats(-1, 9)
        values[sli.id] = max(0.0, slo.threshold * (1 + draw(over)))
    return ScoreRequest(
        slo=section,
        objective=draw(st.sampled_from(Objective)),
        base_score=draw(st.just(0.0) | st.floats(0, 1e6)),
        values=values,
    )


def told(report: bytes) -> list[tuple[str, Any]]:
    """Everything that a report says, in its order."""
    document = orjson.loads(report)
    return [*document.items(), *(item for sli in document["slis"] for item in sli.items())]


def in_full(request: ScoreRequest) -> bytes:
    return report_values(request, NOW).model_dump_json().encode()


@given(requests())
def test_a_known_section_makes_the_same_report(request: ScoreRequest) -> None:
    numbers = KnownNumbers()
    assert request.slo is not None
    written = Numbers(request.slo, request.objective).write(request, NOW)
    assert written is None or told(written) == told(in_full(request))
    for _ in range(3):
        assert told(numbers.report(request, NOW)) == told(in_full(request))


def request_of(values: dict[str, float | None], base: float | None = 1.0) -> ScoreRequest:
    section = {"ttft": {"threshold": 1.0, "hard_fail": True}, "tpot": {"threshold": 0.1}}
    return ScoreRequest.model_validate({"slo": section, "base_score": base, "values": values})


@pytest.mark.parametrize("ttft", [0.0, 1.0, 1.2, 1.5, 2.0])
def test_what_was_measured_is_written_without_a_report(ttft: float) -> None:
    request = request_of({"ttft": ttft, "tpot": 0.05})
    assert request.slo is not None
    written = Numbers(request.slo, request.objective).write(request, NOW)
    assert written is not None
    assert told(written) == told(in_full(request))


@pytest.mark.parametrize(
    ("values", "base"),
    [
        ({"ttft": 1.0}, 1.0),
        ({"ttft": None, "tpot": 0.1}, 1.0),
        ({"ttft": math.nan, "tpot": 0.1}, 1.0),
        ({"ttft": 1.0, "tpot": 0.1}, None),
        ({"ttft": 0.5, "tpot": 1e300}, 1.0),
        ({"ttft": 0.5, "tpot": 60.0}, 1e300),
    ],
    ids=["left out", "null", "NaN", "no base", "past a float", "score past a float"],
)
def test_what_has_more_to_say_is_reported_in_full(
    values: dict[str, float | None], base: float | None
) -> None:
    numbers, request = KnownNumbers(), request_of(values, base)
    assert request.slo is not None
    assert Numbers(request.slo, request.objective).write(request, NOW) is None
    for _ in range(3):
        assert told(numbers.report(request, NOW)) == told(in_full(request))


@pytest.mark.parametrize("values", [{"ttft": -1.0, "tpot": 0.1}, {"ttft": 1.0, "other": 0.1}])
def test_mistakes_in_the_numbers_are_told_however_often(values: dict[str, float | None]) -> None:
    numbers, request = KnownNumbers(), request_of(values)
    for _ in range(3):
        with pytest.raises(SpecError):
            numbers.report(request, NOW)


def test_the_same_section_under_another_objective_has_its_own_direction() -> None:
    numbers, request = KnownNumbers(), request_of({"ttft": 1.2, "tpot": 0.1})
    other = request.model_copy(update={"objective": Objective.MAXIMIZE_THROUGHPUT})
    for each in (request, other, request, other):
        assert told(numbers.report(each, NOW)) == told(in_full(each))


def test_no_more_than_the_latest_sections_are_kept() -> None:
    numbers = KnownNumbers()
    for threshold in range(1, 200):
        request = ScoreRequest(
            slo=SloSpec.model_validate({"ttft": {"threshold": float(threshold)}}),
            base_score=1.0,
            values={"ttft": 0.5},
        )
        numbers.report(request, NOW)
    assert len(numbers._known) == 64
