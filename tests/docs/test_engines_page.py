"""docs/engines.md: its settings are valid, and it names the engines."""

import re

import pytest
from tests.docs.markdown import ROOT, table
from tools.engines import ENGINES, arguments_of

from sloscore.settings import Settings, SettingsFile
from sloscore.spec.loader import parse_model

PAGE = "docs/engines.md"
TEXT = (ROOT / PAGE).read_text("utf-8")


@pytest.mark.parametrize("example", re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL))
def test_the_settings_for_an_engine_are_valid(example: str) -> None:
    read = parse_model(SettingsFile, example, "example.yaml")
    Settings.model_validate(read.model_dump(exclude_unset=True))


def test_the_differences_are_told_of_every_engine() -> None:
    assert [row["engine"] for row in table(PAGE, "differences")] == list(ENGINES)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_tests_of_an_engine_exist(engine: str) -> None:
    assert [path for path in arguments_of(engine) if not (ROOT / path).exists()] == []
