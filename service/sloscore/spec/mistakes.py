"""What pydantic found wrong, as sentences for the person who wrote the file."""

import difflib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails

from sloscore.spec.document import MAX_PROBLEMS, Place

_LONGEST_VALUE = 60
_EXPECTED: Mapping[str, str] = {
    "missing": "is required",
    "finite_number": "must be a finite number",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be below {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "string_too_short": "must be text of at least {min_length} characters",
    "string_too_long": "must be text of at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "enum": "must be one of {expected}",
    "literal_error": "must be one of {expected}",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "too_short": "must hold at least {min_length} items",
    "too_long": "must hold at most {max_length} items",
}


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong part: where it is, and a sentence that says what is right."""

    place: Place
    sentence: str


def mistakes_of(
    error: ValidationError, model: type[BaseModel], order: Callable[[Place], int]
) -> tuple[list[Mistake], int]:
    """The first ``MAX_PROBLEMS`` mistakes in this order of their places, and how many follow.

    Values stay unsaid where any part of the model hides its input.
    """
    hidden = _hides_input(model, set())
    found = sorted(error.errors(include_url=False), key=lambda one: order(_place(one["loc"])))
    first = [_mistake(details, model, hidden=hidden) for details in found[:MAX_PROBLEMS]]
    return first, len(found) - len(first)


def _mistake(details: ErrorDetails, model: type[BaseModel], *, hidden: bool) -> Mistake:
    kind, loc = details["type"], details["loc"]
    place = _place(loc)
    if kind == "extra_forbidden":
        # The key is the writer's own, whatever it looks like.
        place = (*_place(loc[:-1]), loc[-1])
        return Mistake(place, _unknown_key(str(loc[-1]), sorted(_keys_at(model, loc[:-1]))))
    context: dict[str, Any] = details.get("ctx", {})
    if kind == "value_error":
        return Mistake(place, str(context["error"]))
    expected = _EXPECTED.get(kind)
    if expected is None:
        sentence = details["msg"][:1].lower() + details["msg"][1:]
    else:
        names = str(context.get("expected", "")).replace("'", "").replace(" or ", ", ")
        sentence = expected.format(**{**context, "expected": names})
    if kind == "missing" or hidden:
        return Mistake(place, sentence)
    return Mistake(place, f"{sentence}, got {_show(details['input'])}")


def _place(loc: tuple[str | int, ...]) -> Place:
    return tuple(part for part in loc if not _is_mark(part))


def _is_mark(part: str | int) -> bool:
    """Whether a part of pydantic's location is its own: ``[key]``, or the ``<tag>`` of a form."""
    return isinstance(part, str) and (part == "[key]" or _is_tag(part))


def _is_tag(part: str | int) -> bool:
    return isinstance(part, str) and part.startswith("<") and part.endswith(">")


def _unknown_key(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    if close:
        return f"is not a known key; did you mean {close[0]}?"
    return f"is not a known key; known are {', '.join(known)}"


def _show(value: object) -> str:
    match value:
        case dict() | BaseModel():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case str() | bool() | int() | float() | None:
            text = json.dumps(value)
            return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
        case _:
            return f"a {type(value).__name__}"


def _models(annotation: object, tag: str | None = None) -> Iterator[type[BaseModel]]:
    """The models that an annotation allows, of a tagged union those of the tag's member."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        tags = [item.tag for item in arguments[1:] if isinstance(item, Tag)]
        arguments = () if tag and tags and tag not in tags else arguments[:1]
    for argument in arguments:
        yield from _models(argument, tag)


def _keys_at(model: type[BaseModel], loc: tuple[str | int, ...]) -> set[str]:
    """Keys that the mapping at a location may have."""
    models = {model}
    for index, part in enumerate(loc):
        following = loc[index + 1] if index + 1 < len(loc) else None
        tag = following if isinstance(following, str) and _is_tag(following) else None
        fields = [one.model_fields[part] for one in models if part in one.model_fields]
        # A part that is no field is a key or an index into what the models are values of.
        if fields:
            models = {found for one in fields for found in _models(one.annotation, tag)}
    return {key for one in models for key in one.model_fields}


def _hides_input(model: type[BaseModel], seen: set[type[BaseModel]]) -> bool:
    if model.model_config.get("hide_input_in_errors"):
        return True
    seen.add(model)
    inner = {found for one in model.model_fields.values() for found in _models(one.annotation)}
    return any(_hides_input(found, seen) for found in inner - seen)
