"""docs/operation.md: its log line, its reload and its table of settings, by a real service."""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.markdown import ROOT, block, table
from tests.docs.shell import announced, shell

from sloscore.api.configured import FIXED
from sloscore.simulate.process import ChildProcess

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="apt install curl")

PAGE = "docs/operation.md"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[ChildProcess]:
    command = [sys.executable, "-u", "-m", "sloscore", "serve", "--no-prometheus", "--port", "0"]
    command += ["--store", str(tmp_path / "s.db"), "--log-format", "json"]
    process = ChildProcess("serve", command, tmp_path / "serve.log")
    yield process
    process.stop()


def run(service: ChildProcess, mark: str) -> str:
    script = block(PAGE, mark).replace("127.0.0.1:8520", announced(service))
    done = shell(f"export SLOSCORE_TOKEN=\n{script}")
    assert done.returncode == 0, done
    return done.stdout


def test_the_log_line_is_as_shown(service: ChildProcess) -> None:
    (shown,) = re.findall(r"```text\n(.*?)```", (ROOT / PAGE).read_text(), re.DOTALL)
    expected = json.loads(shown)
    run(service, "log")
    lines = service.wait_until(
        lambda: [line for line in service.output().splitlines() if '"request"' in line]
    )
    logged = json.loads(lines[-1])
    # Those of a context come in any order.
    assert logged.keys() == expected.keys()
    varying = {"seconds", "timestamp"}
    assert {k: v for k, v in logged.items() if k not in varying} == {
        k: v for k, v in expected.items() if k not in varying
    }


def test_a_reload_is_answered(service: ChildProcess) -> None:
    assert json.loads(run(service, "reload")) == {"changed": []}


def test_what_needs_a_restart_is_listed() -> None:
    assert {row["setting"].strip("`") for row in table(PAGE, "fixed")} == FIXED
