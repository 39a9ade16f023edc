"""Write dashboards/*.json: ``python -m tools.dashboards``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tools.dashboards import experiment, experiments, service

DIRECTORY: Final = Path(__file__).parents[2] / "dashboards"


def files() -> Mapping[str, str]:
    """The text of each file by its name."""
    return {
        "experiments.json": experiments.make().to_json(),
        "experiment.json": experiment.make().to_json(),
        "service.json": service.make().to_json(),
    }


if __name__ == "__main__":
    for name, text in files().items():
        (DIRECTORY / name).write_text(text, encoding="utf-8")
