from typing import Any

import pytest
from tests.expositions import read

from sloscore.core.samples import Family, FamilyKind
from sloscore.core.shares import Failures, Held, failed_share
from sloscore.core.sli import Estimate
from sloscore.errors import SpecError
from sloscore.spec.loader import validate
from sloscore.spec.metric import Metric, Role
from sloscore.spec.model import TaskSpec
from sloscore.spec.preset import (
    Preset,
    families_for,
    load_preset,
    named_server,
    preset_names,
    preset_of,
    roles_for,
)

SLO = {"ttft": {"threshold": 1.0}}
LATENCY = {"names": ["a"], "unit": "s"}
KNOWN = (
    "dynamo, gateway-api-inference-extension, kserve, llm-d-router, lmdeploy, nim, otel-genai, "
    "ray-serve-llm, sglang, tensorrt-llm, tgi, triton, vllm"
)


def task(**more: Any) -> TaskSpec:  # noqa: ANN401  the fields of a task are of many types
    return validate(TaskSpec, {"task_name": "t", **more})


def preset(data: dict[str, Any]) -> Preset:
    texts = {"server": "s", "version": "1", "source": "x", "model_label": "m"}
    return validate(Preset, {**texts, "metrics": data}, "preset")


def metrics(data: dict[str, Any]) -> dict[Role, Metric]:
    return preset(data).metrics


def test_presets_are_listed_by_name() -> None:
    assert ", ".join(preset_names()) == KNOWN


@pytest.mark.parametrize("name", ["sglang", "vllm"])
def test_engines_have_every_role_in_seconds_or_counts(name: str) -> None:
    roles = ("latency", "ttft", "tpot", "itl", "queue", "requests", "errors", "tokens_out")
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


def test_a_preset_that_has_what_it_lacks_is_refused() -> None:
    texts = {"server": "s", "version": "1", "source": "x", "model_label": None}
    data = {**texts, "metrics": {"latency": LATENCY}, "lacks": {"latency": "none"}}
    with pytest.raises(SpecError, match=r"lacks.latency contradicts metrics.latency"):
        validate(Preset, data, "preset")


@pytest.mark.parametrize("name", ["custom", "../vllm", "", "vllm.yaml", "VLLM"])
def test_an_unknown_preset_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(SpecError, match=rf"there is no preset .*; there are {KNOWN}"):
        load_preset(name)


@pytest.mark.parametrize(
    ("fields", "server"),
    [
        ({"server": "vllm"}, "vllm"),
        ({"server": "vllm", "base_runtime": "sglang"}, "vllm"),
        ({"server": "sglang", "base_runtime": {"own": 1}}, "sglang"),
        ({"base_runtime": "sglang"}, "sglang"),
        ({"base_runtime": "vLLM"}, "vllm"),
        ({"base_runtime": "tensorrt-llm"}, "tensorrt-llm"),
        ({}, None),
        ({"base_runtime": ["vllm"]}, None),
        ({"base_runtime": "my-own"}, None),
    ],
)
def test_the_server_is_named_outright_or_by_the_runtime(
    fields: dict[str, Any], server: str | None
) -> None:
    assert named_server(task(**fields)) == server


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"server": "ollama"}, f"server: must be one of {KNOWN}, got 'ollama'"),
        (
            {"server": "ollama", "base_runtime": "vllm"},
            f"server: must be one of {KNOWN}, got 'ollama'",
        ),
    ],
)
def test_a_server_without_a_preset_is_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError) as raised:
        named_server(task(**fields))
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


def test_a_task_that_names_no_server_reads_nothing_yet() -> None:
    assert families_for(task(slo=SLO)) == ()


def test_metrics_of_its_own_need_no_server_and_replace_those_of_one() -> None:
    own = {"latency": {"names": ["my_latency_seconds"], "unit": "s"}}
    (family,) = families_for(task(metrics=own))
    assert family.names == ("my_latency_seconds",)
    latency, ttft = families_for(task(metrics=own, server="vllm", slo=SLO))
    assert latency.names == ("my_latency_seconds",)
    assert ttft.names == ("vllm:time_to_first_token_seconds",)


@pytest.mark.parametrize(
    ("server", "fields", "roles"),
    [
        ("triton", {"slo": SLO, "optimization": {"objective": "minimize_ttft"}}, "requests ttft"),
        ("kserve", {}, "latency"),
        ("tgi", {"optimization": {"objective": "minimize_tpot"}}, "latency tpot"),
    ],
)
def test_requests_are_counted_by_a_counter_where_there_is_no_latency(
    server: str, fields: dict[str, Any], roles: str
) -> None:
    families = families_for(task(server=server, **fields))
    assert [family.role for family in families] == roles.split()


@pytest.mark.parametrize(
    ("server", "fields", "words"),
    [
        ("tgi", {"slo": SLO}, ["ttft: TGI measures no time to first token", "it has latency"]),
        ("triton", {}, ["latency: Triton keeps the latency of requests as a summary", "has ttft"]),
        (
            "dynamo",
            {"slo": {"tpot": {"threshold": 1}}},
            ["tpot: Dynamo's frontend times each token", "and itl"],
        ),
        (
            "kserve",
            {"optimization": {"objective": "maximize_throughput"}},
            ["tokens_out: KServe's server does not know tokens"],
        ),
    ],
)
def test_what_a_server_lacks_is_told_with_what_it_has_instead(
    server: str, fields: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(SpecError) as raised:
        families_for(task(server=server, **fields))
    (problem,) = raised.value.problems
    assert problem.startswith(f"preset {server} has no metric for ")
    assert [word for word in words if word not in problem] == []


def test_a_family_that_a_preset_says_nothing_of_is_a_sentence() -> None:
    with pytest.raises(SpecError) as raised:
        preset({"latency": LATENCY}).families(["latency", "ttft", "tokens_out"])
    assert raised.value.problems == [
        "preset s has no metric for ttft; it has latency",
        "preset s has no metric for tokens_out; it has latency",
    ]


def test_custom_metrics_make_a_preset_of_their_own() -> None:
    found = preset_of(metrics({"latency": {"names": ["a_ms"], "unit": "ms"}}))
    assert found.families(["latency"]) == (
        Family("latency", FamilyKind.HISTOGRAM, ("a_ms",), 0.001),
    )
    with pytest.raises(SpecError, match="preset custom has no metric for ttft; it has latency"):
        found.families(["ttft"])


def test_custom_metrics_stand_before_those_of_a_preset() -> None:
    base = load_preset("tgi")
    found = preset_of(metrics({"ttft": LATENCY, "latency": LATENCY}), base)
    latency, ttft, queue = found.families(["latency", "ttft", "queue"])
    assert (latency.names, ttft.names) == (("a",), ("a",))
    assert (queue,) == base.families(["queue"])
    with pytest.raises(SpecError, match="TGI does not time single tokens"):
        found.families(["itl"])
    assert (set(base.lacks), set(found.lacks)) == ({"ttft", "itl"}, {"itl"})


COUNTER = {"names": ["n_total"], "unit": "requests"}
OTHER = {"names": ["e_total"], "unit": "requests"}


@pytest.mark.parametrize(
    ("requests", "errors", "held"),
    [
        (COUNTER, {**COUNTER, "match": {"status": "500"}}, Held.ALL),
        (COUNTER, OTHER, Held.SOME),
        ({**COUNTER, "match": {"path": "/"}}, {**COUNTER, "match": {"status": "500"}}, Held.SOME),
        ({**COUNTER, "holds_failed": "none"}, OTHER, Held.NONE),
    ],
)
def test_failed_requests_are_among_all_where_they_are_a_part_of_the_same_metric(
    requests: dict[str, Any], errors: dict[str, Any], held: Held
) -> None:
    assert preset({"requests": requests, "errors": errors}).failures == Failures(held)


@pytest.mark.parametrize("name", preset_names())
def test_an_error_rate_reads_what_tells_that_nothing_failed(name: str) -> None:
    found = load_preset(name)
    objective = "minimize_latency" if "latency" in found.metrics else "minimize_ttft"
    optimization = {"objective": objective}
    asked = task(server=name, slo={"error_rate": {"threshold": 0.01}}, optimization=optimization)
    if "errors" not in found.metrics:
        with pytest.raises(SpecError, match=f"preset {name} has no metric for errors: "):
            families_for(asked)
        return
    roles = [family.role for family in found.families(roles_for(asked, found))]
    assert {"errors", "requests", found.failures.zero_with or "requests"} <= {*roles}


@pytest.mark.parametrize("name", [name for name in preset_names() if name != "kserve"])
def test_the_error_rate_of_what_a_server_exposes_is_that_of_its_load(name: str) -> None:
    found = load_preset(name)
    sample = read(f"{name}.txt", found.families(["requests", "errors"]))
    totals = dict.fromkeys(("requests", "errors"), 0.0)
    for child, value in sample.counters.items():
        totals[child.role] += value
    share = failed_share(totals["errors"], totals["requests"], found.failures.held, 0.95)
    assert isinstance(share, Estimate)
    # 2 of 40 failed; what some counters leave open is told.
    assert share.lower <= 0.05 <= share.upper
    assert (share.lower == share.upper) is (found.failures.held is not Held.SOME)
