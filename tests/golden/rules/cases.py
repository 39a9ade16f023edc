"""Which calls of ``sloscore rules`` make the files beside this one; ``make golden`` runs them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from click.testing import CliRunner

from sloscore.cli.main import cli

PLACE: Final = Path(__file__).parent
CASES: Final[Mapping[str, tuple[str, ...]]] = {
    "chat.yml": ("specs/chat.yaml",),
    "chat-kubernetes.yml": (
        *("--format", "kubernetes", "--namespace", "monitoring"),
        *("--labels", "release=prometheus,team=inference", "specs/chat.yaml"),
    ),
    "batch.yml": ("--window", "10m", "--interval", "1m", "specs/batch.yaml"),
    "batch-assumed.yml": ("--assume-bound", "specs/batch.yaml"),
    "slis.yml": ("specs/slis.yaml",),
    "first.yml": ("specs/first.json",),
    "odd.yml": ("specs/odd.yaml",),
    "penalties.yml": ("specs/penalties.yaml",),
    "odd-kubernetes.yml": ("--format", "kubernetes", "specs/odd.yaml", "specs/first.json"),
}


def made_by(*arguments: str) -> str:
    """What the command makes now."""
    done = CliRunner().invoke(cli, ["rules", *arguments], catch_exceptions=False)
    if done.exit_code:
        raise SystemExit(done.output)
    return done.stdout


def main() -> None:
    """Make all files anew."""
    os.chdir(PLACE)
    for name, arguments in CASES.items():
        (PLACE / name).write_text(made_by(*arguments), encoding="utf-8")


if __name__ == "__main__":
    main()
