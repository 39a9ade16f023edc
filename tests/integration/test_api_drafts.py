"""Tasks that are being written: checked, drawn and compiled by the service, and never kept."""

import json
import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from tests.integration.service import EXPERIMENTS, PROBLEM, Answer, Api, Json, serving, settings

from sloscore.cli.main import cli

CHECK, CURVES, RULES = "/api/v1/check", "/api/v1/curves", "/api/v1/rules"
SLO = {
    "latency": {
        "p50": {"threshold": 2.0},
        "p90": {"threshold": 5.0, "weight": 2.0, "hard_fail": True, "fail_ratio": 0.2},
    },
    "throughput": {"threshold": 100.0, "hard_fail": True},
}
TASK = {"task_name": "chat", "server": "vllm", "selector": {"job": "vllm"}, "slo": SLO}
MANY = {"latency": {f"p{number}": {"threshold": 1.0} for number in range(1, 66)}}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(settings(tmp_path)) as api:
        yield api


def changed(**changes: Json) -> Json:
    """The task but for these keys; None leaves one out."""
    return {key: value for key, value in {**TASK, **changes}.items() if value is not None}


def fields_of(answer: Answer) -> dict[str, str]:
    assert (answer.status, answer.type) == (422, PROBLEM), answer
    problem = answer.json
    assert problem["detail"] == problem["errors"][0]
    return {field["pointer"]: field["detail"] for field in problem.get("fields", [])}


async def test_a_task_is_answered_with_every_default_in_its_place(api: Api) -> None:
    answer = (await api.post(CHECK, {"task": TASK})).json
    assert answer["written"] is None
    assert answer["warnings"] == []
    slo = answer["task"]["slo"]
    assert (slo["penalty"], slo["steepness"]) == ("exponential", 0.1)
    assert slo["latency"]["p50"] == {
        "threshold": 2.0,
        "weight": 1.0,
        "hard_fail": False,
        "fail_ratio": 0.5,
        "penalty": None,
    }
    assert answer["task"]["optimization"]["objective"] == "minimize_latency"


@pytest.mark.parametrize("name", ["task.json", "task.yaml"])
async def test_the_text_of_a_file_is_answered_as_it_is_written_with_nothing_added(
    api: Api, name: str
) -> None:
    task = changed(
        parameters={"seed": [2**63, -1], "rate": [0.0, 1e-7], "name": "\u00e9\u4e16"},
        optimization={"strategy": "grid_search", "patience": {"of": [None, True]}},
        slo={"ttft": {"p95": {"threshold": 1}}, "warmup": "5m"},
    )
    text = json.dumps(task) if name.endswith("json") else yaml.safe_dump(task)
    answer = (await api.post(CHECK, {"text": text, "name": name})).json
    assert answer["written"] == task
    assert answer["task"]["slo"]["warmup"] == 300.0


async def test_each_sli_of_a_task_points_to_its_limit(api: Api) -> None:
    slo = {
        "latency": {"p99.9": {"threshold": 1.0}, "p50": {"threshold": 1.0}},
        "ttft": {"p90": {"threshold": 1.0}},
        "tpot": {"threshold": 1.0, "statistic": "p95"},
        "throughput": {"total": {"threshold": 1.0}, "requests": {"threshold": 1.0}},
    }
    slis = (await api.post(CHECK, {"task": changed(slo=slo)})).json["slis"]
    assert [(one["sli"], one["pointer"], one["title"], one["unit"]) for one in slis] == [
        ("latency_p50", "/slo/latency/p50", "P50 of latency", "s"),
        ("latency_p99.9", "/slo/latency/p99.9", "P99.9 of latency", "s"),
        ("ttft_p90", "/slo/ttft/p90", "P90 of ttft", "s"),
        ("tpot", "/slo/tpot", "P95 of tpot", "s"),
        ("total_throughput", "/slo/throughput/total", "total throughput", "tokens/s"),
        ("request_throughput", "/slo/throughput/requests", "request throughput", "requests/s"),
    ]
    flat = {"throughput": {"threshold": 1.0}}
    (one,) = (await api.post(CHECK, {"task": changed(slo=flat)})).json["slis"]
    assert (one["sli"], one["pointer"]) == ("throughput", "/slo/throughput")


async def test_what_is_rarely_meant_is_a_warning(api: Api) -> None:
    answer = await api.post(CHECK, {"task": changed(slo={"ttft": {"threshold": 1000.0}})})
    assert answer.json["warnings"] == ["ttft: threshold is 1000 s: seconds, not milliseconds?"]


@pytest.mark.parametrize(
    ("task", "pointer", "words"),
    [
        (changed(task_name=None), "/task/task_name", "is required"),
        (changed(task_name=""), "/task/task_name", "at least 1 characters"),
        (changed(server="ollama"), "/task/server", "must be one of dynamo, "),
        (changed(selector={"a/b~c": ""}), "/task/selector/a~1b~0c", "at least 1 characters"),
        (changed(slo={}), "/task/slo", "holds no SLO"),
        (
            changed(slo={"latency": {"p90": {"threshold": "5s"}}}),
            "/task/slo/latency/p90/threshold",
            'must be a number, got "5s"',
        ),
        (
            changed(slo={"latency": {"p101": {"threshold": 1}}}),
            "/task/slo/latency/p101",
            "is not a percentile",
        ),
        (changed(slo={"ttft": {}}), "/task/slo/ttft/threshold", "is required"),
        (changed(slo={"ttft": {"threshold": 1, "x": 1}}), "/task/slo/ttft/x", "not a known key"),
        (
            changed(slo={"ttft": {"p90": {"threshold": 1, "weight": -1}}}),
            "/task/slo/ttft/p90/weight",
            "must be at least 0, got -1",
        ),
    ],
)
async def test_each_mistake_of_a_task_points_to_its_field(
    api: Api, task: Json, pointer: str, words: str
) -> None:
    fields = fields_of(await api.post(CHECK, {"task": task}))
    assert list(fields) == [pointer]
    assert words in fields[pointer]


async def test_an_example_points_to_the_values_that_cannot_be(api: Api) -> None:
    body = {"slo": SLO, "base_score": 1.0, "values": {"latency_p50": -1.0, "ttft": 1.0}}
    fields = fields_of(await api.post("/api/v1/score", body))
    assert set(fields) == {"/values/latency_p50", "/values/ttft"}
    assert "must be 0 or above, got -1" in fields["/values/latency_p50"]


async def test_a_registration_points_to_its_mistakes_too(api: Api) -> None:
    fields = fields_of(await api.post(EXPERIMENTS, {"id": "a b", "task": changed(slo={})}))
    assert set(fields) == {"/id", "/task/slo"}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"text": "slo:\n  ttft: {threshold: -1}"}, "task.yaml:2: slo.ttft.threshold: must be"),
        ({"text": "task_name: a\nserver: ollama"}, "server: must be one of dynamo, "),
        ({"text": "[1]", "name": "a.json"}, "a.json:1: must be a mapping at its top"),
        ({"text": "{", "name": "a.json"}, "a.json:1"),
        ({"text": ""}, "task.yaml: is empty"),
        ({"text": "a: &b 1\nc: *b"}, "aliases (*name) are not supported"),
    ],
)
async def test_a_mistake_in_a_text_is_told_by_its_line_and_points_nowhere(
    api: Api, body: Json, sentence: str
) -> None:
    answer = await api.post(CHECK, body)
    assert fields_of(answer) == {}
    assert any(sentence in one for one in answer.json["errors"])


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (CHECK, {}, "give either task (as JSON) or text"),
        (CHECK, {"task": TASK, "text": "a: 1"}, "give either task (as JSON) or text"),
        (CHECK, {"text": "a" * 65537}, "text: must be text of at most 65536 characters"),
        (CHECK, {"text": "a: 1", "name": ""}, "name: must be text of at least 1"),
        (CURVES, {}, "slo: is required"),
        (CURVES, {"slo": {"latency": {}}}, "slo: holds no SLO"),
        (CURVES, {"slo": MANY}, "slo: holds 65 SLOs; this takes 64 at most"),
        (RULES, {}, "task: is required"),
        (RULES, {"task": changed(slo=MANY)}, "task.slo: holds 65 SLOs"),
        (RULES, {"task": changed(slo=None)}, "slo: is required: without a limit"),
        (RULES, {"task": changed(selector=None)}, "selector: is required: say which series"),
        (RULES, {"task": changed(server=None)}, "server: is required: a ruler cannot recognise"),
        (RULES, {"task": TASK, "window": "soon"}, "window: 'soon' is no duration"),
        (RULES, {"task": TASK, "window": 0.0001}, "window: must be whole milliseconds"),
        (RULES, {"task": TASK, "interval": "3m"}, "interval: must be 2m at most"),
    ],
)
async def test_what_cannot_be_checked_drawn_or_compiled_is_refused_by_name(
    api: Api, path: str, body: Json, words: str
) -> None:
    answer = await api.post(path, body)
    fields_of(answer)
    assert words in answer.json["detail"]


@pytest.mark.parametrize("depth", [100, 900])
async def test_a_task_that_is_nested_deeply_is_answered_or_refused(api: Api, depth: int) -> None:
    nested: Json = []
    for _ in range(depth):
        nested = [nested]
    answer = await api.post(CHECK, {"task": changed(model=nested)})
    assert answer.status == 200 or "nested too deeply" in answer.json["detail"]


async def test_curves_have_the_limits_and_the_penalties_of_the_contract(api: Api) -> None:
    curves = (await api.post(CURVES, {"slo": SLO})).json["curves"]
    by_sli = {curve["sli"]: curve for curve in curves}
    assert list(by_sli) == ["latency_p50", "latency_p90", "throughput"]
    limits = [(one["threshold"], one["hard_limit"], one["unit"]) for one in curves]
    assert limits == [(2.0, None, "s"), (5.0, 6.0, "s"), (100.0, 50.0, "tokens/s")]
    points = {point["value"]: point["penalty"] for point in by_sli["latency_p90"]["points"]}
    assert points[5.0] == 0
    assert points[6.0] == pytest.approx(2 * math.exp(0.2 / 0.1))


async def test_a_curve_is_that_of_the_limit_s_own_penalty_function(api: Api) -> None:
    own = {"function": "piecewise", "points": [[0.1, 1.0], [0.2, 5.0]]}
    slo = {**SLO, "penalty": "linear", "ttft": {"threshold": 1.0, "weight": 3.0, "penalty": own}}
    curves = {one["sli"]: one for one in (await api.post(CURVES, {"slo": slo})).json["curves"]}
    linear = {point["value"]: point["penalty"] for point in curves["latency_p90"]["points"]}
    assert linear[6.0] == pytest.approx(2 * 0.2 / 0.1)
    piecewise = {point["value"]: point["penalty"] for point in curves["ttft"]["points"]}
    assert piecewise[1.1] == pytest.approx(3.0)


@pytest.mark.parametrize("penalty", ["exponential", {"function": "polynomial", "degree": 3}])
async def test_a_point_of_a_curve_is_what_the_service_scores_there(
    api: Api, penalty: object
) -> None:
    slo = {**SLO, "penalty": penalty}
    for curve in (await api.post(CURVES, {"slo": slo})).json["curves"]:
        for point in curve["points"][::7]:
            values = {curve["sli"]: point["value"]}
            body = {"slo": slo, "base_score": 1.0, "values": values}
            slis = (await api.post("/api/v1/score", body)).json["slis"]
            (scored,) = [one for one in slis if one["sli"] == curve["sli"]]
            assert scored["penalty"] == point["penalty"]
            assert scored["violation_ratio"] == point["violation_ratio"]
            beyond = curve["hard_limit"] is not None and (
                point["value"] <= curve["hard_limit"]
                if curve["is_minimum"]
                else point["value"] >= curve["hard_limit"]
            )
            assert (scored["verdict"] == "hard_fail") == beyond


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ({}, []),
        (
            {"window": "10m", "interval": 60, "assume_bound": True},
            ["--window", "10m", "--interval", "1m", "--assume-bound"],
        ),
    ],
)
async def test_rules_are_those_that_the_command_makes_of_the_same_task(
    api: Api, tmp_path: Path, options: Json, arguments: list[str]
) -> None:
    path = tmp_path / "task.json"
    path.write_text(json.dumps(TASK), encoding="utf-8")
    made = CliRunner().invoke(cli, ["rules", *arguments, str(path)])
    answer = await api.post(RULES, {"task": TASK, **options})
    assert (answer.status, answer.type) == (200, "application/yaml")
    # Only the command knows what a file holds byte for byte.
    assert answer.text == "\n".join(
        line.partition(" (sha256 ")[0] if line.startswith("# from ") else line
        for line in made.output.split("\n")
    )


async def test_nothing_of_a_draft_is_kept(api: Api) -> None:
    for path, body in ((CHECK, {"task": TASK}), (CURVES, {"slo": SLO}), (RULES, {"task": TASK})):
        assert (await api.post(path, body)).status == 200
    assert (await api.get(EXPERIMENTS)).json["experiments"] == []


async def test_a_task_may_be_called_like_a_path_of_these(api: Api) -> None:
    await api.post(EXPERIMENTS, {"id": "one", "task": changed(task_name="check")})
    assert (await api.get("/api/v1/tasks/check")).json["task"] == "check"
