"""The demo, from its first process to its last, and what it leaves behind."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sloscore.simulate.process import ChildProcess

pytestmark = [pytest.mark.prometheus, pytest.mark.usefixtures("prometheus_binary")]

DEMO = [sys.executable, "-u", "-m", "sloscore", "demo"]


def processes_of(place: Path) -> list[str]:
    """Command lines of the processes whose temporary files are under this place."""
    mark = f"TMPDIR={place}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def test_demo_shows_a_healthy_a_soft_and_a_hard_outcome(tmp_path: Path) -> None:
    done = subprocess.run(
        [*DEMO, "--seconds", "20"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    final = done.stdout.split("Final scores")[1]
    assert re.search(r"healthy-tp2 .*x \(1 \+ 0\) +SUCCESS", final)
    soft = re.search(r"soft-little-memory .*x \(1 \+ ([\d.e+]+)\) +SUCCESS", final)
    assert soft
    assert float(soft[1]) > 0
    assert re.search(r"hard-small-batch .*score inf +hard SLO violation +FAILED", final)
    assert processes_of(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_demo_leaves_no_process_when_it_is_stopped(number: signal.Signals, tmp_path: Path) -> None:
    place = tmp_path / "tmp"
    place.mkdir()
    demo = ChildProcess("demo", DEMO, tmp_path / "demo.log", {"TMPDIR": str(place)})
    demo.wait_until(lambda: True if "Scoring them" in demo.output() else None)
    # The demo, three servers, Prometheus and the service.
    assert len(processes_of(place)) == 6
    os.kill(demo.pid, number)
    code = demo.wait()
    assert code == (-number if number is signal.SIGKILL else 130)
    if number is not signal.SIGKILL:
        assert "nothing is left running" in demo.output()
        assert processes_of(place) == []
        assert list(place.iterdir()) == []
        return
    # Linux ends the children of a killed process by itself, in its own time.
    while processes_of(place):
        os.sched_yield()
