"""Where an Alertmanager is taken from; the network is left out: apt-get is one of the test's own."""

import shutil
import subprocess
from pathlib import Path

import pytest

from sloscore.errors import SloscoreError
from sloscore.simulate.fetch import ensure_alertmanager


def program(path: Path, text: str = "exit 0") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="ascii")
    path.chmod(0o755)
    return path


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory on PATH; no variable names a directory with an Alertmanager."""
    place = tmp_path / "path"
    place.mkdir()
    for tool in ("dpkg", "dpkg-deb", "tar", "cp"):
        if found := shutil.which(tool):
            (place / tool).symlink_to(found)
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.delenv("SLOSCORE_STACK", raising=False)
    return place


def test_a_directory_that_a_variable_names_comes_first(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = program(tmp_path / "stack" / "alertmanager")
    program(path / "alertmanager")
    monkeypatch.setenv("SLOSCORE_STACK", str(tmp_path / "stack"))

    assert ensure_alertmanager(tmp_path) == own


def test_a_directory_without_one_is_an_error(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLOSCORE_STACK", str(tmp_path))

    with pytest.raises(SloscoreError) as error:
        ensure_alertmanager(tmp_path)

    assert str(error.value) == (
        f"SLOSCORE_STACK is {tmp_path}, which holds no alertmanager that can be run"
    )


@pytest.mark.parametrize("name", ["alertmanager", "prometheus-alertmanager"])
def test_one_on_path_comes_before_the_cache_by_either_name(
    tmp_path: Path, path: Path, name: str
) -> None:
    program(tmp_path / "prometheus-alertmanager" / "usr" / "bin" / "prometheus-alertmanager")
    installed = program(path / name)

    assert ensure_alertmanager(tmp_path) == installed


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="packages are those of Debian")
def test_its_package_is_fetched_once_into_a_place_of_its_own(tmp_path: Path, path: Path) -> None:
    root = tmp_path / "root"
    program(root / "usr" / "bin" / "prometheus-alertmanager", "echo alertmanager, version 9")
    program(root / "usr" / "bin" / "amtool")
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN" / "control").write_text(
        "Package: prometheus-alertmanager\nVersion: 9\nArchitecture: all\n"
        "Maintainer: a <a@b.example>\nDescription: test\n"
    )
    package = tmp_path / "prometheus-alertmanager_9_all.deb"
    subprocess.run(["dpkg-deb", "-Znone", "--build", root, package], check=True)
    only = f'case "$*" in *"download prometheus-alertmanager") cp {package} . ;; esac'
    program(path / "apt-get", only)
    said: list[str] = []

    binary = ensure_alertmanager(tmp_path / "cache", said.append)
    (path / "apt-get").unlink()

    assert ensure_alertmanager(tmp_path / "cache") == binary
    assert binary.with_name("amtool").exists()
    assert said[1:] == [
        "Downloading the prometheus-alertmanager package",
        "Unpacked alertmanager, version 9",
    ]


def test_without_apt_the_error_says_what_to_install(tmp_path: Path, path: Path) -> None:
    with pytest.raises(SloscoreError) as error:
        ensure_alertmanager(tmp_path)

    assert str(error.value) == (
        "there is no Alertmanager and no apt-get to fetch it: install Alertmanager (apt install "
        "prometheus-alertmanager, or https://prometheus.io/download/) or name a directory with "
        "alertmanager and amtool in SLOSCORE_STACK"
    )
