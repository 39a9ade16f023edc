"""docs/architecture.md and its picture: the layers that import-linter checks, and modules that there are."""

import re
import tomllib
from xml.etree import ElementTree as ET

from tests.docs.markdown import ROOT

PAGE = ROOT / "docs" / "architecture.md"
PACKAGE = ROOT / "service" / "sloscore"
SVG = "{http://www.w3.org/2000/svg}"
LAYERS: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
][0]["layers"]


def drawn() -> list[list[str]]:
    """The modules of each row of the picture, from above."""
    picture = ET.parse(ROOT / "docs/images/architecture.svg")  # noqa: S314  our own file
    texts = [text for text in picture.iter(f"{SVG}text") if text.get("class") == "layer"]
    assert [text.get("y") for text in texts] == sorted(
        (text.get("y") for text in texts), key=lambda y: float(y or "nan")
    )
    return [(text.text or "").split(" | ") for text in texts]


def test_the_picture_has_the_layers_of_the_import_contract_in_their_order() -> None:
    assert drawn() == [layer.replace("sloscore.", "").split(" | ") for layer in LAYERS]


def test_the_picture_has_every_module_of_the_package_once() -> None:
    modules = [
        path.stem
        for path in PACKAGE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    ]
    shown = [name for row in drawn() for name in row]
    assert sorted(shown) == sorted(set(modules) - {"__init__", "__main__"})


def test_every_file_that_the_page_names_exists() -> None:
    named = re.findall(r"`([\w/]+(?:\.py|/presets))`", PAGE.read_text())
    assert len(named) > 15
    missing = [
        name for name in named if not any((root / name).exists() for root in (PACKAGE, ROOT))
    ]
    assert missing == []
