"""Where the benchmarks put their tables: between the marks of a document."""

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
