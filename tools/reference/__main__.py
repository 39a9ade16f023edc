"""Write docs/reference: ``python -m tools.reference``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tools.reference import api, cli, metrics, spec

DIRECTORY: Final = Path(__file__).parents[2] / "docs" / "reference"


def pages() -> Mapping[str, str]:
    """The text of each page by its name."""
    return {
        "api.md": api.make(),
        "cli.md": cli.make(),
        "metrics.md": metrics.make(),
        "spec.md": spec.make(),
    }


if __name__ == "__main__":
    for name, text in pages().items():
        (DIRECTORY / name).write_text(text, encoding="utf-8")
