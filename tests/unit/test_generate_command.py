"""The command ``sloscore rules``: what it refuses, and where it writes."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from sloscore.cli.main import cli
from sloscore.errors import SloscoreError, SpecError

TASK = {
    "task_name": "chat",
    "server": "vllm",
    "selector": {"job": "vllm"},
    "slo": {"ttft": {"threshold": 1.0}},
}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["rules", *map(str, arguments)])


def written(place: Path, name: str = "task.yaml", /, **changes: object) -> Path:
    """A valid task but for these keys; None leaves one out."""
    task = {key: value for key, value in {**TASK, **changes}.items() if value is not None}
    path = place / name
    path.write_text(yaml.safe_dump(task), encoding="utf-8")
    return path


def problems(*arguments: str | Path) -> list[str]:
    done = run(*arguments)
    assert isinstance(done.exception, SpecError), done.output
    assert done.stdout == ""
    return done.exception.problems


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"selector": None}, "selector: is required: say which series are the deployment's"),
        ({"slo": None}, "slo: is required: without a limit there is nothing to evaluate"),
        ({"server": None}, "server: is required: a ruler cannot recognise a server"),
        ({"server": None, "base_runtime": "ollama"}, "server: is required: a ruler cannot"),
        (
            {"slo": {"throughput": {"total_per_gpu": {"threshold": 1.0}}}},
            "gpus: is required, as total_throughput_per_gpu is per GPU",
        ),
        (
            {"slo": {"goodput": {"within": {"ttft": 0.7}, "threshold": 0.9}}},
            "slo.goodput: cannot be told by a ruler: the limit of 0.7 s of ttft is no bucket bound",
        ),
        ({"task_name": "{{ x }}"}, "task_name: must not hold {{, which rulers take for a template"),
        ({"server": "ollama"}, "server: must be one of dynamo, "),
        ({"server": "triton"}, "preset triton has no metric for latency: Triton keeps"),
        (
            {"slo": {**TASK["slo"], "hard_fail_on": "certain"}},  # type: ignore[dict-item]
            "slo.hard_fail_on: must be estimate: a ruler cannot tell how certain",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(value),
)
def test_what_a_task_leaves_open_is_said_with_its_file(
    tmp_path: Path, changes: dict[str, object], sentence: str
) -> None:
    path = written(tmp_path, "task.yaml", **changes)
    (problem,) = problems(path)
    assert problem.startswith(f"{path}: {sentence}")


def test_a_goodput_whose_limits_are_no_stock_bounds_is_compiled_on_the_users_word(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, slo={"goodput": {"within": {"ttft": 0.7}, "threshold": 0.9}})
    (problem,) = problems(path)
    assert problem.endswith("prints it in full. Then use --assume-bound.")
    assert "Add 0.7 to its buckets with --custom-histogram-buckets" in problem
    (group, *_) = yaml.safe_load(run("--assume-bound", path).stdout)["groups"]
    (value, *_) = group["rules"]
    assert value["record"] == "task_sli:sloscore_goodput_share_ratio:share_5m"
    assert 'vllm:time_to_first_token_seconds_bucket{job="vllm",le="0.7"}' in value["expr"]


def test_a_mistake_is_said_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text("task_name: t\nslo:\n  ttft:\n    threshold: 0\n", encoding="utf-8")
    assert problems(path) == [f"{path}:4: slo.ttft.threshold: must be above 0, got 0"]


def test_the_mistakes_of_all_files_are_said_at_once(tmp_path: Path) -> None:
    broken = [
        written(tmp_path, "a.yaml", selector=None, slo=None),
        written(tmp_path, "b.yaml", server=None),
        tmp_path / "missing.yaml",
    ]
    found = problems(written(tmp_path), *broken)
    assert [Path(one.split(":")[0]).name for one in found] == [
        *("a.yaml", "a.yaml", "b.yaml", "missing.yaml")
    ]


def test_two_tasks_of_one_name_would_record_the_same_series(tmp_path: Path) -> None:
    first, second = written(tmp_path, "a.yaml"), written(tmp_path, "b.yaml")
    (problem,) = problems(first, second)
    assert problem.startswith(f"{second}: task_name: 'chat' is that of {first}, too")


def test_a_runtime_that_is_a_preset_names_the_server(tmp_path: Path) -> None:
    done = run(written(tmp_path, server=None, base_runtime="SGLang"))
    assert done.exit_code == 0
    assert "sglang:time_to_first_token_seconds_bucket" in done.stdout


def test_metrics_of_its_own_need_no_server(tmp_path: Path) -> None:
    metrics = {"ttft": {"names": ["mine_seconds"], "unit": "s"}}
    optimization = {"objective": "minimize_ttft"}
    done = run(written(tmp_path, server=None, metrics=metrics, optimization=optimization))
    assert done.exit_code == 0
    assert 'mine_seconds_bucket{job="vllm",le="+Inf"}[5m]' in done.stdout


def test_a_server_of_tokens_alone_has_no_requests_to_count(tmp_path: Path) -> None:
    task = written(
        tmp_path,
        server=None,
        metrics={"tokens_out": {"names": ["mine_tokens_total"], "unit": "tokens"}},
        optimization={"objective": "maximize_throughput"},
        slo={"throughput": {"threshold": 10.0}},
    )
    (group, *_) = yaml.safe_load(run(task).stdout)["groups"]
    recorded = {rule["record"]: rule["expr"] for rule in group["rules"]}
    assert recorded["task:sloscore_requests:increase_5m"] == "vector(0)\n"
    rate = 'sum(increase(mine_tokens_total{job="vllm"}[5m]))'
    value = recorded["task_sli:sloscore_throughput_tokens_per_second:rate_5m"]
    assert value == f"{rate} / 300\n>= 0\nand\n(\n  {rate} > 0\n)\n"


def test_the_output_is_written_to_a_file_and_nothing_else_is_said(tmp_path: Path) -> None:
    task, path = written(tmp_path), tmp_path / "rules.yml"
    shown = run(task).stdout
    done = run(task, "--output", path)
    assert (done.exit_code, done.output) == (0, "")
    assert path.read_text("utf-8") == shown


def test_a_file_that_cannot_be_written_is_an_error_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "no" / "rules.yml"
    done = run(written(tmp_path), "--output", path)
    assert isinstance(done.exception, SloscoreError)
    assert str(done.exception) == f"{path}: cannot be written: No such file or directory"


def test_durations_are_written_in_the_same_way_however_they_are_given(tmp_path: Path) -> None:
    task = written(tmp_path)
    same = run(task, "--window", "90m", "--interval", "60s").stdout
    assert same == run(task, "--window", "1h30m", "--interval", "1m").stdout
    assert "task_sli:sloscore_ttft_seconds:p90_1h30m" in same
    assert "interval: 1m\n" in same


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Missing argument 'SPEC...'"),
        (("--window", "soon", "task.yaml"), "'soon' is no duration"),
        (("--window", "-5", "task.yaml"), "'-5' is no duration"),
        (("--interval", "0s", "task.yaml"), "must be whole milliseconds, one at least, got 0 s"),
        (("--interval", "2m1s", "task.yaml"), "must be 2m at most: rules look back 5 minutes"),
        (("--format", "json", "task.yaml"), "'json' is not one of"),
        (("--namespace", "monitoring", "task.yaml"), "belong to --format kubernetes"),
        (("--labels", "a=b", "task.yaml"), "belong to --format kubernetes"),
        (("--format", "kubernetes", "--labels", "a b", "task.yaml"), "'a b' is no label"),
        (("--format", "kubernetes", "--labels", "a=b,=c", "task.yaml"), "'=c' is no label"),
        (("--format", "kubernetes", "--labels", "a=b\nc", "task.yaml"), "is no label"),
        (("--format", "kubernetes", "--namespace", "A", "task.yaml"), "'A' is no namespace"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(
    arguments: tuple[str, ...], words: str
) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert words in done.stderr


def test_a_task_of_eleven_slis_fits_into_groups_that_mimir_takes(tmp_path: Path) -> None:
    percentiles = {f"p{50 + n}": {"threshold": 5.0, "hard_fail": True} for n in range(11)}
    done = run(written(tmp_path, slo={"latency": percentiles}))
    groups = yaml.safe_load(done.stdout)["groups"]
    assert max(len(group["rules"]) for group in groups) == 20
    assert len({group["name"] for group in groups}) == len(groups)
    recorded = {
        r["labels"]["sli"] for g in groups for r in g["rules"] if "sli" in r.get("labels", {})
    }
    assert recorded == {f"latency_{name}" for name in percentiles}
