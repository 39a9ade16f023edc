"""The unit of systemd: what it runs works, systemd takes it, and it is told that the service is ready."""

import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.cli.command import PATIENCE, running

from sloscore.settings import SettingsFile

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "systemd" / "sloscore.service"
SETTINGS = ROOT / "deploy" / "systemd" / "sloscore.yaml"


def analyze(*arguments: str) -> str:
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True)  # noqa: PLW1510 - judged here
    if "--offline" in done.stderr:
        pytest.skip("this systemd-analyze is too old")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="apt install systemd"
)


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("sloscore")
    path = tmp_path / UNIT.name
    path.write_text(UNIT.read_text().replace("/opt/sloscore/bin/sloscore", str(program)))
    done = subprocess.run(  # noqa: PLW1510 - judged below
        ["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_systemd
def test_the_unit_exposes_as_little_as_the_page_says() -> None:
    said = analyze("security", "--offline=true", "--no-pager", str(UNIT))
    level = re.search(r"exposure level for sloscore\.service: (\d+\.\d+)", said)
    told = re.search(r"exposure level of (\d+\.\d+)", (ROOT / "docs" / "operation.md").read_text())
    assert level is not None
    assert told is not None
    assert float(level[1]) <= float(told[1])


def test_the_settings_of_the_unit_are_valid_and_fit_it() -> None:
    settings = SettingsFile.model_validate(yaml.safe_load(SETTINGS.read_text()))
    unit = UNIT.read_text()
    (directory,) = re.findall(r"^StateDirectory=(.+)$", unit, re.MULTILINE)
    assert settings.store.path.parent == Path("/var/lib") / directory
    (credential,) = re.findall(r"^LoadCredential=(\w+):", unit, re.MULTILINE)
    assert settings.auth.token_file == Path("/run/credentials") / UNIT.name / credential


@pytest.mark.parametrize("abstract", [False, True])
async def test_systemd_is_told_of_the_start_and_the_stop(tmp_path: Path, abstract: bool) -> None:
    place = f"@{tmp_path}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{tmp_path}" if abstract else place)
        manager.settimeout(PATIENCE)
        arguments = ("--no-prometheus", "--port", "0", "--store", str(tmp_path / "s.db"))
        async with running("serve", *arguments, env={"NOTIFY_SOCKET": place}) as process:
            await process.line()
            assert manager.recv(100) == b"READY=1"
            process.send(signal.SIGTERM)
            assert (await process.end()).code == 0
        assert manager.recv(100) == b"STOPPING=1"
