"""Text for PromQL: literals and label matchers, in which no value is ever left unescaped."""

import re
from collections.abc import Collection

_PLAIN_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_REGEX_META = re.compile(r"[\\.+*?()|\[\]{}^$]")
# The last is how Go reads bytes that are no UTF-8: Prometheus refuses it as such unless escaped.
_STRING_SPECIAL = re.compile(r'[\\"\x00-\x1f\x7f\ufffd]')


def quote(text: str) -> str:
    """A PromQL string literal of any text."""
    return '"' + _STRING_SPECIAL.sub(_escape_character, text) + '"'


def quote_regex(text: str) -> str:
    """RE2 that matches exactly this text (the escapes of Go's regexp.QuoteMeta)."""
    return _REGEX_META.sub(r"\\\g<0>", text)


def matcher(label: str, values: Collection[str], *, negated: bool = False) -> str:
    """A matcher of the values of a non-empty collection, or of all others.

    Prometheus anchors its regexes.
    """
    name = label if _PLAIN_LABEL.fullmatch(label) else quote(label)
    if len(values) == 1:
        return f"{name}{'!=' if negated else '='}{quote(next(iter(values)))}"
    regex = "|".join(quote_regex(value) for value in values)
    return f"{name}{'!~' if negated else '=~'}{quote(regex)}"


def _escape_character(match: re.Match[str]) -> str:
    character = match.group()
    if character in '\\"':
        return "\\" + character
    return f"\\x{ord(character):02x}" if character.isascii() else f"\\u{ord(character):04x}"
