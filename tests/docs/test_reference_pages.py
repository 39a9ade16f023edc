"""docs/reference: made of the code as it is now, and of all of it."""

import pytest
from tools.reference.__main__ import DIRECTORY, pages

from sloscore import conventions

PAGES = pages()
OF_RULES_AND_ALERTS = ("RULE_", "ALERT_", "DEPLOYMENT_", "LABEL_")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_makes(name: str) -> None:
    assert (DIRECTORY / name).read_text() == PAGES[name], "run make reference"


def test_no_other_page_is_there() -> None:
    assert {path.name for path in DIRECTORY.iterdir()} == set(PAGES)


def test_every_metric_of_the_conventions_is_named() -> None:
    names = {
        value.format(unit="UNIT")
        for name, value in vars(conventions).items()
        if isinstance(value, str)
        and value.startswith("sloscore_")
        and not name.startswith(OF_RULES_AND_ALERTS)
    }
    assert names
    shown = PAGES["metrics.md"]
    assert {n for n in names if f"`{n}`" not in shown and f"`{n}_total`" not in shown} == set()
