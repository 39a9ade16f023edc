"""The example scripts and files do what they say."""

import re
import runpy
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.docs.markdown import ROOT

from sloscore.client.testing import FakeService
from sloscore.simulate.process import ChildProcess
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.spec.loader import load_task

EXAMPLES = ROOT / "examples"


def test_the_tuner_finds_the_larger_batch(prometheus: PrometheusProcess, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    prometheus.add_targets("grid", [f"127.0.0.1:{port}"])
    command = [sys.executable, "-u", "-m", "sloscore", "serve", "--port", "0", "--prometheus"]
    command += [prometheus.url, "--interval", "500ms", "--store", str(tmp_path / "s.db")]
    service = ChildProcess("serve", command, tmp_path / "serve.log")

    def url() -> str | None:
        match = re.search(r"listens on (http://\S+)", service.output())
        return None if match is None else match[1]

    try:
        arguments = ["--service", service.wait_until(url), "--port", port, "--seconds", "8"]
        done = subprocess.run(
            [sys.executable, EXAMPLES / "tuner.py", *arguments],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        service.stop()
        prometheus.remove_targets([f"127.0.0.1:{port}"])
    assert done.returncode == 0, done.stderr
    assert re.search(r"^best: max_num_seqs=64, score [\d.]+$", done.stdout, re.MULTILINE)


def test_the_tuner_does_not_start_what_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    try_candidate = runpy.run_path(str(EXAMPLES / "tuner.py"))["try_candidate"]
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    with FakeService() as fake:
        fake.will_report("batch-4-1000", score="Infinity", status="FAILED")
        try_candidate(fake.url, 0, 4, seconds=0.0)
        with pytest.raises(SystemExit, match="batch-4-1000 is already failed: choose another id"):
            try_candidate(fake.url, 0, 4, seconds=0.0)


@pytest.mark.parametrize(
    "path", sorted([*EXAMPLES.glob("*.json"), *EXAMPLES.glob("*.yaml")]), ids=lambda path: path.name
)
def test_task_file_is_valid(path: Path) -> None:
    assert load_task(path).slo is not None
