"""docs/dashboards.md, held against the dashboards that it shows."""

import json
import re
import struct

import pytest
from tests.docs.markdown import ROOT, table

PAGE = "docs/dashboards.md"
BOARDS = sorted(path.stem for path in (ROOT / "dashboards").glob("*.json"))
MAX_BYTES = 200_000


@pytest.mark.parametrize("name", BOARDS)
def test_the_page_says_what_every_panel_says(name: str) -> None:
    board = json.loads((ROOT / "dashboards" / f"{name}.json").read_text())
    charts = [panel for panel in board["panels"] if panel["type"] != "row"]
    said = [{"panel": one["title"], "what it says": one["description"]} for one in charts]
    assert table(PAGE, name) == said


def test_the_page_shows_a_picture_of_every_dashboard() -> None:
    shown = re.findall(r"!\[\w+\]\(images/(\w+)\.png\)", (ROOT / PAGE).read_text())
    assert sorted(shown) == BOARDS


@pytest.mark.parametrize("name", BOARDS)
def test_pictures_are_small_and_wide_enough_to_read(name: str) -> None:
    picture = (ROOT / "docs" / "images" / f"{name}.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    (width,) = struct.unpack(">I", picture[16:20])
    assert width >= 1200
    assert len(picture) < MAX_BYTES


def test_the_page_names_the_uids() -> None:
    page = (ROOT / PAGE).read_text()
    for name in BOARDS:
        uid = json.loads((ROOT / "dashboards" / f"{name}.json").read_text())["uid"]
        assert f"`{uid}`" in page
