"""docs/run.md: its exit codes are those of the commands, its options those of ``sloscore run``."""

import re

from tests.docs.markdown import ROOT, block, table

from sloscore.cli import exits
from sloscore.cli.main import cli
from sloscore.cli.run import run

PAGE = "docs/run.md"


def test_every_exit_code_is_in_the_table() -> None:
    shown = {row["code"] for row in table(PAGE, "exit codes")}
    told = {f"{one}" for row in shown for one in re.findall(r"\d+", row)}
    known = {value for name, value in vars(exits).items() if name.isupper()}
    assert {str(code) for code in known - {exits.INTERRUPTED}} <= told
    assert f"{exits.code_of_command(1)} to {exits.code_of_command(25)}" in shown
    assert str(exits.code_of_command(26)) in shown


def test_the_options_are_those_of_the_command() -> None:
    known = {name for option in run.params for name in option.opts if name.startswith("--")}
    text = (ROOT / PAGE).read_text().partition("## Exit codes")[0]
    assert (
        set(re.findall(r"--[a-z][a-z-]*", re.sub(r"```.*?```", "", text, flags=re.DOTALL))) == known
    )


def test_the_example_is_one_that_the_command_takes() -> None:
    words = block(PAGE, "run").replace("\\\n", " ").split()
    context = cli.make_context("sloscore", words[1:])
    _, _, rest = cli.resolve_command(context, words[1:])
    context = run.make_context("run", rest, parent=context)
    assert context.params["command"][:3] == ("vllm", "bench", "serve")
    assert (ROOT / context.params["file"]).exists()
