"""The form for reports of problems: it asks for what helps, by commands that there are."""

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from sloscore.cli.main import cli

FILE = Path(__file__).parents[2] / ".github" / "ISSUE_TEMPLATE" / "problem.yml"
FORM: dict[str, Any] = yaml.safe_load(FILE.read_text())
FIELDS: dict[str, dict[str, Any]] = {part["id"]: part for part in FORM["body"] if "id" in part}
COMMANDS = re.findall(r"`(sloscore [^`]+)`", FILE.read_text())


def test_form_asks_for_version_engine_report_and_examination() -> None:
    assert FORM.keys() == {"name", "description", "body"}
    assert {part["type"] for part in FORM["body"]} == {"markdown", "input", "textarea"}
    assert {"version", "engine", "report", "doctor"} <= FIELDS.keys()
    required = {
        name for name, field in FIELDS.items() if field.get("validations") == {"required": True}
    }
    assert required == {"version", "engine", "server", "happened"}


def test_form_warns_of_secrets_before_anything_is_asked() -> None:
    first = FORM["body"][0]
    assert first["type"] == "markdown"
    assert "no secrets" in first["attributes"]["value"]
    assert (FILE.parents[2] / "SECURITY.md").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_of_the_form_is_one_that_sloscore_has(command: str) -> None:
    _, *words = command.split()
    names, options = [w for w in words if w[0] != "-"], [w for w in words if w[0] == "-"]
    found: click.Command = cli
    for name in names[:1]:
        listed = cli.get_command(click.Context(cli), name)
        assert listed is not None
        found = listed
    known = {option for parameter in found.params for option in parameter.opts}
    assert set(options) <= known
    assert CliRunner().invoke(found, ["--help"]).exit_code == 0
