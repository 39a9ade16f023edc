"""Models of the OpenAPI document as headings and tables: each field with its type, default and limits."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from sloscore.settings_base import Duration
from tools.reference.markdown import paragraphs, table

Schema = Mapping[str, Any]

_DURATION: Final = TypeAdapter(Duration).json_schema()["anyOf"][1]["pattern"]

_REF: Final = "#/components/schemas/"
_COLUMNS: Final = ("field", "type", "default", "limits")
_LIMITS: Final = {
    "exclusiveMinimum": "above {}",
    "minimum": "at least {}",
    "exclusiveMaximum": "below {}",
    "maximum": "at most {}",
    "minLength": "length at least {}",
    "maxLength": "length at most {}",
    "minItems": "items: at least {}",
    "maxItems": "items: at most {}",
    "minProperties": "keys: at least {}",
    "maxProperties": "keys: at most {}",
    "pattern": "matches `{}`",
    "format": "{}",
}


class Schemas:
    """The schemas by name; ``elsewhere`` are those that another page has, by its address."""

    def __init__(self, schemas: Mapping[str, Schema], elsewhere: Mapping[str, str]) -> None:
        self._schemas = schemas
        self._elsewhere = elsewhere

    def sections(self, names: Iterable[str]) -> Iterator[str]:
        """A section for each of these, and for all that they refer to, in the order of reading."""
        for name in self.reached(names):
            if name not in self._elsewhere:
                yield self._section(name)

    def reached(self, names: Iterable[str]) -> list[str]:
        """These models and all that they refer to, nearest first; not what only other pages have."""
        found = list(dict.fromkeys(names))
        for name in found:
            if name not in self._elsewhere:
                found += [new for new in _referred(self._schemas[name]) if new not in found]
        return found

    def type(self, schema: Schema) -> str:
        """What a value may be, in words and links."""
        match schema:
            case {"$ref": str(ref)}:
                name = ref.removeprefix(_REF)
                return f"[{name}]({self._elsewhere.get(name, '')}#{name.lower()})"
            case {"anyOf": list(kinds)} | {"oneOf": list(kinds)}:
                return " or ".join(dict.fromkeys(map(self.type, kinds)))
            case {"prefixItems": list(kinds)}:
                return "list of " + " and ".join(map(self._inner, kinds))
            case {"type": "array"}:
                return f"list of {self._inner(schema.get('items', {}))}"
            case {"type": "object"}:
                return self._mapping(schema)
            case _:
                return _plain(schema)

    def _inner(self, schema: Schema) -> str:
        text = self.type(schema)
        return f"({text})" if " or " in text else text

    def _mapping(self, schema: Schema) -> str:
        inner = [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")][
            0
        ]
        keys = schema.get("propertyNames", {}).get("enum")
        of_keys = "" if keys is None else f" of {_one_of(keys)}"
        return (
            f"mapping{of_keys} to {self._inner(inner)}" if isinstance(inner, Mapping) else "mapping"
        )

    def _section(self, name: str) -> str:
        schema = self._schemas[name]
        parts = [f"## {name}"]
        if "description" in schema:
            parts.append(paragraphs(schema["description"]))
        if "properties" not in schema:
            parts.append(f"One of {self.type(schema)}.")
            return "\n\n".join(parts)
        required = schema.get("required", ())
        rows = [
            (
                f"`{field}`",
                self.type(of),
                "required" if field in required else default(of),
                limits(of),
            )
            for field, of in schema["properties"].items()
        ]
        return "\n\n".join([*parts, table(_COLUMNS, rows)])


def limits(schema: Schema) -> str:
    """The limits of a value, of all the kinds that it may have."""
    if _is_duration(schema):
        return ""
    told = [text.format(schema[name]) for name, text in _LIMITS.items() if name in schema]
    for inner in schema.get("anyOf", ()):
        told += [limit for limit in [limits(inner)] if limit and limit not in told]
    return ", ".join(told)


def default(schema: Schema) -> str:
    """The value where none is given; none for null and for an empty list."""
    value = schema.get("default")
    return "" if value is None or value == [] else f"`{json.dumps(value).strip(chr(34))}`"


def _plain(schema: Schema) -> str:
    if "enum" in schema:
        return _one_of(schema["enum"])
    if "const" in schema:
        return _one_of([schema["const"]])
    return "duration" if _is_duration(schema) else str(schema.get("type", "anything"))


def _is_duration(schema: Schema) -> bool:
    return bool(schema.get("pattern") == _DURATION)


def _one_of(values: Iterable[str]) -> str:
    return " or ".join(f"`{value}`" for value in values)


def _referred(schema: object) -> Iterator[str]:
    match schema:
        case {"$ref": str(ref)}:
            yield ref.removeprefix(_REF)
        case dict():
            for inner in schema.values():
                yield from _referred(inner)
        case list():
            for inner in schema:
                yield from _referred(inner)
