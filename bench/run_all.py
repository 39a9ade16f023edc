"""Run every benchmark, one after the other; with --write each puts its tables into its document.

    python bench/run_all.py [--short | --write] [--only tick api]

A benchmark is a script ``bench_NAME.py`` that prints Markdown tables and takes ``--write DOCUMENT``.
Those of DOCUMENT below take ``--short`` as well, for a run of minutes. After all of them the goals and the
pictures of DOCUMENT are made of its tables; without --write that happens to a copy in .cache/bench.
A benchmark that fails or takes too long does not stop the others.
"""

import argparse
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from digest import digest
from document import publish
from goals import goals
from machine import machine

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs"
# Speed has a document of its own; what else is measured stands beside what it tells of.
DOCUMENT = DOCS / "benchmarks.md"
COPY = HERE.parent / ".cache" / "bench" / "benchmarks.md"
WRITTEN_TO = {
    "baseline": DOCS / "baseline.md",
    "capacity": DOCS / "engines.md",
    "certainty": DOCS / "certainty.md",
    "compat": DOCS / "compat.md",
    "early_stop": DOCS / "stopping.md",
    "leak": DOCS / "load.md",
    "load": DOCS / "load.md",
    "optimisers": DOCS / "optimisers.md",
    "page": DOCS / "page.md",
}
PACKAGES = ("aiohttp", "orjson", "pydantic", "prometheus-client", "SQLAlchemy")
# For one benchmark, which hangs if it takes longer.
MINUTES, MINUTES_SHORT = 60, 10


def ran(command: list[str], minutes: float) -> bool:
    """Whether a benchmark ran to its end; says how long it took."""
    began = time.monotonic()
    try:
        code = subprocess.run(command, check=False, timeout=minutes * 60).returncode  # noqa: S603  our own scripts
        how = "took" if code == 0 else f"failed with exit code {code} after"
    except subprocess.TimeoutExpired:
        code, how = None, "was stopped after"
    print(f"<== {how} {time.monotonic() - began:.0f} s", flush=True)
    return code == 0


def main() -> None:
    names = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--short", action="store_true", help="the speed only, in small sizes")
    parser.add_argument("--write", action="store_true", help="put the tables into the documents")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    given = parser.parse_args()
    if given.short and given.write:
        parser.error("--write is for full sizes: --short writes into .cache/bench")
    document = DOCUMENT
    if not given.write:
        COPY.parent.mkdir(parents=True, exist_ok=True)
        document = Path(shutil.copy(DOCUMENT, COPY))
    publish(machine({name: version(name) for name in PACKAGES}), "machine", document)
    parts = [name for name in given.only if not (given.short and name in WRITTEN_TO)]
    failed = []
    for number, name in enumerate(parts, 1):
        command = [sys.executable, str(HERE / f"bench_{name}.py")]
        if given.short:
            command.append("--short")
        if name not in WRITTEN_TO:
            command += ["--write", str(document)]
        elif given.write:
            command += ["--write", str(WRITTEN_TO[name])]
        print(f"==> {name} ({number} of {len(parts)})", flush=True)
        if not ran(command, MINUTES_SHORT if given.short else MINUTES):
            failed.append(name)
    pictures = digest(document)
    print(*goals(document.read_text(encoding="utf-8")), sep="\n")
    print(f"Tables are in {document}, pictures in {pictures[0].parent}.")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}; tables that these did not write are as they were")


if __name__ == "__main__":
    main()
