"""Finds Prometheus and Alertmanager, or fetches them through apt's own download, without root."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sloscore.errors import SloscoreError
from sloscore.simulate.apt_sources import write_sources

# Hooks of the machine (clearing its caches, feeding its software centre) are not ours to run.
_APT_CONFIG = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State "{place}/state";
Dir::State::Lists "{place}/lists";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "{place}/cache";
Dir::Log "{place}/log";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
"""
_APT_SECONDS = 300

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Program:
    """A program of a package; ``other`` is what else can be done than to install it."""

    title: str
    package: str
    other: str

    @property
    def binary(self) -> str:
        """Where the package has it."""
        return f"usr/bin/{self.package}"

    @property
    def advice(self) -> str:
        """What whoever reads the error can do."""
        return (
            f"install {self.title} (apt install {self.package}, or https://prometheus.io/download/) "
            f"or {self.other}"
        )


_PROMETHEUS = _Program("Prometheus", "prometheus", "point SLOSCORE_PROMETHEUS at its binary")
_ALERTMANAGER = _Program(
    "Alertmanager",
    "prometheus-alertmanager",
    "name a directory with alertmanager and amtool in SLOSCORE_STACK",
)


def say_nothing(_line: str) -> None:
    """Keep progress to oneself."""


def ensure_prometheus(
    cache: Path | None = None, say: Say = say_nothing, suite: str | None = None
) -> Path:
    """Path of a Prometheus binary that runs on this machine.

    Looks at SLOSCORE_PROMETHEUS, then PATH, then ``cache`` (default ``~/.cache/sloscore``), and
    else downloads the package of the machine's own distribution into the cache. A ``suite``
    ("sid"; default SLOSCORE_PROMETHEUS_SUITE) takes the version of that suite, so PATH is passed
    over; a suite given as an argument passes over SLOSCORE_PROMETHEUS too. ``say`` gets a line
    for each slow step. Raises SloscoreError with what to install where none of this works.
    """
    named = os.environ.get("SLOSCORE_PROMETHEUS")
    if named and not suite:
        return _usable(
            Path(named),
            f"SLOSCORE_PROMETHEUS is {named}, which cannot be run: give the path of a Prometheus "
            "binary",
        )
    suite = suite or os.environ.get("SLOSCORE_PROMETHEUS_SUITE") or None
    on_path = shutil.which("prometheus")
    if on_path and not suite:
        return Path(on_path)
    cache = cache or _default_cache()
    home = cache / (f"prometheus-{suite}" if suite else "prometheus")
    return _cached(_PROMETHEUS, home, say, suite)


def ensure_alertmanager(cache: Path | None = None, say: Say = say_nothing) -> Path:
    """Path of an Alertmanager binary; amtool lies beside it.

    Looks into the directory SLOSCORE_STACK, then at PATH, then into ``cache``, and else downloads the
    package as ``ensure_prometheus`` does. Raises SloscoreError with what to install where none of
    this works.
    """
    stack = os.environ.get("SLOSCORE_STACK")
    if stack:
        return _usable(
            Path(stack) / "alertmanager",
            f"SLOSCORE_STACK is {stack}, which holds no alertmanager that can be run",
        )
    on_path = shutil.which("alertmanager") or shutil.which(_ALERTMANAGER.package)
    if on_path:
        return Path(on_path)
    return _cached(_ALERTMANAGER, (cache or _default_cache()) / _ALERTMANAGER.package, say, None)


def _cached(program: _Program, home: Path, say: Say, suite: str | None) -> Path:
    binary = home / program.binary
    if not binary.exists():
        _fetch(program, home, say, suite)
    return binary


def _usable(binary: Path, problem: str) -> Path:
    if binary.is_file() and os.access(binary, os.X_OK):
        return binary
    raise SloscoreError(problem)


def _default_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "sloscore"


def _fetch(program: _Program, home: Path, say: Say, suite: str | None) -> None:
    missing = [tool for tool in ("apt-get", "dpkg") if shutil.which(tool) is None]
    if missing:
        raise SloscoreError(
            f"there is no {program.title} and no {missing[0]} to fetch it: {program.advice}"
        )
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=home.parent) as temporary:
        place = Path(temporary)
        package = _download(program, place, say, suite)
        unpacked = place / "unpacked"
        _run(program, ["dpkg", "-x", str(package), str(unpacked)], place)
        version = _run(program, [str(unpacked / program.binary), "--version"], place)
        say(f"Unpacked {version.splitlines()[0]}")
        try:
            unpacked.rename(home)
        except OSError:
            # Somebody else may have finished first; theirs is as good.
            if not (home / program.binary).exists():
                raise


def _download(program: _Program, place: Path, say: Say, suite: str | None) -> Path:
    config = place / "apt.conf"
    text = _APT_CONFIG.format(place=place)
    for folder in ("state", "lists/partial", "cache/archives/partial", "log", "package"):
        (place / folder).mkdir(parents=True)
    if suite:
        parts = place / "sources"
        parts.mkdir()
        write_sources(suite, parts)
        text += f'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "{parts}";\n'
    config.write_text(text, encoding="utf-8")
    origin = f"of {suite}" if suite else "of this machine's distribution"
    say(f"Fetching the package lists {origin} (once, without root)")
    try:
        _run(program, ["apt-get", "-c", str(config), "-q", "update"], place)
    except SloscoreError as error:
        # One broken third-party source must not hide the others: the download decides.
        say(f"Some package lists are missing: {error}")
    say(f"Downloading the {program.package} package")
    download = ["apt-get", "-c", str(config), "-q", "download", program.package]
    _run(program, download, place / "package")
    return next((place / "package").glob("*.deb"))


def _run(program: _Program, command: list[str], where: Path) -> str:
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(  # noqa: S603  fixed commands, paths of our own making
            command,
            cwd=where,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_APT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SloscoreError(
            f"{program.title} cannot be fetched ({error}): {program.advice}"
        ) from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise SloscoreError(
            f"{program.title} cannot be fetched ({Path(command[0]).name}: {said[-1]}): "
            f"{program.advice}"
        )
    return done.stdout or done.stderr


def main() -> None:
    """Print the path of the binary; progress goes to stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m sloscore.simulate.fetch", description="Find or fetch Prometheus."
    )
    parser.add_argument("--suite", help='another suite of the distribution, for example "sid"')
    arguments = parser.parse_args()
    try:
        path = ensure_prometheus(
            say=lambda line: print(line, file=sys.stderr),  # noqa: T201  progress of a script
            suite=arguments.suite,
        )
    except SloscoreError as error:
        sys.exit(f"error: {error}")
    print(path)  # noqa: T201  the answer of a script


if __name__ == "__main__":
    main()
