"""Single values of an slo section, changed by their paths."""

from typing import Any

import pytest

from sloscore.errors import SpecError
from sloscore.spec.changes import with_changes

SECTION: dict[str, Any] = {
    "latency": {"p90": {"threshold": 5.0, "weight": 2.0}, "p99.9": {"threshold": 10.0}},
    "steepness": 0.1,
}


@pytest.mark.parametrize(
    ("change", "path", "value"),
    [
        pytest.param({"steepness": 0.2}, ("steepness",), 0.2, id="a value at the top"),
        pytest.param(
            {"latency.p90.threshold": 4.0}, ("latency", "p90", "threshold"), 4.0, id="a value within"
        ),
        pytest.param(
            {"latency.p99.9.threshold": 8.0}, ("latency", "p99.9", "threshold"), 8.0,
            id="below a key that holds a dot",
        ),
        pytest.param(
            {"ttft.threshold": 1.0}, ("ttft", "threshold"), 1.0, id="in a section that is new"
        ),
    ],
)  # fmt: skip
def test_a_value_changes_and_nothing_else(
    change: dict[str, object], path: tuple[str, ...], value: object
) -> None:
    changed = with_changes(SECTION, change)
    *way, last = path
    inner = changed
    for name in way:
        inner = inner[name]
    assert inner.pop(last) == value
    original = with_changes(SECTION, {".".join(path): value})
    assert original["latency"].keys() == SECTION["latency"].keys()
    assert SECTION["latency"]["p90"] == {"threshold": 5.0, "weight": 2.0}


def test_null_takes_a_value_away() -> None:
    changed = with_changes(SECTION, {"latency.p90.weight": None})
    assert changed["latency"]["p90"] == {"threshold": 5.0}


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        pytest.param("steepness.p90", 1.0, "steepness is a value", id="through a value"),
        pytest.param("tpot", None, "tpot is not there", id="taking away what is not there"),
        pytest.param("tpot.weight", None, "tpot is not there", id="within what is not there"),
        pytest.param("latency..p90", 1.0, "is no path", id="an empty name"),
        pytest.param("", 1.0, "is no path", id="nothing at all"),
    ],
)
def test_a_path_that_leads_nowhere_is_named(path: str, value: object, sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        with_changes(SECTION, {path: value})
    assert caught.value.problems[0].startswith(f"{path}: ")
    assert sentence in caught.value.problems[0]
