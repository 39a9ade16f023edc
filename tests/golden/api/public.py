"""The public Python names with their signatures, written to ``public.txt`` beside this file by ``make golden``."""

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("public.txt")
MODULES: Final = (
    "sloscore.client",
    "sloscore",
    "sloscore.client.errors",
    "sloscore.client.testing",
    "sloscore.compat",
    "sloscore.tuners.optuna",
)
# Beside the constructor what `with` calls.
_SPECIAL: Final = ("__init__", "__enter__", "__aenter__")
# Where a type of a library lies may change between its releases.
_PATH: Final = re.compile(r"\b(?:[a-z_]\w*\.)+(?=[A-Z])")


def described() -> str:
    """Each module and what its ``__all__`` names, a line each; methods under the first of their class."""
    seen: set[object] = set()
    return "\n".join(line for name in MODULES for line in _module(name, seen)) + "\n"


def _module(name: str, seen: set[object]) -> Iterator[str]:
    module = importlib.import_module(name)
    yield name
    for public in sorted(module.__all__):
        value = getattr(module, public)
        if inspect.isclass(value):
            bases = ", ".join(base.__name__ for base in value.__bases__)
            yield f"  class {public}({bases})"
            if value not in seen:
                seen.add(value)
                yield from _members(value)
        elif inspect.isfunction(value):
            yield f"  {public}{_signature(value)}"
        else:
            yield f"  {public}: {type(value).__name__}"


def _members(of: type) -> Iterator[str]:
    for name in sorted(dir(of)):
        if name.startswith("_") and name not in _SPECIAL:
            continue
        value = inspect.getattr_static(of, name)
        if isinstance(value, property) and value.fget:
            yield f"    {name}: property{_signature(value.fget)}"
        elif isinstance(value, classmethod | staticmethod) or inspect.isfunction(value):
            yield f"    {name}{_signature(getattr(of, name))}"


def _signature(of: Callable[..., object]) -> str:
    return _PATH.sub("", str(inspect.signature(of)))


if __name__ == "__main__":
    FILE.write_text(described(), encoding="utf-8")
