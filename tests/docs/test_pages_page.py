"""docs/page.md names what the pages take, and shows a picture that is there."""

import re

import pytest
from tests.docs.markdown import ROOT, table

from sloscore.api.openapi import openapi_document
from sloscore.api.page.query import NEWEST_FIRST, PAGE_SIZE, states
from sloscore.api.page.routes import ROUTES
from sloscore.experiments.listing import Order

PAGE = "docs/page.md"
TEXT = (ROOT / PAGE).read_text()


def test_every_page_is_in_the_table() -> None:
    shown = {row["page"].strip("`") for row in table(PAGE, "pages")}
    files = {"/static/{file}", "/experiments.csv", "/experiments.json"}
    assert shown == {route.path for route in ROUTES} - files


@pytest.mark.parametrize(
    ("parameter", "values"), [("state", states()), ("sort", tuple(Order))], ids=["state", "sort"]
)
def test_every_value_of_a_parameter_is_told(parameter: str, values: tuple[str, ...]) -> None:
    (row,) = (row for row in table(PAGE, "parameters") if row["parameter"] == f"`{parameter}`")
    assert re.findall(r"`(\w+)`", row["is"]) == list(values)


def test_what_is_shown_without_parameters_is_told() -> None:
    rows = {row["parameter"].strip("`"): row for row in table(PAGE, "parameters")}
    assert rows.keys() == {"task", "state", "sort", "page"}
    assert f"`{NEWEST_FIRST}`" in rows["sort"]["without it"]
    assert str(PAGE_SIZE) in rows["page"]["is"]


def test_every_call_of_the_form_is_one_that_changes_nothing() -> None:
    named = {row["call"].strip("`") for row in table(PAGE, "drafts")} | {"POST /api/v1/rescore"}
    paths = openapi_document()["paths"]
    assert named == {
        f"POST {path}"
        for path, methods in paths.items()
        if "post" in methods and {} in methods["post"]["security"]
    }


def test_its_picture_is_there() -> None:
    pictures = re.findall(r"!\[\w+\]\((images/[\w-]+\.png)\)", TEXT)
    assert pictures
    for picture in pictures:
        assert (ROOT / "docs" / picture).read_bytes().startswith(b"\x89PNG")
