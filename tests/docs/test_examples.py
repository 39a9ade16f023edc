"""The example scripts and files do what they say."""

import re
import runpy
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.markdown import ROOT

from sloscore.client.testing import FakeService
from sloscore.simulate.process import ChildProcess
from sloscore.spec.loader import load_task

EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a service that knows no Prometheus."""
    place = tmp_path_factory.mktemp("service")
    command = [sys.executable, "-u", "-m", "sloscore", "serve", "--no-prometheus", "--port", "0"]
    command += ["--interval", "500ms", "--store", str(place / "s.db")]
    process = ChildProcess("serve", command, place / "serve.log")

    def url() -> str | None:
        match = re.search(r"listens on (http://\S+)", process.output())
        return None if match is None else match[1]

    yield process.wait_until(url)
    process.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(example: str, service: str, *arguments: str) -> str:
    """What an example prints."""
    script = str(EXAMPLES / example)
    command = [sys.executable, script, "--service", service, "--port", str(free_port())]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def test_the_grid_finds_the_larger_batch(service: str) -> None:
    grid = ("--batches", "4", "64", "--devices", "1")
    said = run("tune_grid.py", service, *grid, "--seconds", "6")
    best = r"^best: max_num_seqs=64, tensor_parallel=1, score [\d.]+$"
    assert re.search(best, said, re.MULTILINE), said


def test_the_study_stops_what_runs_today_early_and_finds_better(
    service: str, tmp_path: Path
) -> None:
    optuna = pytest.importorskip("optuna", reason="needs the extra: pip install 'sloscore[optuna]'")
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    # The second guess of this seed has two devices and a batch of 223.
    short = ("--trials", "2", "--seconds", "6", "--seed", "4")
    said = run("tune_optuna.py", service, "--storage", storage, *short)
    first = re.search(
        r"-0: FAILED score inf after ([\d.]+) s, bound by (latency_p90|ttft)$", said, re.MULTILINE
    )
    assert first, said
    assert float(first[1]) < 6, "it was not stopped early"
    (summary,) = optuna.get_all_study_summaries(storage)
    trials = optuna.load_study(study_name=summary.study_name, storage=storage).trials
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 2
    assert all(trial.constraints.keys() == {"latency_p90", "ttft"} for trial in trials)
    assert f"best: {summary.best_trial.params}" in said


def test_the_grid_does_not_start_what_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    try_candidate = runpy.run_path(str(EXAMPLES / "tune_grid.py"))["try_candidate"]
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    name, port = "batch-4-tp-1-1000", free_port()
    with FakeService() as fake:
        fake.will_report(name, score="Infinity", status="FAILED")
        try_candidate(fake.url, port, (4, 1), seconds=0.0)
        with pytest.raises(SystemExit, match=f"{name} is already failed: choose another id"):
            try_candidate(fake.url, port, (4, 1), seconds=0.0)


@pytest.mark.parametrize(
    "path", sorted([*EXAMPLES.glob("*.json"), *EXAMPLES.glob("*.yaml")]), ids=lambda path: path.name
)
def test_task_file_is_valid(path: Path) -> None:
    assert load_task(path).slo is not None
