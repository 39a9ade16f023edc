"""``sloscore score``: numbers and past windows, in tables, in JSON and in exit codes."""

import json
import math
import statistics
import time
from pathlib import Path

import pytest
import yaml
from tests.cli.command import Ended, sloscore
from tests.integration.service import Deployments, Json, requests_between

from sloscore.simulate.prometheus import PrometheusProcess

pytest_plugins = ["tests.integration.service_fixtures"]

NOWHERE = "http://127.0.0.1:1"
# The scenarios of the scoring contract: P50, P90 and P99 of latency, and TTFT.
SLOS: Json = {
    "latency": {
        "p50": {"threshold": 2.0},
        "p90": {"threshold": 5.0, "weight": 2.0, "hard_fail": True, "fail_ratio": 0.2},
        "p99": {"threshold": 10.0, "weight": 3.0, "hard_fail": True, "fail_ratio": 0.5},
    },
    "ttft": {"threshold": 1.0, "weight": 2.0},
}
ONLY_P90 = {"latency": {"p90": SLOS["latency"]["p90"]}}


def task_file(place: Path, slo: Json = None, **more: Json) -> str:
    path = place / "task.yaml"
    path.write_text(yaml.safe_dump({"task_name": "chat", "slo": slo, **more}), encoding="utf-8")
    return str(path)


def score_numbers(task: str, base: float, *more: str, **values: float) -> Ended:
    pairs = [word for name, value in values.items() for word in ("--value", f"{name}={value}")]
    return sloscore("score", "--task", task, "--base-score", str(base), *pairs, *more)


@pytest.mark.parametrize(
    ("slo", "base", "values", "score", "code"),
    [
        (ONLY_P90, 3.0, {"latency_p90": 4.0}, 3.0, 0),
        (ONLY_P90, 3.0, {"latency_p90": 5.0}, 3.0, 0),
        (ONLY_P90, 3.0, {"latency_p90": 5.5}, 19.3, 0),
        (ONLY_P90, 3.0, {"latency_p90": 6.0}, math.inf, 3),
        (ONLY_P90, 3.0, {"latency_p90": 6.5}, math.inf, 3),
        (
            SLOS,
            2.5,
            {"latency_p50": 2.3, "latency_p90": 5.5, "latency_p99": 11.0, "ttft": 1.2},
            84.6,
            0,
        ),
    ],
)
def test_the_scenarios_of_the_contract(
    tmp_path: Path, slo: Json, base: float, values: dict[str, float], score: float, code: int
) -> None:
    ended = score_numbers(task_file(tmp_path, slo), base, "--json", **values)
    report = json.loads(ended.out)
    assert (ended.code, ended.err) == (code, "")
    assert float(report["score"]) == pytest.approx(score, abs=0.05)
    assert report["slo_violation"] is (code == 3)
    assert {sli["sli"]: sli["value"] for sli in report["slis"]} == values


def test_a_table_shows_every_sli_and_the_score(tmp_path: Path) -> None:
    ended = score_numbers(
        task_file(tmp_path, SLOS), 2.5, latency_p50=2.3, latency_p90=5.5, latency_p99=9.0, ttft=1.2
    )
    assert ended.out.splitlines() == [
        "SLI          VALUE  INTERVAL  THRESHOLD  PENALTY  VERDICT",
        "latency_p50  2.3    exact     2          4.482    violated",
        "latency_p90  5.5    exact     5          5.437    violated",
        "latency_p99  9      exact     10         0        met",
        "ttft         1.2    exact     1          14.78    violated",
        "",
        "Base     2.5 (minimize_latency)",
        "Penalty  24.6964",
        "Score    64.2409  SUCCESS",
        "P50 of latency is 2.3 s, 15.0% over the threshold of 2 s.",
        "P90 of latency is 5.5 s, 10.0% over the threshold of 5 s.",
        "P90 of ttft is 1.2 s, 20.0% over the threshold of 1 s.",
    ]


def test_a_hard_fail_says_so(tmp_path: Path) -> None:
    ended = score_numbers(task_file(tmp_path, ONLY_P90), 3.0, latency_p90=6.5)
    assert ended.code == 3
    assert ended.out.splitlines()[-3:] == [
        "Score    inf  FAILED",
        "Hard SLO violation",
        "P90 of latency is 6.5 s, 30.0% over the threshold of 5 s and past the hard limit of 20%.",
    ]


def test_a_task_without_slos_scores_its_base(tmp_path: Path) -> None:
    ended = score_numbers(task_file(tmp_path), 3.25)
    assert (ended.code, ended.out.splitlines()[-1]) == (0, "Score    3.25  SUCCESS")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--base-score", "3"], "P90 of latency is unknown: no value was given."),
        (["--base-score", "3", "--value", "latency_p90=nan"], "the value is not a number"),
        (["--value", "latency_p90=4"], "The base score is unknown: no base_score was given."),
    ],
)
def test_what_is_missing_is_no_data_and_ends_with_4(
    tmp_path: Path, arguments: list[str], reason: str
) -> None:
    ended = sloscore("score", "--task", task_file(tmp_path, ONLY_P90), *arguments)
    assert ended.code == 4
    assert "Score    -  NO_DATA" in ended.out
    assert reason in ended.out


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--base-score", "-1"], 1, "sloscore: base_score: must be at least 0, got -1.0"),
        (["--base-score", "nan"], 1, "sloscore: base_score: must be a finite number, got NaN"),
        (["--value", "ttft=1"], 1, "values.ttft: no SLO has this id; the SLOs given are: "),
        (["--value", "latency_p90=-1"], 1, "values.latency_p90: a measured value must be 0"),
        (["--value", "latency_p90=5s"], 2, "latency_p90: '5s' is not a number"),
        (["--value", "latency_p90"], 2, "'latency_p90' must be written NAME=VALUE"),
        (["--value", "ttft=1", "--value", "ttft=2"], 2, "ttft is given twice"),
        ([], 2, "give one of --value with --base-score, --start with --end, or --target"),
        (["--base-score", "3", "--start", "1"], 2, "give one of --value with --base-score"),
        (["--base-score", "3", "--server", "vllm"], 2, "--gpus belong to a window"),
        (["--base-score", "3", "--selector", "a=b"], 2, "belong to a window, not to --value"),
        (["--start", "1"], 2, "a window needs both --start and --end"),
        (["--start", "1", "--end", "2"], 1, "selector: missing"),
        (["--target", "http://h/metrics"], 2, "scraping needs both --target and --for"),
        (["--target", "h:1", "--for", "1s"], 1, "target: 'h:1' is no URL"),
        (["--start", "1", "--end", "2", "--server", "vllm"], 1, "selector: missing"),
    ],
)
def test_what_cannot_be_scored_is_told_in_a_sentence(
    tmp_path: Path, arguments: list[str], code: int, sentence: str
) -> None:
    ended = sloscore("score", "--task", task_file(tmp_path, ONLY_P90), *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert sentence in ended.err
    assert "Traceback" not in ended.err


def test_a_section_alone_will_do(tmp_path: Path) -> None:
    path = tmp_path / "slo.yaml"
    path.write_text(yaml.safe_dump(ONLY_P90), encoding="utf-8")
    ended = score_numbers(str(path), 3.0, "--json", latency_p90=5.5)
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out)["score"] == pytest.approx(19.3, abs=0.05)


def test_a_mistake_in_the_task_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text("task_name: t\nslo:\n  ttft: {threshold: 0}\n", encoding="utf-8")
    ended = sloscore("score", "--task", str(path), "--base-score", "1")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == f"sloscore: {path}:3: slo.ttft.threshold: must be above 0, got 0\n"


def score_window(task: str, start: str, end: str, *more: str, url: str = NOWHERE) -> Ended:
    window = ("--start", start, "--end", end)
    return sloscore("score", "--task", task, *window, "--prometheus", url, *more)


@pytest.mark.parametrize(
    ("start", "end", "sentence"),
    [
        ("yesterday", "2", "window.start: 'yesterday' is no time"),
        ("2026-01-31 12:00", "2", "window.start: '2026-01-31 12:00' is no time"),
        ("2", "1", "window: the end must be after the start"),
        ("nan", "1", "window.start: nan is no Unix time"),
        ("1", "9e9", "window.end: lies in the future"),
    ],
)
def test_a_window_that_cannot_be_is_told_in_a_sentence(
    tmp_path: Path, start: str, end: str, sentence: str
) -> None:
    task = task_file(tmp_path, ONLY_P90, server="vllm", selector={"instance": "x"})
    ended = score_window(task, start, end)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"sloscore: {sentence}")


@pytest.mark.parametrize("option", ["--prometheus", "--config", "environment"])
def test_a_source_that_is_away_ends_with_5(tmp_path: Path, option: str) -> None:
    task = task_file(tmp_path, ONLY_P90, server="vllm", selector={"instance": "x"})
    config = tmp_path / "sloscore.yaml"
    config.write_text(f"prometheus:\n  url: {NOWHERE}\n", encoding="utf-8")
    more = {"--prometheus": ["--prometheus", NOWHERE], "--config": ["--config", str(config)]}
    ended = sloscore(
        *("score", "--task", task, "--start", "1", "--end", "2"),
        *more.get(option, []),
        env={"SLOSCORE_PROMETHEUS_URL": NOWHERE} if option == "environment" else None,
    )
    assert (ended.code, ended.out) == (5, "")
    assert ended.err.startswith(f"sloscore: cannot reach Prometheus at {NOWHERE}: ")


@pytest.mark.prometheus
def test_a_past_window_is_scored_without_a_service(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    address = deployments.quick.address
    start = deployments.run(prometheus.wait_for_scrape(address, time.time()))
    end = deployments.run(prometheus.wait_for_scrape(address, start + 1.0))
    hard = {"latency": {"p90": {"threshold": 0.1, "hard_fail": True}}}
    mild = {"latency": {"p90": {"threshold": 5000.0}}}
    here = {"server": "vllm", "selector": {"instance": address}}
    window = (f"{start:.3f}", f"{end:.3f}")
    met = score_window(task_file(tmp_path, mild, **here), *window, "--json", url=prometheus.url)
    report = json.loads(met.out)
    assert (met.code, report["status"]) == (0, "SUCCESS")
    requests = requests_between(deployments.quick, report["window"])
    assert report["window"]["requests"] == len(requests) > 0
    mean = statistics.fmean(request.latency for request in requests)
    assert report["base_score"] == pytest.approx(mean, rel=1e-9)
    table = score_window(task_file(tmp_path, hard, **here), *window, url=prometheus.url)
    assert table.code == 3
    assert f"Requests {len(requests)}, instances 1, resets 0" in table.out.splitlines()
    elsewhere = score_window(
        task_file(tmp_path, mild, **here),
        *window,
        *("--selector", "instance=127.0.0.1:2"),
        url=prometheus.url,
    )
    assert elsewhere.code == 4
    assert "the selector matched no series" in elsewhere.out


@pytest.mark.prometheus
def test_the_url_comes_before_that_of_the_config(
    prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    config = tmp_path / "sloscore.yaml"
    config.write_text(f"prometheus:\n  url: {NOWHERE}\n", encoding="utf-8")
    task = task_file(tmp_path, ONLY_P90, server="vllm", selector={"instance": "x"})
    ended = score_window(task, "1", "2", "--config", str(config), url=prometheus.url)
    assert ended.code == 4


@pytest.mark.parametrize(("value", "shown"), [("inf", "Infinity"), ("-inf", "-Infinity")])
def test_an_infinite_value_is_refused(tmp_path: Path, value: str, shown: str) -> None:
    task = task_file(tmp_path, {"ttft": {"threshold": 1.0}})
    ended = score_numbers(task, 3.0, ttft=float(value))
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == f"sloscore: values.ttft: must be a finite number, got {shown}\n"
