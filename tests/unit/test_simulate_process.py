"""Processes beside this one: their logs, their ends, and what is said where they fail."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sloscore.errors import SloscoreError
from sloscore.simulate.process import ChildProcess
from sloscore.simulate.prometheus import PrometheusProcess

SAYS_READY = "print('ready', flush=True); import time; time.sleep(60)"
KEEPS_ON = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SAYS_READY
# The parent of a child of its own: it prints the child's process id.
PARENT = f"""
import sys, time
from pathlib import Path
from sloscore.simulate.process import ChildProcess
child = ChildProcess("child", [sys.executable, "-c", {SAYS_READY!r}], Path(sys.argv[1]))
child.wait_until(lambda: "ready" in child.output() or None)
print(child.pid, flush=True)
time.sleep(60)
"""

Run = Callable[..., ChildProcess]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Runs a line of Python as the process "worker"."""
    started = []

    def run(code: str, env: dict[str, str] | None = None) -> ChildProcess:
        process = ChildProcess("worker", [sys.executable, "-c", code], tmp_path / "log", env)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()


def ready(process: ChildProcess) -> str | None:
    return process.output() if "ready" in process.output() else None


def test_waiting_answers_what_the_condition_found(run: Run) -> None:
    process = run(SAYS_READY)

    assert process.wait_until(lambda: ready(process)) == "ready\n"
    assert process.is_running


def test_one_that_ends_before_it_is_ready_is_told_with_the_end_of_its_log(run: Run) -> None:
    process = run("import sys; [print(n) for n in range(100)]; sys.exit('bad flag')")

    with pytest.raises(SloscoreError) as error:
        process.wait_until(lambda: None)

    lines = [*map(str, range(86, 100)), "bad flag"]
    assert str(error.value) == "worker ended while it started:\n" + "\n".join(lines)


def test_one_that_ends_silently_is_told_too(run: Run) -> None:
    with pytest.raises(
        SloscoreError, match=r"worker ended while it started:\n\(it printed nothing\)"
    ):
        run("").wait_until(lambda: None)


def test_one_that_is_never_ready_is_ended_and_told(run: Run) -> None:
    process = run(SAYS_READY)
    process.wait_until(lambda: ready(process))

    with pytest.raises(SloscoreError, match="worker is not ready in time:\nready"):
        process.wait_until(lambda: None, timeout=0)

    assert not process.is_running


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        SloscoreError, match=r"^worker cannot be run: there is no program /no/where$"
    ):
        ChildProcess("worker", ["/no/where"], tmp_path / "log")


def test_a_process_sees_this_environment_and_more(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELD", "here")
    code = "import os; print('ready', os.environ['HELD'], os.environ['GIVEN'])"

    process = run(code, {"GIVEN": "there"})

    assert process.wait_until(lambda: ready(process)) == "ready here there\n"


def test_stopping_is_a_sigterm_and_harmless_when_it_has_ended(run: Run) -> None:
    process = run(SAYS_READY)
    process.wait_until(lambda: ready(process))

    assert process.stop() == -signal.SIGTERM
    assert process.stop() == -signal.SIGTERM
    assert not process.is_running


def test_one_that_keeps_on_is_killed(run: Run) -> None:
    process = run(KEEPS_ON)
    process.wait_until(lambda: ready(process))

    assert process.stop(timeout=0.1) == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of a parent's death")
def test_it_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, tmp_path / "log"], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent.stdout as lines:
        child = int(lines.readline())
    assert is_alive(child)

    parent.kill()
    parent.wait()

    deadline = time.monotonic() + 30
    while is_alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(
    ("last_words", "sentence", "runs"),
    [
        ("bad config", "^Prometheus ended while it started:\nbad config$", 1),
        ("listen: address already in use", "^Prometheus found no free port on 127.0.0.1 in 5", 5),
    ],
    ids=["once for a mistake", "several times for a port that is taken"],
)
def test_a_prometheus_that_does_not_start_is_tried(
    tmp_path: Path, last_words: str, sentence: str, runs: int
) -> None:
    binary = tmp_path / "binary"
    binary.write_text(f"#!/bin/sh\necho run >> {tmp_path}/runs\necho {last_words} >&2\nexit 1\n")
    binary.chmod(0o755)

    with pytest.raises(SloscoreError, match=sentence):
        PrometheusProcess(binary, tmp_path / "place").start()

    assert (tmp_path / "runs").read_text().splitlines() == ["run"] * runs
