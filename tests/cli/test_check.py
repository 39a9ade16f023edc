import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sloscore.cli.main import cli
from sloscore.spec.preset import preset_names

EXAMPLES = Path(__file__).parents[2] / "examples"
PUBLISHED = str(EXAMPLES / "docker_task_with_slo.json")


def run(*arguments: str) -> Result:
    # Through the group, as a command keeps the options of help that it was first called with.
    return CliRunner().invoke(cli, ("check", *arguments))


@pytest.fixture
def broken(tmp_path: Path) -> str:
    path = tmp_path / "broken.yaml"
    path.write_text(
        "task_name: t\nslo:\n  ttft:\n    threshold: 0\n    wait: 1\n", encoding="utf-8"
    )
    return str(path)


def test_a_valid_file_shows_the_slos_in_effect() -> None:
    result = run(PUBLISHED)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        f"{PUBLISHED}: OK",
        "  task: docker-task-with-slo",
        "  objective: minimize_latency",
        "  server: sglang",
        "  steepness: 0.1",
        "  SLI          statistic  limit    weight  hard fail      penalty",
        "  latency_p50  p50        <= 2 s   1       no             exponential",
        "  latency_p90  p90        <= 5 s   2       from 20% over  exponential",
        "  latency_p99  p99        <= 10 s  3       from 50% over  exponential",
        "  ttft         p90        <= 1 s   2       no             exponential",
    ]


def test_a_minimum_and_a_selector_are_shown_as_such() -> None:
    lines = run(str(EXAMPLES / "maximize_throughput.yaml")).stdout.splitlines()
    assert "  selector: job='sglang', model_name='llama-3-1-8b-instruct'" in lines
    assert any(
        line.startswith("  throughput   rate       >= 1500 tokens/s  2   ") for line in lines
    )


def test_penalty_functions_are_shown_with_their_parameters(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(
        "task_name: t\nslo:\n  penalty: linear\n  latency:\n    p50: {threshold: 1}\n"
        "    p90: {threshold: 2, penalty: {function: polynomial, degree: 1.5}}\n"
        "  ttft: {threshold: 1, penalty: {function: piecewise, points: [[0, 1], [0.5, 20]]}}\n",
        encoding="utf-8",
    )
    shown = [line.split("no  ")[-1].strip() for line in run(str(path)).stdout.splitlines()[-3:]]
    assert shown == ["linear", "polynomial of degree 1.5", "piecewise (0, 1), (0.5, 20)"]


def test_a_broken_penalty_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(
        "task_name: t\nslo:\n  ttft:\n    threshold: 1\n    penalty:\n      function: linear\n"
        "      degree: 2\n",
        encoding="utf-8",
    )
    result = run(str(path))
    assert result.exit_code == 1
    problem = "slo.ttft.penalty.degree: belongs to polynomial, not to linear"
    assert result.stderr.splitlines() == [f"{path}:7: {problem}"]


def test_a_broken_file_gives_its_problems_on_standard_error(broken: str) -> None:
    result = run(broken)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"{broken}:4: slo.ttft.threshold: must be above 0, got 0",
        f"{broken}:5: slo.ttft.wait: is not a known key; did you mean weight?",
    ]


def test_one_broken_file_among_valid_ones_fails_the_check(broken: str) -> None:
    result = run(PUBLISHED, broken, str(EXAMPLES / "vllm_task.yaml"))
    assert result.exit_code == 1
    assert result.stdout.count(": OK\n") == 2
    assert len(result.stderr.splitlines()) == 2


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_is_allowed_but_rarely_meant_is_warned_of(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(
        "task_name: t\nslo:\n"
        "  latency: {p50: {threshold: 600}, p90: {threshold: 5000, fail_ratio: 20}}\n"
        "  ttft: {threshold: 601, fail_ratio: 5}\n"
        "  throughput:\n"
        "    output: {threshold: 5000, hard_fail: true, fail_ratio: 1}\n"
        "    requests: {threshold: 5, hard_fail: true, fail_ratio: 1.5}\n",
        encoding="utf-8",
    )
    result = run(*options, str(path))
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        f"{path}: warning: latency_p90: threshold is 5000 s: seconds, not milliseconds?",
        f"{path}: warning: latency_p90: fail_ratio 20 is 2000 %; 0.2 is 20 %",
        f"{path}: warning: ttft: threshold is 601 s: seconds, not milliseconds?",
        (
            f"{path}: warning: request_throughput: fail_ratio 1.5 is never reached: "
            "nothing is more than 100 % under a minimum"
        ),
    ]


def test_an_unknown_server_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text("task_name: t\nserver: ollama\n", encoding="utf-8")
    result = run(str(path))
    assert result.exit_code == 1
    known = ", ".join(preset_names())
    assert result.stderr == f"{path}: server: must be one of {known}, got 'ollama'\n"


def test_a_task_without_server_and_slo_is_valid_and_says_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text("task_name: t\n", encoding="utf-8")
    result = run(str(path))
    assert result.exit_code == 0
    assert "  server: none named; it is recognised by the metrics" in result.stdout
    assert "  slo: none; the score is the objective itself\n" in result.stdout


def test_json_holds_every_file_and_the_exit_code_still_tells(broken: str) -> None:
    result = run("--json", PUBLISHED, broken)
    assert result.exit_code == 1
    assert result.stderr == ""
    valid, invalid = json.loads(result.stdout)["files"]
    assert valid["valid"] is True
    assert valid["slos"][1] == {
        "sli": "latency_p90",
        "statistic": "p90",
        "threshold": 5.0,
        "unit": "s",
        "is_minimum": False,
        "weight": 2.0,
        "hard_fail": True,
        "fail_ratio": 0.2,
        "penalty_function": "exponential",
    }
    assert invalid["valid"] is False
    assert invalid["problems"][0].startswith(f"{broken}:4: slo.ttft.threshold: ")


@pytest.mark.parametrize("arguments", [(), ("--nonsense", PUBLISHED)])
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_the_example_of_the_help_works() -> None:
    (line,) = [text for text in run("--help").stdout.splitlines() if "sloscore check " in text]
    assert run(str(EXAMPLES.parent / line.split()[-1])).exit_code == 0
