"""``sloscore backtest``: rows, files and exit codes, on a real Prometheus and without one."""

import csv
import json
import re
import time
from importlib import util
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from tests.cli.command import Ended, sloscore
from tests.integration.service import NOWHERE, Deployments, Json, requests_between

from sloscore.simulate.prometheus import PrometheusProcess

pytest_plugins = ["tests.integration.service_fixtures"]

MILD: Json = {"latency": {"p50": {"threshold": 5000.0}}}
HARD: Json = {"latency": {"p50": {"threshold": 0.01, "hard_fail": True}}}
ALMOST_NONE = "2026-01-31T12:00:00Z"


def task_file(place: Path, slo: Json = None, **more: Json) -> str:
    path = place / "task.yaml"
    data = {"task_name": "chat", "server": "vllm", "slo": slo or MILD, **more}
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return str(path)


def call(task: str, *arguments: str, url: str = NOWHERE) -> Ended:
    return sloscore("backtest", "--task", task, "--prometheus", url, *arguments)


def regular(start: object, end: object, every: str) -> tuple[str, ...]:
    return ("--start", str(start), "--end", str(end), "--every", every)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "give either --start, --end and --every, or --windows"),
        (["--windows", "w.csv", "--every", "5m"], "give either --start, --end and --every, or"),
        (["--windows", "w.csv", "--length", "5m"], "give either --start, --end and --every, or"),
        (["--start", "1", "--end", "2"], "regular windows need --start, --end and --every"),
        (["--length", "5m"], "regular windows need --start, --end and --every"),
        (
            ["--windows", "w.csv", "--output", "a.xls"],
            "a.xls must end in .csv or .json or .parquet",
        ),
        (["--windows", "w.csv", "--plot", "a.pdf"], "a.pdf must end in .png or .svg"),
        (["--windows", "w.csv", "--selector", "job"], "'job' must be written"),
    ],
)
def test_wrong_usage_ends_with_2(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    ended = call(task_file(tmp_path), *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert sentence in " ".join(ended.err.split())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (regular("noon", 2, "1s"), "start: 'noon' is no time"),
        (regular(2, 1, "1s"), "the end must be after the start"),
        (regular(1, 2, "soon"), "every: 'soon' is no duration"),
        (regular(1, 2, "0s"), "every: must be above 0"),
        (regular(1, 2, "5s"), "length: 5 s do not fit into 1 s"),
        (regular(1, 20_000, "1s"), "every: makes 19999 windows; at most 10000 are allowed"),
        (regular(1, 9e9, "1d"), "every: makes 104166 windows; at most 10000 are allowed"),
        (regular(8.999e9, 9e9, "1h"), "end: lies in the future; only past windows can be scored"),
        (regular(1, 90_000, "1d"), "the window of 86400 s is longer than the 21600 s"),
        ((*regular(1, 9, "1s"), "--server", "none"), "server: must be one of "),
        (("--windows", "/nowhere.csv"), "/nowhere.csv: cannot be read: No such file or directory"),
        ((*regular(1, 9, "1s"), "--output", "/nowhere/a.csv"), "there is no directory /nowhere"),
    ],
)
def test_what_cannot_be_scored_is_told_before_anything_is_asked(
    tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    task = task_file(tmp_path, selector={"instance": "x"})
    ended = call(task, *arguments)
    assert (ended.code, ended.out) == (1, "")
    assert sentence in ended.err
    assert "Traceback" not in ended.err


def test_a_task_without_a_selector_needs_one(tmp_path: Path) -> None:
    ended = call(task_file(tmp_path), *regular(1, 9, "1s"))
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("sloscore: selector: missing: say which deployment")


def test_a_bad_windows_file_names_each_line(tmp_path: Path) -> None:
    windows = tmp_path / "windows.csv"
    windows.write_text("start,end\n1,2\n3,2\n1,90000\n", encoding="utf-8")
    ended = call(task_file(tmp_path, selector={"instance": "x"}), "--windows", str(windows))
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.splitlines() == [
        f"sloscore: {windows}:3: the end must be after the start",
        f"{windows}:4: the window of 89999 s is longer than the 21600 s that are allowed (evaluation.max_window)",
    ]


def test_the_config_says_how_long_a_window_may_be(tmp_path: Path) -> None:
    config = tmp_path / "sloscore.yaml"
    config.write_text("evaluation: {max_window: 5m}\n", encoding="utf-8")
    task = task_file(tmp_path, selector={"instance": "x"})
    ended = call(task, *regular(1, 601, "10m"), "--config", str(config))
    assert ended.code == 1
    assert "the window of 600 s is longer than the 300 s that are allowed" in ended.err


def test_a_file_that_is_there_is_kept_before_anything_is_asked(tmp_path: Path) -> None:
    output = tmp_path / "a.csv"
    output.write_text("dear to somebody", encoding="utf-8")
    task = task_file(tmp_path, selector={"instance": "x"})
    ended = call(task, *regular(1, 9, "1s"), "--output", str(output))
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == f"sloscore: {output}: is there already; --force replaces it\n"
    assert output.read_text(encoding="utf-8") == "dear to somebody"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("--plot", "a.png"),
            "--plot needs matplotlib, pandas, prometheus-api-client: pip install ",
        ),
        (("--output", "a.parquet"), "--output FILE.parquet needs pyarrow: pip install "),
    ],
)
def test_without_the_extra_a_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], sentence: str
) -> None:
    task = task_file(tmp_path, selector={"instance": "x"})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(util, "find_spec", lambda _: None)
    ended = call(task, *regular(1, 9, "1s"), *arguments)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == f"sloscore: {sentence}'sloscore[analysis]'\n"


def test_a_source_that_is_away_ends_with_5_and_leaves_no_file(tmp_path: Path) -> None:
    output = tmp_path / "a.csv"
    task = task_file(tmp_path, selector={"instance": "x"})
    ended = call(task, *regular(1, 9, "1s"), "--output", str(output))
    assert (ended.code, ended.out) == (5, "")
    assert ended.err.startswith(f"sloscore: cannot reach Prometheus at {NOWHERE}: ")
    assert not output.exists()


class Past(NamedTuple):
    """Two seconds in which the quick deployment was scraped, and how it is selected."""

    start: float
    end: float
    url: str
    instance: str

    @property
    def selector(self) -> dict[str, str]:
        return {"instance": self.instance}


@pytest.fixture(scope="module")
def past(deployments: Deployments, prometheus: PrometheusProcess) -> Past:
    address = deployments.quick.address
    start = deployments.run(prometheus.wait_for_scrape(address, time.time())) + 0.25
    deployments.run(prometheus.wait_for_scrape(address, start + 2.5))
    return Past(start, start + 2, prometheus.url, address)


@pytest.mark.prometheus
def test_every_window_is_a_row_and_the_summary_follows(past: Past, tmp_path: Path) -> None:
    task = task_file(tmp_path, selector=past.selector)
    ended = call(task, *regular(past.start, past.end + 0.4, "500ms"), url=past.url)
    assert ended.code == 0
    assert ended.err == "sloscore: the last 0.4 s hold no whole window, and are left out\n"
    header, *rows, empty, counts, best, share = ended.out.splitlines()
    assert header.split() == ["WINDOW", "REQUESTS", "BASE", "PENALTY", "SCORE", "STATUS",
                              "WORST", "SLI", "CERTAIN"]  # fmt: skip
    assert len(rows) == 4
    for row in rows:
        assert re.fullmatch(r"\S+Z \+0\.5s +\d+ +\S+ +0 +\S+ +SUCCESS +latency_p50 -\S+% +yes", row)
    assert (empty, counts) == ("", "Windows  4: 4 scored, 0 failed, 0 without data, 0 with errors")
    assert best.startswith("Best     20")
    assert share == "Hard SLO violations in 0.0% of the windows with data"


@pytest.mark.prometheus
def test_lines_of_json_hold_reports_of_what_the_server_finished(
    past: Past, deployments: Deployments, tmp_path: Path
) -> None:
    task = task_file(tmp_path, selector=past.selector)
    windows = tmp_path / "windows.json"
    listed = [{"start": past.start, "end": past.start + 1, "name": "first"},
              {"start": past.start + 1, "end": past.end}]  # fmt: skip
    windows.write_text(json.dumps(listed), encoding="utf-8")
    ended = call(task, "--windows", str(windows), "--json", url=past.url)
    assert ended.code == 0
    lines = [json.loads(line) for line in ended.out.splitlines()]
    assert [line["name"] for line in lines] == ["first", None]
    for line in lines:
        window = line["report"]["window"]
        assert window["start"] == line["start"]
        assert window["requests"] == len(requests_between(deployments.quick, window)) > 0
        assert (line["report"]["status"], line["error"]) == ("SUCCESS", None)
    assert "Windows  2: 2 scored" in ended.err


@pytest.mark.prometheus
@pytest.mark.parametrize(
    ("slo", "instance", "earlier", "code", "statuses"),
    [
        (MILD, None, False, 0, ["SUCCESS"] * 2),
        (HARD, None, False, 3, ["FAILED"] * 2),
        (MILD, "127.0.0.1:2", False, 4, ["NO_DATA"] * 2),
        (MILD, None, True, 4, ["NO_DATA"] + ["SUCCESS"] * 2),
        (HARD, None, True, 3, ["NO_DATA"] + ["FAILED"] * 2),
    ],
)
def test_exit_codes_tell_the_worst_of_all_windows(
    past: Past,
    tmp_path: Path,
    slo: Json,
    instance: str | None,
    earlier: bool,
    code: int,
    statuses: list[str],
) -> None:
    windows = tmp_path / "windows.csv"
    times = [past.start, past.start + 1, past.start + 2]
    rows = [(ALMOST_NONE, "2026-01-31T12:05:00Z")] if earlier else []
    rows += [(f"{a:.3f}", f"{b:.3f}") for a, b in pairwise(times)]
    windows.write_text("start,end\n" + "".join(f"{a},{b}\n" for a, b in rows), encoding="utf-8")
    task = task_file(tmp_path, slo, selector={"instance": "of the task"})
    output = tmp_path / "scores.csv"
    selected = f"instance={instance or past.instance}"
    ended = call(task, "--windows", str(windows), "--selector", selected, "--output", str(output),
                 url=past.url)  # fmt: skip
    assert ended.code == code
    with output.open(newline="", encoding="utf-8") as file:
        assert [row["status"] for row in csv.DictReader(file)] == statuses


@pytest.mark.prometheus
def test_windows_that_cannot_be_read_are_rows_and_end_with_5(past: Past, tmp_path: Path) -> None:
    config = tmp_path / "sloscore.yaml"
    config.write_text("prometheus: {max_answer_bytes: 1024}\n", encoding="utf-8")
    task = task_file(tmp_path, selector=past.selector)
    when = regular(past.start, past.end, "1s")
    ended = call(task, *when, "--config", str(config), url=past.url)
    assert ended.code == 5
    rows = [line for line in ended.out.splitlines() if " ERROR " in line]
    assert len(rows) == 2
    assert all("is larger than 1024 bytes (prometheus.max_answer_bytes)" in row for row in rows)
    assert "Windows  2: 0 scored, 0 failed, 0 without data, 2 with errors" in ended.out


@pytest.mark.prometheus
def test_a_server_that_cannot_be_recognised_is_an_error_that_ends_with_1(
    past: Past, tmp_path: Path
) -> None:
    task = task_file(tmp_path, server=None, selector={"job": "serving"})
    ended = call(task, *regular(past.start, past.end, "1s"), url=past.url)
    assert ended.code == 1
    # Both servers of the job answer to the selector.
    assert ended.out.count("server: sglang, vllm all fit the metrics that are exposed") > 0


@pytest.mark.prometheus
def test_a_table_of_results_is_a_list_of_windows_again(past: Past, tmp_path: Path) -> None:
    task = task_file(tmp_path, selector=past.selector)
    first, second = tmp_path / "a.csv", tmp_path / "b.json"
    when = regular(past.start, past.end, "1s")
    assert call(task, *when, "--output", str(first), url=past.url).code == 0
    again = call(task, "--windows", str(first), "--output", str(second), url=past.url)
    assert again.code == 0
    with first.open(newline="", encoding="utf-8") as file:
        from_csv = [(row["start"], row["end"], float(row["score"])) for row in csv.DictReader(file)]
    records = json.loads(second.read_text(encoding="utf-8"))
    assert [(row["start"], row["end"], row["score"]) for row in records] == from_csv
