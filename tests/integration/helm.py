"""Helm, which renders the chart in deploy/helm."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tools.kubernetes import DIRECTORY as MONITORING

CHART = MONITORING.parents[1] / "helm" / "sloscore"


def helm_binary() -> Path:
    """The Helm of SLOSCORE_STACK or of this machine; skips where there is none."""
    places = os.pathsep.join((os.environ.get("SLOSCORE_STACK", ""), os.environ["PATH"]))
    binary = shutil.which("helm", path=places)
    if binary is None:
        pytest.skip("there is no helm here, nor in SLOSCORE_STACK")
    return Path(binary)


def rendered(*options: str, name: str = "sloscore") -> subprocess.CompletedProcess[str]:
    """What ``helm template`` says to the chart as a release of this name."""
    return subprocess.run(
        [helm_binary(), "template", name, CHART, "--namespace", "sloscore", *options],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
