from typing import Any

import pytest

from sloscore.core.samples import Family, FamilyKind
from sloscore.errors import SpecError
from sloscore.spec.loader import validate
from sloscore.spec.model import TaskSpec
from sloscore.spec.preset import (
    Preset,
    families_for,
    load_preset,
    preset_names,
    resolve_server,
)

SLO = {"ttft": {"threshold": 1.0}}


def task(**more: Any) -> TaskSpec:  # noqa: ANN401  the fields of a task are of many types
    return validate(TaskSpec, {"task_name": "t", **more})


def preset(metrics: dict[str, Any]) -> Preset:
    texts = {"server": "s", "version": "1", "source": "x", "model_label": "m"}
    return validate(Preset, {**texts, "metrics": metrics}, "preset")


def test_there_are_presets_for_vllm_and_sglang() -> None:
    assert preset_names() == ("sglang", "vllm")


@pytest.mark.parametrize("name", ["sglang", "vllm"])
def test_a_preset_has_every_role_in_seconds_or_counts(name: str) -> None:
    roles = ("latency", "ttft", "tpot", "itl", "queue", "requests", "tokens_out", "tokens_in")
    families = load_preset(name).families(roles)
    assert load_preset(name).server == name
    assert tuple(family.role for family in families) == roles
    assert {family.scale for family in families} == {1.0}
    for family in families:
        ending = "_seconds" if family.kind is FamilyKind.HISTOGRAM else "_total"
        assert all(spelling.endswith(ending) for spelling in family.names)


def test_time_per_output_token_of_vllm_is_the_per_request_histogram() -> None:
    (family,) = load_preset("vllm").families(["tpot"])
    assert family.names == ("vllm:request_time_per_output_token_seconds",)


def test_sglang_has_both_spellings_of_its_prefix() -> None:
    (family,) = load_preset("sglang").families(["latency"])
    assert family.names == (
        "sglang:e2e_request_latency_seconds",
        "sglang_e2e_request_latency_seconds",
    )


def test_milliseconds_are_scaled_to_seconds() -> None:
    metric = {"type": "histogram", "names": ["a_ms"], "unit": "ms"}
    assert preset({"latency": metric}).families(["latency"]) == (
        Family("latency", FamilyKind.HISTOGRAM, ("a_ms",), 0.001),
    )


@pytest.mark.parametrize(
    ("role", "metric", "problem"),
    [
        (
            "latency",
            {"type": "histogram", "names": ["a"], "unit": "tokens"},
            "metrics.latency: a histogram is measured in ms or s, not in tokens",
        ),
        (
            "tokens_out",
            {"type": "histogram", "names": ["a"], "unit": "s"},
            "metrics.tokens_out must be a counter, not a histogram",
        ),
        (
            "ttft",
            {"type": "counter", "names": ["a"], "unit": "requests"},
            "metrics.ttft must be a histogram, not a counter",
        ),
        (
            "ttft",
            {"type": "gauge", "names": ["a"], "unit": "s"},
            'metrics.ttft.type: must be one of histogram, counter, got "gauge"',
        ),
        (
            "ttft",
            {"type": "histogram", "names": [], "unit": "s"},
            "metrics.ttft.names: must hold at least 1 items, got a list",
        ),
        (
            "ttft",
            {"type": "histogram", "names": ["ok", "a b"], "unit": "s"},
            'metrics.ttft.names[1]: must match ^[a-zA-Z_:][a-zA-Z0-9_:]*$, got "a b"',
        ),
    ],
)
def test_a_preset_that_makes_no_sense_is_refused(
    role: str, metric: dict[str, Any], problem: str
) -> None:
    with pytest.raises(SpecError) as raised:
        preset({role: metric})
    assert raised.value.problems == [f"preset: {problem}"]


@pytest.mark.parametrize("name", ["tgi", "../vllm", "", "vllm.yaml", "VLLM"])
def test_an_unknown_preset_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(SpecError, match=r"there is no preset .*; there are sglang, vllm"):
        load_preset(name)


@pytest.mark.parametrize(
    ("fields", "server"),
    [
        ({"server": "vllm"}, "vllm"),
        ({"server": "vllm", "base_runtime": "sglang"}, "vllm"),
        ({"server": "sglang", "base_runtime": {"own": 1}}, "sglang"),
        ({"base_runtime": "sglang"}, "sglang"),
        ({"base_runtime": "vLLM"}, "vllm"),
    ],
)
def test_the_server_is_named_outright_or_by_the_runtime(
    fields: dict[str, Any], server: str
) -> None:
    assert resolve_server(task(**fields)) == server


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({}, "server: is required as base_runtime names no preset; one of sglang, vllm"),
        (
            {"base_runtime": ["vllm"]},
            "server: is required as base_runtime names no preset; one of sglang, vllm",
        ),
        ({"server": "tgi"}, "server: must be one of sglang, vllm, got 'tgi'"),
        (
            {"server": "tgi", "base_runtime": "vllm"},
            "server: must be one of sglang, vllm, got 'tgi'",
        ),
    ],
)
def test_a_server_without_a_preset_is_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError) as raised:
        resolve_server(task(**fields))
    assert raised.value.problems == [problem]


@pytest.mark.parametrize(
    ("fields", "roles"),
    [
        ({}, ["latency"]),
        ({"slo": SLO}, ["latency", "ttft"]),
        ({"optimization": {"objective": "minimize_tpot"}}, ["latency", "tpot"]),
        ({"optimization": {"objective": "maximize_throughput"}}, ["latency", "tokens_out"]),
        ({"slo": {"throughput": {"threshold": 1}}}, ["latency", "tokens_out"]),
        (
            {
                "slo": {**SLO, "tpot": {"threshold": 1}},
                "optimization": {"objective": "minimize_ttft"},
            },
            ["latency", "tpot", "ttft"],
        ),
    ],
)
def test_a_task_reads_what_its_slos_and_objective_need_and_latency(
    fields: dict[str, Any], roles: list[str]
) -> None:
    families = families_for(task(server="vllm", **fields))
    assert [family.role for family in families] == roles


def test_a_family_that_the_server_lacks_is_a_sentence() -> None:
    metric = {"type": "histogram", "names": ["a"], "unit": "s"}
    with pytest.raises(SpecError) as raised:
        preset({"latency": metric}).families(["latency", "ttft", "tokens_out"])
    assert raised.value.problems == [
        "preset s has no metric for ttft; it has latency",
        "preset s has no metric for tokens_out; it has latency",
    ]
