"""Run the tests of the data path and of the rules on every engine that is here.

SLOSCORE_STACK names a directory with prometheus-2.42, prometheus-3.5, victoria-metrics and vmalert;
those that it lacks are told as skipped. The Prometheus of this machine is always there.

    python -m tools.engines [--list]
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from sloscore.simulate.fetch import ensure_prometheus

ENGINES = ("prometheus-2.42", "prometheus-3.5", "victoria-metrics")
HERE = "prometheus"
ROOT = Path(__file__).parents[1]
DATA_PATH = (
    "tests/integration/test_source_contract.py",
    "tests/integration/test_window_truth.py",
    "tests/integration/test_engine_tenants.py",
)
# They skip themselves where the engine is older.
OF_PROMETHEUS = (
    "tests/integration/test_native_histograms.py",
    "tests/integration/test_utf8_label_names.py",
)
RULES = "tests/integration/test_rules_equal_the_scoring.py"


def binaries() -> Mapping[str, Path | None]:
    """The binary of each engine; None of those that are not here."""
    found: dict[str, Path | None] = {HERE: ensure_prometheus(say=_say)}
    stack = os.environ.get("SLOSCORE_STACK")
    for name in ENGINES:
        path = Path(stack) / name if stack else None
        found[name] = path if path is not None and path.exists() else None
    return found


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def arguments_of(engine: str) -> list[str]:
    """The tests that an engine has to pass, as pytest is told."""
    return [*DATA_PATH, *(() if engine == "victoria-metrics" else OF_PROMETHEUS)]


def main() -> None:
    """Run them, and print a row for each engine; the exit code is 1 where any failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--list", action="store_true", help="say which engines are here, run nothing"
    )
    given, options = parser.parse_known_args()
    rows = list(_results(options, only_list=given.list))
    _say("\n| engine | data path | rules |\n| --- | --- | --- |")
    for row in rows:
        _say(f"| {' | '.join(row)} |")
    sys.exit(any("failed" in cell for row in rows for cell in row))


def _results(options: list[str], *, only_list: bool) -> Iterator[tuple[str, str, str]]:
    for name, binary in binaries().items():
        if binary is None:
            reason = "skipped: not in SLOSCORE_STACK"
            yield name, reason, reason
        elif only_list:
            yield name, "is here", "is here"
        else:
            _say(f"==> {name}")
            data = _run([*arguments_of(name), *options], {"SLOSCORE_PROMETHEUS": str(binary)})
            yield name, data, _run([RULES, "-k", f"[{name}]", *options], {})


def _run(arguments: list[str], env: Mapping[str, str]) -> str:
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-rs", *arguments]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **env}, check=False)  # noqa: S603  our own tests
    seconds = f"{time.monotonic() - began:.0f} s"
    return f"passed in {seconds}" if done.returncode == 0 else f"failed after {seconds}"


if __name__ == "__main__":
    main()
