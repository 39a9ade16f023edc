"""Whether models of the Grafana SDK hold what their annotations allow: its from_json checks nothing."""

import enum
import types
import typing
from collections.abc import Iterator

PLAIN: dict[object, tuple[type, ...]] = {
    float: (int, float),
    int: (int,),
    bool: (bool,),
    str: (str,),
    types.NoneType: (types.NoneType,),
}


def mismatches(model: object, place: str = "") -> Iterator[str]:
    """Where a model, or one inside of it, holds something else."""
    for name, hint in typing.get_type_hints(type(model)).items():
        yield from _of_value(getattr(model, name, None), hint, f"{place}.{name}")


def _of_value(value: object, hint: object, place: str) -> Iterator[str]:
    origin = typing.get_origin(hint)
    if isinstance(value, dict) and hasattr(hint, "from_json"):
        # The SDK leaves some models inside of others as they are in the JSON.
        value = hint.from_json(value)
    if origin in {typing.Union, types.UnionType}:
        yield from _of_any(value, typing.get_args(hint), place)
    elif origin in {list, dict} and isinstance(value, origin):
        yield from _of_items(value, typing.get_args(hint)[-1], place)
    elif _is_model(value, hint):
        yield from mismatches(value, place)
    elif not _fits(value, hint):
        yield f"{place} is {value!r}, no {hint}"


def _of_items(value: object, hint: object, place: str) -> Iterator[str]:
    items = (
        value.items() if isinstance(value, dict) else enumerate(typing.cast("list[object]", value))
    )
    for key, item in items:
        yield from _of_value(item, hint, f"{place}[{key}]")


def _of_any(value: object, hints: tuple[object, ...], place: str) -> Iterator[str]:
    """Nothing where one of the types fits; else what the one says that was meant."""
    tried = [list(_of_value(value, hint, place)) for hint in hints]
    if all(tried):
        # Its message names a place deeper inside of the value than the others do.
        yield from max(tried, key=lambda found: len(found[0].partition(" is ")[0]))


def _is_model(value: object, hint: object) -> bool:
    of_hint = hint is typing.Any or (isinstance(hint, type) and isinstance(value, hint))
    return of_hint and hasattr(value, "to_json")


def _fits(value: object, hint: object) -> bool:
    if hint in {object, typing.Any}:
        return True
    if typing.get_origin(hint) is typing.Literal:
        return value in typing.get_args(hint)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        # JSON holds the bare value of an enumeration.
        return value in {member.value for member in hint}
    if hint in PLAIN:
        return isinstance(value, PLAIN[hint]) and (hint is bool or not isinstance(value, bool))
    return False
