"""docs/benchmarks.md: its goals and pictures show what its tables say."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from tests.docs.markdown import ROOT

PAGE = ROOT / "docs/benchmarks.md"
TEXT = PAGE.read_text("utf-8")
PICTURES = re.findall(r"\]\((images/bench-[\w-]+\.svg)\)", TEXT)
COMMAND = "python bench/digest.py docs/benchmarks.md"
SVG = "{http://www.w3.org/2000/svg}"


def digested(text: str, place: Path) -> subprocess.CompletedProcess[str]:
    """The command that makes goals and pictures of a document's tables, on a copy."""
    document = place / "benchmarks.md"
    document.write_text(text, "utf-8")
    return subprocess.run(
        [sys.executable, "bench/digest.py", str(document)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the document is that was digested as it is."""
    place = tmp_path_factory.mktemp("drawn")
    done = digested(TEXT, place)
    assert done.returncode == 0, done.stderr
    return place


def test_pictures_are_those_of_the_tables(drawn: Path) -> None:
    drawings = [f"images/{path.name}" for path in sorted((drawn / "images").iterdir())]
    assert drawings == PICTURES
    for picture in PICTURES:
        committed = (ROOT / "docs" / picture).read_bytes()
        assert (drawn / picture).read_bytes() == committed, (
            f"{picture} is of other tables: {COMMAND}"
        )
        assert len(committed) < 40_000


def test_goals_are_those_of_the_tables(drawn: Path) -> None:
    assert (drawn / "benchmarks.md").read_text("utf-8") == TEXT, f"other goals: {COMMAND}"


@pytest.mark.parametrize(
    ("held", "verdict"), [("20 ms", "met"), ("21 ms", "**missed**")], ids=["at it", "past it"]
)
def test_a_goal_is_met_up_to_its_limit(held: str, verdict: str, tmp_path: Path) -> None:
    text, found = re.subn(
        r"(<!-- table: event loop -->\n(?:.*\n)+?\| 1,000 \|) \d+ ms", rf"\1 {held}", TEXT
    )
    assert found == 1
    assert digested(text, tmp_path).returncode == 0
    line = (
        f"| the event loop held in a tick, 1,000 experiments | at most 20 ms | {held} | {verdict} |"
    )
    made = (tmp_path / "benchmarks.md").read_text("utf-8")
    assert line in made
    of_all = re.search(r"^\| (\d+) of (\d+) goals met \|", made, re.MULTILINE)
    assert of_all is not None
    assert int(of_all[1]) == made.count(" | met |\n")
    assert int(of_all[2]) == made.count(" | met |\n") + made.count(" | **missed** |\n")


def test_a_goal_is_not_judged_by_another_size_than_its_own(
    tmp_path: Path,
) -> None:
    rows = r"^\| (?:1,000|5,000) \| (?:sloscore|12 |prometheus-|slo-).*\n"
    assert digested(re.sub(rows, "", TEXT, flags=re.MULTILINE), tmp_path).returncode == 0
    made = (tmp_path / "benchmarks.md").read_text("utf-8")
    (line,) = re.findall(
        r"^.* over that of its HTTP calls, 100 experiments .*$", made, re.MULTILINE
    )
    assert line.endswith((" | the goal is for 1,000 |", " | the goal is for 5,000 |"))
    assert "over that of its HTTP calls, 1,000 experiments" not in made


@pytest.mark.parametrize("picture", PICTURES)
def test_every_figure_of_a_picture_has_a_mark(picture: str) -> None:
    root = ET.fromstring((ROOT / "docs" / picture).read_text("utf-8"))  # noqa: S314  our own
    figures = re.findall(r"[\d,]+: [\d.e-]+", root.findtext(f"{SVG}desc") or "")
    drawn = root.findall(f"{SVG}g")
    marks = [
        path
        for panel in drawn
        for path in panel.iter(f"{SVG}path")
        if path.get("class") in {"dot", "hollow"}
    ]
    lines = [path for path in root.iter(f"{SVG}path") if path.get("class") == "line"]
    in_legend = len([group for group in drawn if "class" in group.attrib])
    assert in_legend > 1
    assert len(marks) == len(figures) + in_legend
    assert len(lines) > in_legend


def test_a_processor_time_too_short_to_be_told_has_a_hollow_mark(tmp_path: Path) -> None:
    row = re.compile(r"(\| 100 \| sloscore \|.*?\|.*?\|.*?\| )[\d.]+ s")
    hollow = []
    for number, seconds in enumerate(("0.01 s", "0.00 s")):
        place = tmp_path / str(number)
        place.mkdir()
        text, found = row.subn(rf"\g<1>{seconds}", TEXT)
        assert found == 1
        assert digested(text, place).returncode == 0
        hollow.append((place / "images/bench-tick.svg").read_text("utf-8").count('"hollow"'))
    assert hollow[1] == hollow[0] + 1


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    done = digested(TEXT.replace("<!-- table: windows -->", ""), tmp_path)
    assert done.returncode == 1
    assert "no table after <!-- table: windows -->" in done.stderr


def test_short_runs_are_not_written_into_the_document() -> None:
    done = subprocess.run(
        [sys.executable, "bench/run_all.py", "--short", "--write"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--write is for full sizes" in done.stderr
    assert PAGE.read_text("utf-8") == TEXT
