"""``sloscore doctor`` on exporters that a real Prometheus scrapes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.command import Ended, sloscore
from tests.integration.doctor_lab import loaded, scraped_times, served

from sloscore.simulate.prometheus import PrometheusProcess

pytestmark = pytest.mark.prometheus

EXAMPLES = Path(__file__).parents[2] / "examples"
VLLM = str(EXAMPLES / "vllm_task.yaml")
JOB = "cli-doctor"
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def address(prometheus: PrometheusProcess) -> Iterator[str]:
    """A vLLM under load, scraped a few times."""
    with served([loaded()]) as (found,):
        prometheus.add_targets(JOB, [found])
        scraped_times(prometheus, JOB, targets=1, scrapes=3)
        yield found
        prometheus.remove_targets([found])


@pytest.fixture
def task(tmp_path: Path) -> str:
    """A task without a server and a selector, whose limit is a bound of vLLM."""
    path = tmp_path / "task.yaml"
    path.write_text("task_name: t\nslo: {latency: {p90: {threshold: 5}}}\n", encoding="utf-8")
    return str(path)


def doctor(prometheus: PrometheusProcess, *arguments: str) -> Ended:
    """What it says; looks again where a busy machine has just missed a scrape."""
    for _ in range(20):
        ended = sloscore("doctor", "--prometheus", prometheus.url, *arguments)
        if "is down" not in ended.out:
            break
    return ended


def document(ended: Ended) -> Any:  # noqa: ANN401  a JSON document
    assert ended.err == ""
    return json.loads(ended.out)


def test_a_warning_ends_with_10_and_a_table_that_is_readable(
    prometheus: PrometheusProcess, address: str
) -> None:
    ended = doctor(prometheus, "--task", VLLM, "--selector", f"instance={address}")
    assert (ended.code, ended.err) == (10, "")
    lines = ended.out.splitlines()
    heads = [line.split()[0] for line in lines if line[:1].isupper()]
    ranks = ["CRITICAL", "WARNING", "INFO", "OK"]
    assert heads == sorted(heads, key=ranks.index)
    assert {"WARNING", "OK"} <= set(heads)
    limits = [line for line in lines if line.startswith("WARNING   limits      ")]
    assert limits == [
        "WARNING   limits      The threshold of 6 s and hard limit of 7.5 s of latency_p95 lie inside the"
    ]
    (option,) = [line for line in lines if line.startswith("--custom-histogram-buckets '")]
    assert all(len(line) <= 100 for line in lines if line != option)
    assert lines[-1].startswith("0 critical, ")


def test_json_is_one_document_with_the_worst_first(
    prometheus: PrometheusProcess, address: str
) -> None:
    ended = doctor(prometheus, "--json", "--task", VLLM, "--selector", f"instance={address}")
    found = document(ended)
    assert ended.code == 10
    assert found["prometheus"] == prometheus.url
    assert found["engine"].startswith("Prometheus ")
    assert (found["server"], found["selector"]) == ("vllm", {"instance": address})
    assert (found["window"], found["worst"]) == (300.0, "warning")
    assert found["findings"][0]["severity"] == "warning"
    (limits,) = [one for one in found["findings"] if one["check"] == "limits"]
    assert limits["command"].startswith("--custom-histogram-buckets ")
    assert limits["means"]
    assert limits["mend"].startswith("Give latency bucket bounds at 6 and 7.5")


def test_nothing_worse_than_an_info_ends_with_0(
    prometheus: PrometheusProcess, address: str, task: str
) -> None:
    ended = doctor(prometheus, "--json", "--task", task, "--selector", f"instance={address}")
    found = document(ended)
    assert found["server"] == "vllm"
    # A missed scrape is a warning until it leaves the last minutes.
    worse = [one for one in found["findings"] if one["severity"] in {"warning", "critical"}]
    assert [one for one in worse if "failed" not in one["found"]] == []
    assert ended.code == (10 if worse else 0)


def test_something_critical_ends_with_11(prometheus: PrometheusProcess, task: str) -> None:
    ended = doctor(prometheus, "--task", task, "--selector", "job=doctor-none")
    assert (ended.code, ended.err) == (11, "")
    assert ended.out.startswith('CRITICAL  series      No series carry {job="doctor-none"}.\n')


def test_a_prometheus_that_is_not_there_is_a_finding(task: str) -> None:
    ended = sloscore(
        "doctor", "--json", "--task", task, "--selector", "job=a",
        env={"SLOSCORE_PROMETHEUS_URL": NOWHERE},
    )  # fmt: skip
    (finding,) = document(ended)["findings"]
    assert ended.code == 11
    assert finding["check"] == "connection"
    assert finding["found"].startswith(f"Cannot reach Prometheus at {NOWHERE}: ")


def test_the_settings_of_the_service_say_how_to_reach_prometheus(tmp_path: Path, task: str) -> None:
    config = tmp_path / "sloscore.yaml"
    config.write_text(f"prometheus: {{url: '{NOWHERE}/prefix'}}\n", encoding="utf-8")
    arguments = ["--task", task, "--selector", "job=a", "--config", str(config)]
    ended = sloscore("doctor", "--json", *arguments)
    assert document(ended)["prometheus"] == f"{NOWHERE}/prefix"
    config.write_text("prometheus: {enabled: false}\n", encoding="utf-8")
    ended = sloscore("doctor", *arguments)
    assert (ended.code, ended.out) == (1, "")
    assert "prometheus.enabled: is false" in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "selector: missing: say which deployment to examine"),
        (["--selector", "job=a", "--server", "ollama"], "server: must be one of"),
        (["--selector", "__name__=a"], "must not hold __name__"),
        (["--selector", "job=a", "--config", "none.yaml"], "none.yaml: there is no such file"),
        (["--selector", "job=a", "--prometheus", "ftp://x"], "the URL must look like"),
    ],
)
def test_invalid_input_ends_with_1(task: str, arguments: list[str], words: str) -> None:
    ended = sloscore("doctor", "--task", task, *arguments)
    assert (ended.code, ended.out) == (1, "")
    assert words in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--selector", "job"], "'job' must be written NAME=VALUE"),
        (["--window", "5 minutes"], "'5 minutes' is no duration"),
        (["--window", "100ms"], "must be at least 1s"),
    ],
)
def test_wrong_usage_ends_with_2(task: str, arguments: list[str], words: str) -> None:
    ended = sloscore("doctor", "--task", task, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err.replace('"', "'")
