"""docs/doctor.md names every check."""

import re

from tests.docs.markdown import ROOT

from sloscore.advice.findings import Check
from sloscore.cli.exits import CRITICAL, WARNING

PAGE = (ROOT / "docs" / "doctor.md").read_text()


def test_every_check_has_its_row_in_the_order_of_the_checks() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\|.*\|.*\|$", PAGE, re.MULTILINE)
    assert rows == [check.value for check in Check]


def test_the_exit_codes_are_those_of_the_command() -> None:
    assert f"{WARNING} a warning, {CRITICAL} something critical" in PAGE
