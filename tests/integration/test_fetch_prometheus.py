"""Where a Prometheus is taken from; the network is left out: a package of its own is fetched."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sloscore.errors import SloscoreError
from sloscore.simulate.fetch import ensure_prometheus

TOOLS = ("dpkg", "dpkg-deb", "tar", "cp")
needs_dpkg = pytest.mark.skipif(
    shutil.which("dpkg-deb") is None, reason="packages are those of Debian and its kin"
)


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="ascii")
    path.chmod(0o755)
    return path


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory on PATH; no variable names a Prometheus."""
    place = tmp_path / "path"
    place.mkdir()
    for tool in TOOLS:
        if found := shutil.which(tool):
            (place / tool).symlink_to(found)
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.delenv("SLOSCORE_PROMETHEUS", raising=False)
    monkeypatch.delenv("SLOSCORE_PROMETHEUS_SUITE", raising=False)
    return place


@pytest.fixture
def serve_package(tmp_path: Path, path: Path) -> Callable[[str], None]:
    """Makes apt-get download a package whose Prometheus is this script."""

    def serve(script: str) -> None:
        root = tmp_path / "root"
        program(root / "usr" / "bin" / "prometheus", script)
        control = root / "DEBIAN" / "control"
        control.parent.mkdir()
        control.write_text(
            "Package: prometheus\nVersion: 9\nArchitecture: all\nMaintainer: a <a@b.example>\n"
            "Description: test\n"
        )
        package = tmp_path / "prometheus_9_all.deb"
        subprocess.run(["dpkg-deb", "-Znone", "--build", root, package], check=True)
        program(path / "apt-get", f'case "$*" in *download*) cp {package} . ;; esac')

    return serve


def test_the_prometheus_of_the_tests_runs_and_the_command_finds_the_same(
    prometheus_binary: Path,
) -> None:
    version = subprocess.run(
        [prometheus_binary, "--version"], capture_output=True, text=True, check=True
    )
    found = subprocess.run(
        [sys.executable, "-m", "sloscore.simulate.fetch"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "prometheus, version" in version.stdout + version.stderr
    assert found.stdout == f"{prometheus_binary}\n"


def test_the_binary_that_a_variable_names_is_taken(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = program(tmp_path / "own", "exit 0")
    program(path / "prometheus", "exit 0")
    monkeypatch.setenv("SLOSCORE_PROMETHEUS", str(named))

    assert ensure_prometheus(tmp_path) == named


@pytest.mark.parametrize("content", ["nothing", "a directory", "a file that cannot be run"])
def test_a_variable_that_names_no_binary_is_an_error(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    named = tmp_path / "own"
    if content == "a directory":
        named.mkdir()
    elif content != "nothing":
        named.write_text("text")
    monkeypatch.setenv("SLOSCORE_PROMETHEUS", str(named))

    with pytest.raises(SloscoreError) as error:
        ensure_prometheus(tmp_path)

    assert str(error.value) == (
        f"SLOSCORE_PROMETHEUS is {named}, which cannot be run: give the path of a Prometheus binary"
    )


def test_one_on_path_comes_before_the_cache(tmp_path: Path, path: Path) -> None:
    installed = program(path / "prometheus", "exit 0")
    program(tmp_path / "prometheus" / "usr" / "bin" / "prometheus", "exit 0")

    assert ensure_prometheus(tmp_path) == installed


def test_one_in_the_cache_is_not_fetched_again(tmp_path: Path, path: Path) -> None:
    cached = program(tmp_path / "prometheus" / "usr" / "bin" / "prometheus", "exit 0")
    said: list[str] = []

    assert ensure_prometheus(tmp_path, said.append) == cached
    assert said == []


def test_the_cache_lies_under_xdg_cache_home(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "sloscore" / "prometheus"
    cached = program(place / "usr" / "bin" / "prometheus", "exit 0")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    assert ensure_prometheus() == cached


@pytest.mark.parametrize("by", ["argument", "variable"])
def test_a_suite_has_a_place_of_its_own_and_passes_over_the_one_on_path(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    program(path / "prometheus", "exit 0")
    program(tmp_path / "prometheus" / "usr" / "bin" / "prometheus", "exit 0")
    of_suite = program(tmp_path / "prometheus-sid" / "usr" / "bin" / "prometheus", "exit 0")
    if by == "variable":
        monkeypatch.setenv("SLOSCORE_PROMETHEUS_SUITE", "sid")
    else:
        monkeypatch.setenv("SLOSCORE_PROMETHEUS", str(path / "prometheus"))

    assert ensure_prometheus(tmp_path, suite=None if by == "variable" else "sid") == of_suite


@needs_dpkg
def test_a_package_is_fetched_once_and_unpacked_into_the_cache(
    tmp_path: Path, path: Path, serve_package: Callable[[str], None]
) -> None:
    serve_package("echo prometheus, version 9")
    said: list[str] = []
    cache = tmp_path / "cache"

    binary = ensure_prometheus(cache, said.append)
    (path / "apt-get").unlink()
    again = ensure_prometheus(cache, said.append)

    assert binary == again == cache / "prometheus" / "usr" / "bin" / "prometheus"
    assert said == [
        "Fetching the package lists of this machine's distribution (once, without root)",
        "Downloading the prometheus package",
        "Unpacked prometheus, version 9",
    ]
    assert list(cache.iterdir()) == [cache / "prometheus"]


@needs_dpkg
def test_a_package_that_does_not_run_here_is_not_kept(
    tmp_path: Path, serve_package: Callable[[str], None]
) -> None:
    serve_package("echo wrong machine >&2; exit 1")
    cache = tmp_path / "cache"

    with pytest.raises(SloscoreError, match=r"\(prometheus: wrong machine\): install Prometheus"):
        ensure_prometheus(cache)

    assert list(cache.iterdir()) == []


@needs_dpkg
def test_a_broken_package_list_does_not_stop_the_download(
    tmp_path: Path, path: Path, serve_package: Callable[[str], None]
) -> None:
    serve_package("echo prometheus, version 9")
    apt = (path / "apt-get").read_text()
    program(
        path / "apt-get", 'case "$*" in *update*) echo E: one failed >&2; exit 100 ;; esac\n' + apt
    )
    said: list[str] = []

    ensure_prometheus(tmp_path / "cache", said.append)

    assert any("lists are missing" in line and "E: one failed" in line for line in said)


def test_without_apt_the_error_says_what_to_install(tmp_path: Path, path: Path) -> None:
    with pytest.raises(SloscoreError) as error:
        ensure_prometheus(tmp_path)

    assert str(error.value) == (
        "there is no Prometheus and no apt-get to fetch it: install Prometheus (apt install "
        "prometheus, or https://prometheus.io/download/) or point SLOSCORE_PROMETHEUS at its binary"
    )


@needs_dpkg
def test_a_download_that_fails_keeps_the_last_words_of_apt(tmp_path: Path, path: Path) -> None:
    program(path / "apt-get", "echo Reading lists; echo E: no such package >&2; exit 100")

    with pytest.raises(SloscoreError, match=r"\(apt-get: E: no such package\): install Prometheus"):
        ensure_prometheus(tmp_path / "cache")
