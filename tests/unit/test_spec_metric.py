from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from sloscore.core.samples import Family, FamilyKind
from sloscore.errors import SpecError
from sloscore.spec.loader import validate
from sloscore.spec.metric import ROLES, CustomMetrics

LATENCY = {"names": ["a"], "unit": "s"}


class Holder(BaseModel):
    """What holds metrics, such as a preset or a task."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    metrics: CustomMetrics


def families(metrics: dict[str, Any]) -> tuple[Family, ...]:
    held = validate(Holder, {"metrics": metrics}, "task")
    return tuple(metric.family(role) for role, metric in held.metrics.items())


@pytest.mark.parametrize(("unit", "scale"), [("s", 1.0), ("ms", 0.001), ("us", 0.000001)])
def test_times_are_scaled_to_seconds(unit: str, scale: float) -> None:
    metrics = {"latency": {"names": ["a"], "unit": unit, "type": "histogram"}}
    assert families(metrics) == (Family("latency", FamilyKind.HISTOGRAM, ("a",), scale),)


def test_the_type_follows_from_the_unit() -> None:
    metrics = {"latency": LATENCY, "tokens_in": {"names": ["b_sum"], "unit": "tokens"}}
    kinds = [family.kind for family in families(metrics)]
    assert kinds == [FamilyKind.HISTOGRAM, FamilyKind.COUNTER]


def test_label_values_come_alone_or_as_a_list() -> None:
    errors = {
        "names": ["a"],
        "unit": "requests",
        "match": {"status": "error", "code": ["500", "503"]},
        "unless": {"kind": ""},
    }
    (family,) = families({"errors": errors})
    assert family.match == (("code", ("500", "503")), ("status", ("error",)))
    assert family.unless == (("kind", ("",)),)


@pytest.mark.parametrize(
    ("labels", "is_held"),
    [
        ({"status": "error", "code": "500"}, True),
        ({"status": "error", "code": "503", "kind": ""}, True),
        ({"status": "error", "code": "503", "kind": "cancelled"}, False),
        ({"status": "error", "code": "404"}, False),
        ({"status": "success", "code": "500"}, False),
        ({"code": "500"}, False),
        ({}, False),
    ],
)
def test_a_family_holds_children_that_match_every_label(
    labels: dict[str, str], is_held: bool
) -> None:
    match = (("code", ("500", "503")), ("status", ("error",)))
    unless = (("kind", ("cancelled", "refused")),)
    family = Family("errors", FamilyKind.COUNTER, ("a",), 1.0, match, unless)
    assert family.holds(tuple(sorted(labels.items()))) is is_held


def test_an_empty_value_stands_for_a_label_that_is_not_there() -> None:
    unlabelled = Family("requests", FamilyKind.COUNTER, ("a",), match=(("code", ("",)),))
    labelled = Family("errors", FamilyKind.COUNTER, ("a",), unless=(("code", ("",)),))
    assert (unlabelled.holds(()), labelled.holds(())) == (True, False)
    assert (unlabelled.holds((("code", "1"),)), labelled.holds((("code", "1"),))) == (False, True)


@pytest.mark.parametrize(
    ("metrics", "problem"),
    [
        ({}, "must hold at least 1 items, got a mapping"),
        (
            {"latency": {"type": "histogram", "names": ["a"], "unit": "tokens"}},
            "latency: a histogram is measured in s or ms or us, not in tokens",
        ),
        (
            {"tokens_out": {"names": ["a"], "unit": "s"}},
            "tokens_out must be a counter in tokens, not a histogram in s",
        ),
        (
            {"errors": {"names": ["a"], "unit": "tokens"}},
            "errors must be a counter in requests, not a counter in tokens",
        ),
        (
            {"ttft": {"names": ["a"], "unit": "requests"}},
            "ttft must be a histogram in s or ms or us, not a counter in requests",
        ),
        (
            {"ttft": {"type": "gauge", "names": ["a"], "unit": "s"}},
            'ttft.type: must be one of histogram, counter, got "gauge"',
        ),
        (
            {"ttft": {"names": [], "unit": "s"}},
            "ttft.names: must hold at least 1 items, got a list",
        ),
        (
            {"ttft": {"names": ["a"] * 17, "unit": "s"}},
            "ttft.names: must hold at most 16 items, got a list",
        ),
        (
            {"ttft": {"names": ["ok", "a b"], "unit": "s"}},
            'ttft.names[1]: must match ^[a-zA-Z_:][a-zA-Z0-9_:]*$, got "a b"',
        ),
        (
            {"ttft": {"name": "a", "names": ["a"], "unit": "s"}},
            "ttft.name: is not a known key; did you mean names?",
        ),
        ({"ttft": {"names": ["a"]}}, "ttft.unit: is required"),
        (
            {"ttft": {"names": ["a"], "unit": "min"}},
            'ttft.unit: must be one of s, ms, us, requests, tokens, got "min"',
        ),
        (
            {"ttft": {"names": ["a"], "unit": "s", "match": {"le": "1"}}},
            "ttft.match.le: le does not tell the parts of a metric from each other",
        ),
        (
            {"ttft": {"names": ["a"], "unit": "s", "match": {"a": []}}},
            "ttft.match.a: must hold at least 1 items, got a list",
        ),
        (
            {"ttft": {"names": ["a"], "unit": "s", "unless": {"a": 1}}},
            "ttft.unless.a: must be a list, got 1",
        ),
        (
            {"errors": {"names": ["a"], "unit": "requests", "holds_failed": "all"}},
            "holds_failed belongs to requests, not to errors",
        ),
        (
            {"requests": {"names": ["a"], "unit": "requests", "zero_with": "tokens_in"}},
            "zero_with belongs to errors, not to requests",
        ),
        (
            {"requests": {"names": ["a"], "unit": "requests", "holds_failed": "most"}},
            'requests.holds_failed: must be one of all, none, some, got "most"',
        ),
        (
            {"tokens": LATENCY},
            f'tokens: must be one of {", ".join(ROLES)}, got "tokens"',
        ),
    ],
)
def test_metrics_that_make_no_sense_are_refused(metrics: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError) as raised:
        families(metrics)
    (found,) = raised.value.problems
    assert found.removeprefix("task: metrics").removeprefix(".").removeprefix(": ") == problem
