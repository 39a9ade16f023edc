"""Marked parts of the documents: code blocks after ``<!-- test: x -->``, tables after ``<!-- table: x -->``."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

_BLOCK = r"<!-- test: {} -->\n```\w+\n(.*?)```"
_NEXT_TEXT = r"<!-- test: {} -->\n```\w+\n.*?```\n+```text\n(.*?)```"


def block(document: str, mark: str) -> str:
    """The code block behind a mark."""
    return _only(_BLOCK.format(mark), document)


def output(document: str, mark: str) -> str:
    """The text block that follows the code block behind a mark."""
    return _only(_NEXT_TEXT.format(mark), document)


def table(document: str, mark: str) -> list[dict[str, str]]:
    """The rows of the table behind a mark, by the names of their columns."""
    lines = _only(rf"<!-- table: {mark} -->\n((?:\|[^\n]*\n)+)", document).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def _only(pattern: str, document: str) -> str:
    (found,) = re.findall(pattern, (ROOT / document).read_text(), re.DOTALL)
    return str(found)
