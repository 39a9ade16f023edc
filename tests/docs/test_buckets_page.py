"""docs/buckets.md shows what the command prints, and names the options that presets have."""

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.markdown import ROOT, block, output

from sloscore.spec.preset import load_preset, preset_names

PAGE = "docs/buckets.md"


def test_the_command_prints_what_the_page_shows() -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block(PAGE, "vllm")],
        cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == output(PAGE, "vllm")


def test_every_option_is_on_the_page() -> None:
    text = (ROOT / PAGE).read_text()
    options = [option for name in preset_names() if (option := load_preset(name).bucket_option)]
    words = {word for option in options for word in (option.flag, *option.families) if word}
    assert words
    assert {word for word in words if f"`{word}" not in text} == set()
