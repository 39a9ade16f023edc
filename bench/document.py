"""Where the benchmarks put their tables: between the marks of a document."""

import argparse
from collections.abc import Iterable
from pathlib import Path

_END = "<!-- end of table -->"


def publish(lines: Iterable[str], table: str, document: Path | None) -> None:
    """Print lines as they come; then put them in place of a document's table, if one is given.

    Raises ValueError where the document has no such table.
    """
    printed = []
    for line in lines:
        print(line, flush=True)
        printed.append(line)
    if document is not None:
        begin = f"<!-- table: {table} -->"
        head, _, rest = document.read_text(encoding="utf-8").partition(begin)
        _, end, tail = rest.partition(_END)
        if not end:
            raise ValueError(f"{document} has no table between {begin} and {_END}")
        text = "\n".join([head + begin, *printed, _END + tail])
        document.write_text(text, encoding="utf-8")


def part_options(description: str | None) -> argparse.Namespace:
    """``short`` and ``write`` of the command line of a benchmark of docs/benchmarks.md."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--short", action="store_true", help="small sizes, in less than a minute")
    parser.add_argument("--write", type=Path, help="document whose tables to replace")
    return parser.parse_args()
