"""Rule groups as text: the same groups always give the same bytes."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Final

from sloscore import __version__
from sloscore.generate.rules import Alert, Group, Recording, Rule

_PLAIN: Final = re.compile(
    r"[A-Za-z][A-Za-z0-9_./-]*(?::[A-Za-z0-9_]+)*|[0-9]+(?:ms|[smhd])[0-9a-z]*"
)
# Words that YAML 1.1 or 1.2 takes for something else than text.
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"'}
_NOT_OF_NAME: Final = re.compile(r"[^a-z0-9]+")
_MAX_NAME: Final = 63
_WIDTH: Final = 96


@dataclass(frozen=True, slots=True)
class Made:
    """The groups of one task file, with the file's name and, where it was read, its SHA-256."""

    task: str
    file: str
    digest: str | None
    groups: tuple[Group, ...]


def as_prometheus(made: Sequence[Made], options: str) -> str:
    """One rule file for Prometheus, Thanos, Mimir and vmalert."""
    groups = [group for one in made for group in one.groups]
    return _text([*_header(made, options), "groups:", *_indented(_groups(groups))])


def as_kubernetes(
    made: Sequence[Made], options: str, namespace: str | None, labels: Mapping[str, str]
) -> str:
    """A PrometheusRule of the Prometheus operator for each task."""
    lines = [*_header(made, options)]
    for one in made:
        lines += ["---", "apiVersion: monitoring.coreos.com/v1", "kind: PrometheusRule"]
        lines += ["metadata:", f"  name: {_object_name(one.task)}"]
        if namespace is not None:
            lines.append(f"  namespace: {_scalar(namespace)}")
        lines += _indented(_mapping("labels", labels))
        lines += ["spec:", "  groups:", *_indented(_indented(_groups(one.groups)))]
    return _text(lines)


def _header(made: Sequence[Made], options: str) -> Iterator[str]:
    yield f"# Made by sloscore {__version__} with: sloscore rules {options}"
    for one in made:
        digest = f" (sha256 {one.digest})" if one.digest else ""
        yield f"# from {_printable(one.file)}{digest}"
    yield "# Change that and make it again: changes made here would be lost."


def _groups(groups: Sequence[Group]) -> Iterator[str]:
    for group in groups:
        yield f"- name: {_scalar(group.name)}"
        yield f"  interval: {_scalar(group.interval)}"
        for remark in group.remarks:
            lines = wrap(_printable(remark), _WIDTH, break_long_words=False, break_on_hyphens=False)
            yield from (f"  # {line}" for line in lines)
        yield "  rules:"
        for rule in group.rules:
            yield from _indented(_indented(_rule(rule)))


def _rule(rule: Rule) -> Iterator[str]:
    if isinstance(rule, Recording):
        yield f"# {rule.comment}"
        yield f"- record: {_scalar(rule.name)}"
    else:
        yield f"- alert: {_scalar(rule.name)}"
    yield "  expr: |"
    for line in rule.expr.split("\n"):
        yield f"    {_printable(line)}"
    if isinstance(rule, Alert) and rule.hold is not None:
        yield f"  for: {_scalar(rule.hold)}"
    yield from _indented(_mapping("labels", rule.labels))
    if isinstance(rule, Alert):
        yield from _indented(_mapping("annotations", rule.annotations))


def _mapping(key: str, values: Mapping[str, str]) -> Iterator[str]:
    if values:
        yield f"{key}:"
        yield from (f"  {_scalar(name)}: {_scalar(value)}" for name, value in values.items())


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return '"' + "".join(_ESCAPES.get(char, _printable(char)) for char in text) + '"'


def _printable(text: str) -> str:
    """Text on one line: what cannot be printed is escaped as YAML and JSON have it."""
    return "".join(char if char.isprintable() else _code(ord(char)) for char in text)


def _code(point: int) -> str:
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


def _object_name(task: str) -> str:
    """A name of a Kubernetes object, different for different tasks."""
    name = f"sloscore-{_NOT_OF_NAME.sub('-', task.lower()).strip('-')}".strip("-")
    if name == f"sloscore-{task}" and len(name) <= _MAX_NAME:
        return name
    digest = hashlib.sha256(task.encode()).hexdigest()[:8]
    return f"{name[: _MAX_NAME - len(digest) - 1].strip('-')}-{digest}"


def _indented(lines: Iterator[str] | Sequence[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _text(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"
