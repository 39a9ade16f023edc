"""docs/configuration.md names every setting with its default, and no other one."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from tests.docs.markdown import ROOT

from sloscore.settings import Settings, SettingsFile
from sloscore.settings_base import parse_duration
from sloscore.spec.loader import parse_model

PAGE = (ROOT / "docs" / "configuration.md").read_text()


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        inner = [t for t in (field.annotation, *getattr(field.annotation, "__args__", ()))
                 if isinstance(t, type) and issubclass(t, BaseModel)]  # fmt: skip
        if inner:
            yield from settings(inner[0], f"{prefix}{name}.")
        else:
            yield prefix + name, field.default


def documented() -> dict[str, str]:
    rows = re.findall(
        r"^\| `([a-z0-9_.]+\.[a-z0-9_.]+)` \| (?:`(.*?)`)? *\| .+ \|$", PAGE, re.MULTILINE
    )
    return dict(rows)


def test_every_setting_is_documented_with_its_default() -> None:
    shown = documented()
    known = dict(settings(SettingsFile))
    assert shown.keys() == known.keys()
    for name, default in known.items():
        text = shown[name]
        match default:
            case None | ():
                assert not text, name
            case bool():
                assert text == str(default).lower(), name
            case int() | float() if not text.isdecimal():
                assert parse_duration(text) == default, name
            case str() | int() | Path():
                assert text == str(default), name
            case _:
                assert default is PydanticUndefined, name


@pytest.mark.parametrize("example", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
def test_an_example_is_a_valid_file(example: str) -> None:
    read = parse_model(SettingsFile, example, "example.yaml")
    Settings.model_validate(read.model_dump(exclude_unset=True))


def test_every_variable_of_the_command_is_documented() -> None:
    source = (ROOT / "service" / "sloscore" / "cli" / "serve.py").read_text()
    variables = set(re.findall(r"SLOSCORE_[A-Z_]+", source))
    assert variables
    assert {name for name in variables if f"`{name}`" not in PAGE} == set()
