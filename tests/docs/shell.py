"""What the documents show for a shell, run, and the processes that they start."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.docs.markdown import ROOT

from sloscore.simulate.process import ChildProcess

BIN = Path(sys.executable).parent


def shell(script: str, where: Path = ROOT, *tools: Path) -> subprocess.CompletedProcess[str]:
    """Run a script of bash, with sloscore and what is in the directories of ``tools`` on its path."""
    path = os.pathsep.join(map(str, (*tools, BIN, os.environ["PATH"])))
    env = {**os.environ, "PATH": path}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=where, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip


def announced(process: ChildProcess) -> str:
    """Address at which a command of sloscore's says that it listens."""

    def find() -> str | None:
        match = re.search(r"listens on http://([\d.:]+)", process.output())
        return None if match is None else match[1]

    return process.wait_until(find)
