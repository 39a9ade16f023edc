"""docs/backtest.md names every column of a table of results, and shows commands that exist."""

import re
import shlex

from tests.docs.markdown import ROOT, table

from sloscore.cli.backtest import backtest
from sloscore.cli.main import cli
from sloscore.cli.results import columns_of

PAGE = "docs/backtest.md"


def test_the_page_names_every_column() -> None:
    shown = [row["column"].strip("`") for row in table(PAGE, "columns")]
    assert shown == [name.replace("x_", "SLI_", 1) for name in columns_of(["x"])]


def test_the_page_shows_commands_that_can_be_called() -> None:
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / PAGE).read_text(), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    calls = [
        words[2:] for line in lines if (words := shlex.split(line))[:2] == ["sloscore", "backtest"]
    ]
    assert len(calls) >= 4
    for arguments in calls:
        # Parses and checks the arguments, and runs nothing. A command keeps the first help option
        # that it is asked for, so it is asked below its group.
        group = cli.make_context("sloscore", ["backtest"])
        backtest.make_context("backtest", arguments, parent=group)
