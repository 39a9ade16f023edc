"""YAML or JSON text as plain data that knows the line of each of its parts.

Both are read by the same strict rules: no key twice, no alias and no tag, no number that is not
finite, bounded size and depth. YAML scalars follow YAML 1.2: ``no`` is text, ``1e-3`` a number.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NoReturn

import yaml

from sloscore.errors import SpecError

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_PROBLEMS = 50

Place = tuple[str | int, ...]

_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)
_YAML_INT = re.compile(r"[-+]?[0-9]+")
_YAML_BASED_INT = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_YAML_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_YAML_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_YAML_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_LONGEST_NUMBER = 400
_PLAIN_WORD = re.compile(r"[\w.-]{1,80}")


class _Kind(Enum):
    MAPPING = auto()
    SEQUENCE = auto()
    END = auto()
    SCALAR = auto()
    SEPARATOR = auto()


@dataclass(frozen=True, slots=True)
class _Token:
    """One part of a document: a scalar has its value, and its text for where it is a key."""

    kind: _Kind
    line: int
    text: str = ""
    value: object = None


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data, and the line (from 1) at which each part of it begins, by its place."""

    name: str
    data: object
    lines: Mapping[Place, int]

    def line_of(self, place: Place) -> int:
        """Line of this place, or of the nearest part around it that was written."""
        while place not in self.lines and place:
            place = place[:-1]
        return self.lines.get(place, 1)


def dotted(place: Place) -> str:
    """A place as sentences name it: ``slo.latency.p90``, ``rules[2].name``."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            plain = part if _PLAIN_WORD.fullmatch(part) else ascii(part[:80])
            text += f".{plain}" if text else plain
    return text


def pointer(place: Place) -> str:
    """A place as a JSON pointer (RFC 6901): ``/slo/latency/p90``."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in place)


def report(problems: list[str]) -> NoReturn:
    """Raise SpecError with the problems, of very many only the first."""
    # A parser's own error would show the text that it stumbled over.
    raise spec_error(problems) from None


def spec_error(
    problems: list[str], more: int = 0, fields: Sequence[tuple[Place, str]] = ()
) -> SpecError:
    """The problems as an error, of very many only the first; ``more`` were left out before."""
    rest = max(0, len(problems) - MAX_PROBLEMS) + more
    return SpecError([*problems[:MAX_PROBLEMS], *([f"and {rest} more"] if rest else [])], fields)


def read_document(text: str, name: str) -> Document:
    """The document in ``text``; names that end in ``.json`` hold JSON, all others YAML.

    Raises SpecError for what is no such document, with ``name`` and the line.
    """
    return _Builder(name, _tokens(text, name)).document()


def read_documents(text: str, name: str) -> list[Document]:
    """The documents in ``text``, which YAML may hold several of; those without content are left out.

    Raises SpecError as for one document.
    """
    tokens = _tokens(text, name)
    found = [_Builder(name, tokens).following(first) for first in tokens]
    return [document for document in found if document.data is not None]


def _tokens(text: str, name: str) -> Iterator[_Token]:
    """The tokens of a text of bounded size; raises SpecError where it is none, or empty."""
    text = text.removeprefix("\ufeff")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        report([f"{name}: is not valid Unicode text"])
    if size > MAX_BYTES:
        report([f"{name}: must be at most 1 MiB, got {size} bytes"])
    if not text.strip():
        report([f"{name}: is empty"])
    return _json_tokens(text, name) if name.lower().endswith(".json") else _yaml_tokens(text, name)


@dataclass(slots=True)
class _Builder:
    name: str
    tokens: Iterator[_Token]
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def document(self) -> Document:
        first = next(self.tokens, None)
        if first is None:
            report([f"{self.name}: is empty"])
        found = self.following(first)
        if next(self.tokens, None) is not None:
            report([f"{self.name}: must hold one document, not several"])
        return found

    def following(self, first: _Token) -> Document:
        """The document that begins with this token."""
        data = self._value(first, ())
        if self.problems:
            report(self.problems)
        return Document(self.name, data, self.lines)

    def _value(self, token: _Token, place: Place) -> object:
        self.lines.setdefault(place, token.line)
        if token.kind is _Kind.SCALAR:
            problem = _scalar_problem(token.value)
            if problem:
                self._add(token.line, place, problem)
            return token.value
        if len(place) >= MAX_DEPTH:
            report([f"{self.name}:{token.line}: must be nested at most {MAX_DEPTH} levels deep"])
        return self._mapping(place) if token.kind is _Kind.MAPPING else self._sequence(place)

    def _mapping(self, place: Place) -> dict[str, object]:
        data: dict[str, object] = {}
        for key in self._parts():
            at = (*place, key.text)
            if key.kind is not _Kind.SCALAR:
                report([f"{self.name}:{key.line}: a key must be text"])
            if key.text in data:
                self._add(key.line, at, f"is given twice, first at line {self.lines[at]}")
            elif problem := _scalar_problem(key.text):
                self._add(key.line, at, problem)
            self.lines.setdefault(at, key.line)
            data[key.text] = self._value(next(self.tokens), at)
        return data

    def _sequence(self, place: Place) -> list[object]:
        return [self._value(token, (*place, index)) for index, token in enumerate(self._parts())]

    def _parts(self) -> Iterator[_Token]:
        while (token := next(self.tokens)).kind is not _Kind.END:
            yield token

    def _add(self, line: int, place: Place, problem: str) -> None:
        self.problems.append(f"{self.name}:{line}: {dotted(place) or 'the value'}: {problem}")


def _scalar_problem(value: object) -> str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number"
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return "must be a number of at most 64 bits"
    if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
        return "must not hold half of a surrogate pair"
    return None


def _integer(text: str) -> int | float:
    """The integer, or infinity where it has more digits than Python would convert."""
    return int(text) if len(text) <= _LONGEST_NUMBER else math.inf


def _json_tokens(text: str, name: str) -> Iterator[_Token]:
    _check_json_depth(text, name)
    try:
        json.loads(text, parse_int=str)
    except json.JSONDecodeError as error:
        where = f"{name}:{error.lineno}:{error.colno}"
        report([f"{where}: is not valid JSON: {error.msg[:1].lower()}{error.msg[1:]}"])
    return (token for token in _json_parts(text) if token.kind is not _Kind.SEPARATOR)


def _check_json_depth(text: str, name: str) -> None:
    # Python's own parser recurses, so that depth must be bounded before it.
    depth = 0
    for token in _json_parts(text, scalars=False):
        depth += {_Kind.MAPPING: 1, _Kind.SEQUENCE: 1, _Kind.END: -1}.get(token.kind, 0)
        if depth > MAX_DEPTH:
            report([f"{name}:{token.line}: must be nested at most {MAX_DEPTH} levels deep"])


def _json_parts(text: str, *, scalars: bool = True) -> Iterator[_Token]:
    kinds = {"{": _Kind.MAPPING, "[": _Kind.SEQUENCE, "}": _Kind.END, "]": _Kind.END}
    kinds |= {",": _Kind.SEPARATOR, ":": _Kind.SEPARATOR}
    line, last = 1, 0
    for match in _JSON_TOKEN.finditer(text):
        line += text.count("\n", last, match.start())
        last = match.start()
        kind = kinds.get(match[0], _Kind.SCALAR)
        if kind is not _Kind.SCALAR or not scalars:
            yield _Token(kind, line)
        else:
            value = json.loads(match[0], parse_int=_integer)
            yield _Token(kind, line, value if isinstance(value, str) else "", value)


def _yaml_tokens(text: str, name: str) -> Iterator[_Token]:
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            token = _yaml_token(event, name)
            if token is not None:
                yield token
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = name if mark is None else f"{name}:{mark.line + 1}:{mark.column + 1}"
        # The handle of a tag may be the beginning of a secret that lacks its quotes.
        problem = error.problem if error.problem and "tag" not in error.problem else "tag"
        report([f"{where}: is not valid YAML: {_NO_TAGS if problem == 'tag' else problem}"])
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        report([f"{name}:{line}: must not hold control characters"])
    except (ValueError, OverflowError):
        # PyYAML passes on what chr() and int() refuse in escapes and directives.
        report([f"{name}: is not valid YAML: an escape or directive is out of range"])


_NO_TAGS = "tags (!name) are not supported; put text that begins with ! in quotes"
_NO_ALIASES = "aliases (*name) are not supported; write the value out"


def _yaml_token(event: yaml.Event, name: str) -> _Token | None:
    line = 1 if event.start_mark is None else event.start_mark.line + 1
    if isinstance(event, yaml.AliasEvent):
        report([f"{name}:{line}: {_NO_ALIASES}"])
    if getattr(event, "tag", None) is not None:
        report([f"{name}:{line}: {_NO_TAGS}"])
    match event:
        case yaml.ScalarEvent():
            value = _yaml_scalar(event.value) if event.implicit[0] else event.value
            return _Token(_Kind.SCALAR, line, event.value, value)
        case yaml.MappingStartEvent():
            return _Token(_Kind.MAPPING, line)
        case yaml.SequenceStartEvent():
            return _Token(_Kind.SEQUENCE, line)
        case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
            return _Token(_Kind.END, line)
        case _:
            return None


def _yaml_scalar(text: str) -> object:
    if text in _YAML_WORDS:
        return _YAML_WORDS[text]
    if _YAML_INT.fullmatch(text):
        return _integer(text)
    if _YAML_BASED_INT.fullmatch(text):
        return int(text, 0) if len(text) <= _LONGEST_NUMBER else math.inf
    if _YAML_FLOAT.fullmatch(text):
        return float(text)
    if _YAML_NOT_FINITE.fullmatch(text):
        return math.inf
    return text
