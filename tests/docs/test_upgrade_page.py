"""docs/upgrade.md: its commands, on a store that a service made."""

import sys
from pathlib import Path

from tests.docs.markdown import block
from tests.docs.shell import announced, shell

from sloscore.simulate.process import ChildProcess

PAGE = "docs/upgrade.md"
SETTINGS = "prometheus: {enabled: false}\nstore: {path: sloscore.db}\n"


def start(place: Path, name: str, *arguments: str) -> ChildProcess:
    command = [sys.executable, "-u", "-m", "sloscore", "serve", *arguments, "--port", "0"]
    return ChildProcess(name, command, place / f"{name}.log")


def run(place: Path, mark: str) -> None:
    done = shell(block(PAGE, mark), place)
    assert done.returncode == 0, done


def test_the_steps_of_an_upgrade_work_in_their_order(tmp_path: Path) -> None:
    config, store, copy = (tmp_path / n for n in ("s.yaml", "sloscore.db", "before-upgrade.db"))
    config.write_text(SETTINGS)
    service = start(tmp_path, "old", "--config", str(config), "--store", str(store))
    announced(service)
    run(tmp_path, "backup")
    arguments = block(PAGE, "try").split()[2:-2]
    places = {"sloscore.yaml": str(config), copy.name: str(copy)}
    trial = start(tmp_path, "trial", *(places.get(word, word) for word in arguments))
    announced(trial)
    for process in (trial, service):
        process.stop()
    run(tmp_path, "migrate")
