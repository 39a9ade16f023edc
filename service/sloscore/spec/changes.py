"""Single values of a document changed by their path, as ``latency.p90.threshold``."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from sloscore.errors import SpecError

_SEPARATOR = "."


def with_changes(document: Mapping[str, Any], changes: Mapping[str, object]) -> dict[str, Any]:
    """A copy of the document with these values at their paths; None takes a value away.

    Keys may hold dots (``p99.9``): the longest key that is there counts. What is missing on the way
    to a value is made. Raises SpecError, which names the path, where it leads through a value, or
    to nothing that could be taken away.
    """
    changed = deepcopy(dict(document))
    problems = []
    for path, value in changes.items():
        if problem := _change(changed, path.split(_SEPARATOR), value):
            problems.append((path, problem))
    if problems:
        raise SpecError(
            [f"{path}: {problem}" for path, problem in problems],
            [((path,), problem) for path, problem in problems],
        )
    return changed


def _change(section: dict[str, Any], parts: list[str], value: object) -> str | None:
    if not all(parts):
        return "is no path: write the names on the way to a value with dots between them"
    while True:
        key, parts = _step(section, parts)
        if not parts:
            break
        if key not in section and value is None:
            return f"{key} is not there"
        inner = section.setdefault(key, {})
        if not isinstance(inner, dict):
            return f"{key} is a value, with nothing in it"
        section = inner
    if value is not None:
        section[key] = value
    elif section.pop(key, None) is None:
        return f"{key} is not there"
    return None


def _step(section: Mapping[str, Any], parts: list[str]) -> tuple[str, list[str]]:
    """The key that the path begins with, and the rest of the path."""
    for length in range(len(parts), 0, -1):
        key = _SEPARATOR.join(parts[:length])
        if key in section:
            return key, parts[length:]
    return parts[0], parts[1:]
