"""Where the benchmarks put their tables: between the marks of a document."""

import argparse
import re
from collections.abc import Iterable, Sequence
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
        text = document.read_text(encoding="utf-8")
        document.write_text(replaced(text, table, printed), encoding="utf-8")


def replaced(document: str, table: str, lines: Iterable[str]) -> str:
    """A document's text with other lines in place of a table.

    Raises ValueError where it has no such table.
    """
    begin = f"<!-- table: {table} -->"
    head, _, rest = document.partition(begin)
    _, end, tail = rest.partition(_END)
    if not end:
        raise ValueError(f"the document has no table between {begin} and {_END}")
    return "\n".join([head + begin, *lines, _END + tail])


def rows_of(document: str, table: str) -> Sequence[Sequence[str]]:
    """The cells of a table of a document's text, those of its head first.

    Raises ValueError where the document has no such table.
    """
    begin = f"<!-- table: {table} -->\n"
    lines = document.partition(begin)[2].partition(_END)[0].splitlines()
    if len(lines) < 2:
        raise ValueError(f"the document has no table after {begin.strip()}")
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [head, *rows]


def number_in(cell: str) -> float:
    """The first number of a cell: 1000 of "1,000", 0.02 of "0.020 s", 55 of "55%".

    Raises ValueError where there is none.
    """
    found = re.search(r"-?\d[\d,]*(\.\d+)?", cell)
    if found is None:
        raise ValueError(f"no number in {cell!r}")
    return float(found[0].replace(",", ""))


def part_options(description: str | None) -> argparse.Namespace:
    """``short`` and ``write`` of the command line of a benchmark of docs/benchmarks.md."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--short", action="store_true", help="small sizes, in less than a minute")
    parser.add_argument("--write", type=Path, help="document whose tables to replace")
    return parser.parse_args()
