"""What the documents show for a shell, run, and the processes that they start."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

from tests.docs.markdown import ROOT

from sloscore.simulate.process import ChildProcess

BIN = Path(sys.executable).parent
LOAD = f"{sys.executable} {ROOT}/tests/cli/load_script.py"
# Stands for ``vllm bench serve --base-url URL``: waits for 20 requests.
VLLM = f'exec {LOAD} "$4/metrics" 20\n'


def shell(script: str, where: Path = ROOT, *tools: Path) -> subprocess.CompletedProcess[str]:
    """Run a script of bash, with sloscore and what is in the directories of ``tools`` on its path."""
    path = os.pathsep.join(map(str, (*tools, BIN, os.environ["PATH"])))
    env = {**os.environ, "PATH": path}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=where, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip


def program(directory: Path, name: str, script: str) -> None:
    """Put a script of sh into a directory, as a program that is not here."""
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def announced(process: ChildProcess) -> str:
    """Address at which a command of sloscore's says that it listens."""

    def find() -> str | None:
        match = re.search(r"listens on http://([\d.:]+)", process.output())
        return None if match is None else match[1]

    return process.wait_until(find)
