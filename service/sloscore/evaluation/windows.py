"""Windows from a file: CSV with a header, or a list in JSON or YAML."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from sloscore.errors import SpecError
from sloscore.evaluation.backtest import MAX_WINDOWS, Window
from sloscore.spec.document import read_document, report
from sloscore.spec.loader import validate

_KEYS: Final = ("start", "end", "name")
_NEEDED: Final = frozenset({"start", "end"})
_EXPECTED: Final = "start, end and, if you like, name"
# Large enough for a table of results, which names its windows, too.
_MAX_BYTES: Final = 16 * 1024 * 1024

Listed = tuple[int, object]
"""The line of a window, and what is written there."""


def read_windows(path: Path, problem_of: Callable[[Window], str | None]) -> tuple[Window, ...]:
    """The windows of a file in its order; other columns and keys than its own are left aside.

    ``problem_of`` says why a window cannot be scored. Raises SpecError with a sentence for each
    mistake: ``windows.csv:3: end: ...``.
    """
    name = str(path)
    text = _text(path).removeprefix("\ufeff")
    rows = list(_csv_rows(text, name) if _is_csv(name) else _document_rows(text, name))
    if not rows:
        report([f"{name}: holds no windows"])
    if len(rows) > MAX_WINDOWS:
        report([f"{name}: must hold at most {MAX_WINDOWS} windows, got {len(rows)}"])
    windows, problems = [], []
    for line, data in rows:
        try:
            window = _window(data, f"{name}:{line}")
        except SpecError as error:
            problems += error.problems
        else:
            windows.append(window)
            if problem := problem_of(window):
                problems.append(f"{name}:{line}: {problem}")
    if problems:
        report(problems)
    return tuple(windows)


def _window(data: object, place: str) -> Window:
    if not isinstance(data, Mapping):
        raise SpecError([f"{place}: must be a mapping with {_EXPECTED}"])
    return validate(Window, {key: data[key] for key in _KEYS if key in data}, place)


def _is_csv(name: str) -> bool:
    return name.lower().endswith(".csv")


def _csv_rows(text: str, name: str) -> Iterator[Listed]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = reader.fieldnames or []
        if not _NEEDED.issubset(columns) or any(columns.count(key) > 1 for key in _KEYS):
            shown = ", ".join(map(ascii, columns)) or "none"
            report([f"{name}:1: must name the columns {_EXPECTED}, each once; it has {shown}"])
        for row in reader:
            if None in row:
                report([f"{name}:{reader.line_num}: has more fields than line 1 names columns"])
            yield reader.line_num, {key: _value(key, text) for key, text in row.items() if text}
    except csv.Error as error:
        # The reader of rows knows of whole rows only.
        report([f"{name}:{reader.reader.line_num}: is not valid CSV: {error}"])


def _value(column: str, text: str) -> str | float:
    try:
        return text if column == "name" else float(text)
    except ValueError:
        return text


def _document_rows(text: str, name: str) -> Iterator[Listed]:
    document = read_document(text, name)
    if not isinstance(document.data, list):
        report([f"{name}:1: must be a list of windows, each with {_EXPECTED}"])
    for index, data in enumerate(document.data):
        yield document.line_of((index,)), data


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except OSError as error:
        report([f"{path}: cannot be read: {error.strerror}"])
    if len(raw) > _MAX_BYTES:
        report([f"{path}: must be at most 16 MiB"])
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        report([f"{path}:{line}: must be UTF-8 text"])
