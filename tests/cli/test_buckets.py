import argparse
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from tests.cli.command import sloscore

EXAMPLES = Path(__file__).parents[2] / "examples"
PUBLISHED = str(EXAMPLES / "docker_task_with_slo.json")
VLLM = str(EXAMPLES / "vllm_task.yaml")


@pytest.fixture
def task(tmp_path: Path) -> str:
    """A task without a server, all of whose limits are bounds of vLLM and SGLang."""
    path = tmp_path / "task.yaml"
    path.write_text(
        "task_name: t\nslo:\n  latency:\n    p90:\n      threshold: 10\n", encoding="utf-8"
    )
    return str(path)


def document(*arguments: str) -> Any:  # noqa: ANN401  a JSON document
    ended = sloscore("buckets", "--json", *arguments)
    assert (ended.code, ended.err) == (0, "")
    return json.loads(ended.out)


def test_it_shows_each_limit_and_the_option_to_paste() -> None:
    ended = sloscore("buckets", VLLM)
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[:9] == [
        f"{VLLM}: vllm, 2 of 4 limits lack a bucket bound",
        "",
        "SLI          LIMIT       VALUE  STOCK BUCKET",
        "latency_p50  threshold   2      a bound",
        "latency_p95  threshold   6      inside (5, 10]",
        "latency_p95  hard limit  7.5    inside (5, 10]",
        "ttft         threshold   0.5    a bound",
        "tpot         -           -      none needed: it is exact",
        "",
    ]
    (option,) = [line for line in lines if line.startswith("--")]
    flag, bounds = shlex.split(option)
    assert flag == "--custom-histogram-buckets"
    assert {6.0, 7.5} <= set(json.loads(bounds)["request_latency"])
    assert all(len(line) <= 100 for line in lines if line != option)


def test_the_limits_of_a_goodput_are_advised_as_bounds(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(
        "task_name: t\nserver: vllm\nslo:\n"
        "  goodput: {within: {latency: 10, ttft: 0.7}, threshold: 0.9}\n",
        encoding="utf-8",
    )
    lines = sloscore("buckets", str(path)).out.splitlines()
    assert lines[:7] == [
        f"{path}: vllm, 1 of 2 limits lack a bucket bound",
        "",
        "SLI                       LIMIT  VALUE  STOCK BUCKET",
        "latency of goodput_share  limit  10     a bound",
        "ttft of goodput_share     limit  0.7    inside (0.5, 0.75]",
        "",
        "Requests whose ttft lies in the bucket around 0.7 count as past it, so goodput_share is told lower",
    ]
    (option,) = [line for line in lines if line.startswith("--")]
    assert 0.7 in json.loads(shlex.split(option)[1])["time_to_first_token"]
    (found,) = [one for one in document(str(path))["limits"] if one["signal"] == "ttft"]
    assert (found["sli"], found["limit"], found["bound"]) == ("goodput_share", "limit", 0.7)


def test_sglang_s_option_is_one_that_its_own_kind_of_parser_takes() -> None:
    lines = sloscore("buckets", PUBLISHED).out.splitlines()
    (line,) = [text for text in lines if text.startswith("--bucket-")]
    parser = argparse.ArgumentParser()
    parser.add_argument("--bucket-e2e-request-latency", type=float, nargs="+")
    parsed = parser.parse_args(shlex.split(line))
    assert {5.0, 15.0} <= set(parsed.bucket_e2e_request_latency)


def test_json_holds_limits_metrics_and_option() -> None:
    found = document(PUBLISHED)
    assert (found["server"], found["task"], found["changes"]) == (
        "sglang",
        "docker-task-with-slo",
        True,
    )
    assert [one for one in found["limits"] if one["sli"] == "latency_p90"] == [
        {
            "sli": "latency_p90",
            "signal": "latency",
            "limit": "threshold",
            "value": 5.0,
            "bound": 5.0,
            "is_bound": False,
            "stock_bucket": [4.0, 6.0],
        },
        {
            "sli": "latency_p90",
            "signal": "latency",
            "limit": "hard limit",
            "value": 6.0,
            "bound": 6.0,
            "is_bound": True,
            "stock_bucket": None,
        },
    ]
    latency, ttft = found["metrics"]
    assert (latency["role"], latency["name"]) == ("latency", "sglang:e2e_request_latency_seconds")
    assert latency["added"] == [5.0, 15.0]
    assert ttft["added"] == []
    flag, *bounds = shlex.split(found["option"])
    assert (flag, list(map(float, bounds))) == ("--bucket-e2e-request-latency", latency["advised"])


def test_a_limit_above_the_last_bound_is_json_too(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text("task_name: t\nslo: {latency: {p90: {threshold: 9000}}}\n", encoding="utf-8")
    (limit,) = document("--server", "vllm", str(path))["limits"]
    assert limit["stock_bucket"] == [7680.0, "Infinity"]


@pytest.mark.parametrize("server", ["vllm", "sglang"])
def test_nothing_to_add_is_said_and_ends_with_0(task: str, server: str) -> None:
    ended = sloscore("buckets", "--server", server, task)
    assert ended.code == 0
    first = f"{task}: {server}, all 1 limits are stock bucket bounds: nothing to add"
    assert ended.out.splitlines()[0] == first
    assert "--" not in ended.out
    found = document("--server", server, task)
    assert (found["changes"], found["option"]) == (False, None)


def test_a_server_without_an_option_says_so_and_what_would_help() -> None:
    ended = sloscore("buckets", "--server", "tensorrt-llm", PUBLISHED)
    assert ended.code == 0
    assert ended.out.splitlines()[-4:] == [
        "",
        "trtllm_e2e_request_latency_seconds needs more bounds, in s: 6.",
        "The buckets are set in its code, and no option of trtllm-serve for them is known.",
        "Or set the fail_ratio of latency_p90 to 1: a bucket ends there.",
    ]
    assert document("--server", "tensorrt-llm", PUBLISHED)["option"] is None


def test_limits_proposed_in_place_of_bounds_need_none(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    text = "task_name: t\nserver: tensorrt-llm\nslo: {{latency: {{p90: {{threshold: {}}}}}}}\n"
    path.write_text(text.format(4), encoding="utf-8")
    assert "Or set the threshold of latency_p90 to 2.5 or 5: " in sloscore("buckets", str(path)).out
    for proposed in (2.5, 5):
        path.write_text(text.format(proposed), encoding="utf-8")
        assert not document(str(path))["changes"]


def test_unknown_bounds_of_own_metrics_are_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(
        "task_name: t\nmetrics: {latency: {names: [mine_ms], unit: ms}}\n"
        "slo: {latency: {p90: {threshold: 3.3}}}\n",
        encoding="utf-8",
    )
    out = sloscore("buckets", str(path)).out
    assert "latency_p90  threshold  3.3    not known\n" in out
    assert "mine_ms needs more bounds, in ms: 3300.\n" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.yaml"], "none.yaml: there is no such file"),
        (["--server", "ollama", PUBLISHED], "server: must be one of"),
        (["--server", "triton", PUBLISHED], "preset triton has no metric for latency"),
    ],
)
def test_what_cannot_be_advised_ends_with_1(arguments: list[str], words: str) -> None:
    ended = sloscore("buckets", *arguments)
    assert (ended.code, ended.out) == (1, "")
    assert words in ended.err


def test_a_task_that_names_no_server_ends_with_1(task: str) -> None:
    ended = sloscore("buckets", task)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"sloscore: {task}: server: is required; name one of dynamo, ")


@pytest.mark.parametrize("arguments", [[], [VLLM, VLLM], ["--nonsense", VLLM]])
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    assert sloscore("buckets", *arguments).code == 2
