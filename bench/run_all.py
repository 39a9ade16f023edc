"""Run every benchmark, one after the other; with --write each puts its tables into its document.

    python bench/run_all.py [--short] [--write] [--only tick api]

A benchmark is a script ``bench_NAME.py`` that prints Markdown tables and takes ``--write DOCUMENT``.
Those of DOCUMENT below take ``--short`` as well, for a run in less than a minute.
"""

import argparse
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from digest import digest
from document import publish
from machine import machine

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs"
# Speed has a document of its own; what else is measured stands beside what it tells of.
DOCUMENT = DOCS / "benchmarks.md"
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


def main() -> None:
    names = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--short", action="store_true", help="the speed only, in small sizes")
    parser.add_argument("--write", action="store_true", help="put the tables into the documents")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    given = parser.parse_args()
    versions = {name: version(name) for name in PACKAGES}
    publish(machine(versions), "machine", DOCUMENT if given.write else None)
    for name in given.only:
        if given.short and name in WRITTEN_TO:
            continue
        command = [sys.executable, str(HERE / f"bench_{name}.py")]
        if given.short:
            command.append("--short")
        if given.write:
            command += ["--write", str(WRITTEN_TO.get(name, DOCUMENT))]
        print(f"==> {name}", flush=True)
        subprocess.run(command, check=True)  # noqa: S603  our own scripts
        if given.write:
            digest(DOCUMENT)


if __name__ == "__main__":
    main()
