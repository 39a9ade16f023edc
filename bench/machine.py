"""The machine that a benchmark ran on."""

import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path


def machine(versions: Mapping[str, str]) -> Iterator[str]:
    """The lines of a table: processor, memory, system and versions."""
    yield "| machine | |"
    yield "| --- | --- |"
    yield f"| processor | {_field('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores |"
    kilobytes = int(_field("/proc/meminfo", "MemTotal").split()[0])
    yield f"| memory | {kilobytes / 1024**2:.0f} GiB |"
    yield f"| system | {platform.system()} {platform.release()} |"
    yield f"| Python | {platform.python_implementation()} {platform.python_version()} |"
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    yield f"| packages | {named} |"


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"
