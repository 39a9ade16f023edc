"""What the commands say of themselves."""

import re
import shlex
from collections.abc import Iterator
from importlib import metadata

import click
import pytest
from tests.cli.command import sloscore

import sloscore as package
from sloscore.cli.main import cli

LISTED = re.compile(r"^  (\w+) {2,}\S", re.MULTILINE)
COMMANDS = LISTED.findall(sloscore("--help").out.partition("Commands:\n")[2])


def test_help_lists_the_commands_and_ends_with_0() -> None:
    ended = sloscore("--help")
    assert (ended.code, ended.err) == (0, "")
    assert {"check", "demo", "score", "serve", "simulate"} <= set(COMMANDS)
    assert "\\b" not in ended.out


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_command_explains_itself_with_an_example(command: str, option: str) -> None:
    ended = sloscore(command, option)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"Usage: sloscore {command} [OPTIONS]")
    assert re.search(r"^\s*Examples?:$", ended.out, re.MULTILINE)
    assert list(examples(ended.out))


def examples(text: str) -> Iterator[list[str]]:
    """The words of the lines that call sloscore, without settings of the environment."""
    for line in text.replace("\\\n", " ").splitlines():
        words = (
            shlex.split(line, comments=True) if re.match(r" +(\w+=\S+ )*sloscore ", line) else []
        )
        if words:
            yield words[words.index("sloscore") + 1 :]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_example_is_one_that_the_command_takes(command: str) -> None:
    known = cli.get_command(click.Context(cli), command)
    assert isinstance(known, click.Command)
    for called, *arguments in examples(sloscore(command, "--help").out):
        assert called == command
        # Parses and checks the arguments, and runs nothing.
        known.make_context(called, arguments)


def test_the_version_is_that_of_the_package() -> None:
    ended = sloscore("--version")
    assert (ended.code, ended.out) == (0, f"sloscore, version {package.__version__}\n")
    assert metadata.version("sloscore") == package.__version__


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["serve", "--nonsense"], "--nonsense"),
        (["serve", "--port", "http"], "'http' is not a valid integer"),
        (["simulate", "--kind", "none"], "'none' is not one of"),
        (["simulate", "--rate", "0"], "0.0 is not in the range x>0"),
        (["score"], "Missing option '--task'"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(arguments: list[str], words: str) -> None:
    ended = sloscore(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err.replace('"', "'")
