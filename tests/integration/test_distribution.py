"""What is published: the sdist and the wheel, built anew, and the wheel in an environment with nothing else.

``SLOSCORE_WHEEL_PYTHON`` names the interpreter that the wheel is tried on; it is the one of the tests
unless it is set (``make wheel-smoke PYTHON=python3.13``).
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from tests.cli.command import running
from tests.integration.processes import announced
from tests.integration.service import Api

from sloscore import __version__

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("SLOSCORE_WHEEL_PYTHON") or sys.executable
NOT_SOURCE = (".*", "__pycache__", "*.egg-info", "build", "dist")
# Nothing of this checkout is found by the interpreters that are tried.
CLEAN = {"PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "", "PYTHONWARNINGS": "error"}
OF_AN_EXTRA = {
    "sloscore.analysis.overlay",
    "sloscore.analysis.parquet",
    "sloscore.analysis.picture",
    "sloscore.analysis.plot",
    "sloscore.tuners.optuna",
}
IMPORT_ALL = """
import importlib, pkgutil, sloscore
for module in pkgutil.walk_packages(sloscore.__path__, "sloscore."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError:
            print(module.name)
"""


def run(
    *command: str | Path, where: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=where, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def done(*command: str | Path, where: Path) -> None:
    ran = run(*command, where=where)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@dataclass(frozen=True, slots=True)
class Distribution:
    """Places of a source tree, of what was built of it, and of pip's interpreter."""

    tree: Path
    sdist: Path
    wheel: Path
    wheel_of_sdist: Path
    python: Path


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment with the wheel and what it needs, and a directory to run in."""

    python: Path
    place: Path

    def sloscore(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = self.python.with_name("sloscore")
        return run(command, *arguments, where=self.place, env=CLEAN)

    def script(self, text: str) -> subprocess.CompletedProcess[str]:
        return run(self.python, "-c", text, where=self.place, env=CLEAN)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Distribution:
    place = tmp_path_factory.mktemp("distribution")
    tree, python = place / "tree", place / "builder" / "bin" / "python"
    shutil.copytree(ROOT, tree, symlinks=True, ignore=shutil.ignore_patterns(*NOT_SOURCE))
    project = tomllib.loads((tree / "pyproject.toml").read_text())
    done(PYTHON, "-m", "venv", place / "builder", where=place)
    needed = project["build-system"]["requires"]
    ready = run(
        python, "-m", "pip", "install", "--quiet", "--no-compile", "build", *needed, where=place
    )
    if ready.returncode:
        pytest.skip(f"the build's tools need a package index: {ready.stderr.strip()[-200:]}")
    build = (python, "-m", "build", "--no-isolation")
    done(*build, "--outdir", place / "both", tree, where=place)
    done(*build, "--wheel", "--outdir", place / "direct", tree, where=place)
    (sdist,) = (place / "both").glob("*.tar.gz")
    (wheel_of_sdist,) = (place / "both").glob("*.whl")
    (wheel,) = (place / "direct").glob("*.whl")
    return Distribution(tree, sdist, wheel, wheel_of_sdist, python)


@pytest.fixture(scope="module")
def installed(built: Distribution, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    place = tmp_path_factory.mktemp("installed")
    done(built.python, "-m", "venv", "--without-pip", place / "empty", where=place)
    python = place / "empty" / "bin" / "python"
    done(
        built.python, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile", built.wheel,
        where=place,
    )  # fmt: skip
    return Installed(python, place)


def contents(wheel: Path) -> dict[str, int]:
    """The checksum of each file of a wheel, without the list of them."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            file.filename: file.CRC
            for file in archive.infolist()
            if not file.filename.endswith("/RECORD")
        }


def test_the_wheel_has_each_file_of_the_package_and_nothing_else(built: Distribution) -> None:
    service = built.tree / "service"
    files = {
        str(Path(place, name).relative_to(service))
        for place, _, names in os.walk(service / "sloscore", followlinks=True)
        for name in names
    }
    named = contents(built.wheel).keys()
    about = {name for name in named if ".dist-info/" in name}
    assert named - about == files
    kinds = {Path(name).suffix for name in files}
    assert {".py", ".typed", ".html", ".js", ".css", ".svg", ".yaml", ".md"} >= kinds - {""}
    assert "sloscore/py.typed" in files
    assert f"sloscore-{__version__}.dist-info/licenses/LICENSE" in about


def test_the_sdist_has_what_the_build_needs_and_makes_the_same_wheel(built: Distribution) -> None:
    with tarfile.open(built.sdist) as archive:
        names = {Path(name).parts[1] for name in archive.getnames() if "/" in name}
    assert names == {"LICENSE", "PKG-INFO", "README.md", "pyproject.toml", "service", "setup.cfg"}
    assert contents(built.wheel_of_sdist) == contents(built.wheel)


def test_the_version_is_told_in_one_way(built: Distribution, installed: Installed) -> None:
    assert built.wheel.name == f"sloscore-{__version__}-py3-none-any.whl"
    shown = installed.sloscore("--version")
    assert (shown.returncode, shown.stdout) == (0, f"sloscore, version {__version__}\n")


def test_the_wheel_alone_helps_and_scores_numbers(
    built: Distribution, installed: Installed
) -> None:
    assert "Commands:" in installed.sloscore("--help").stdout
    task = built.tree / "examples" / "docker_task_with_slo.json"
    values = ("latency_p50=1", "latency_p90=2", "latency_p99=3", "ttft=0.5")
    options = [part for value in values for part in ("--value", value)]
    scored = installed.sloscore("score", "--task", task, "--base-score", "2.5", *options)
    assert scored.returncode == 0, scored.stderr
    assert "Score    2.5  SUCCESS" in scored.stdout


def test_without_extras_all_but_their_own_modules_can_be_imported(installed: Installed) -> None:
    client = installed.script("import sloscore; from sloscore import SLOClient; SLOClient()")
    assert (client.returncode, client.stderr) == (0, "")
    ran = installed.script(IMPORT_ALL)
    assert ran.returncode == 0, ran.stderr
    assert set(ran.stdout.split()) == OF_AN_EXTRA


async def test_the_wheel_alone_serves(installed: Installed) -> None:
    arguments = ("--no-prometheus", "--port", "0", "--store", str(installed.place / "store.db"))
    async with (
        running("serve", *arguments, env=CLEAN, python=str(installed.python)) as process,
        aiohttp.ClientSession() as session,
    ):
        api = Api(session, await announced(process))
        assert (await api.get("/-/ready")).status == 200
        assert (await api.get("/openapi.json")).json["info"]["version"] == __version__
        page = await api.get("/")
        assert (page.status, page.type) == (200, "text/html")
        for file in set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)):
            assert (await api.get(file)).status == 200


def test_each_missing_extra_is_named_with_what_installs_it(
    built: Distribution, installed: Installed
) -> None:
    store = installed.sloscore("serve", "--no-prometheus", "--store", "postgresql://127.0.0.1/s")
    window = ("--start", "2026-11-24T00:00:00Z", "--end", "2026-11-24T01:00:00Z", "--every", "5m")
    task = ("--task", built.tree / "examples" / "vllm_task.yaml")
    source = ("--prometheus", "http://127.0.0.1:1")
    plot = installed.sloscore("backtest", *task, *source, *window, "--plot", "day.png")
    table = installed.sloscore("backtest", *task, *source, *window, "--output", "day.parquet")
    tuner = installed.script("import sloscore.tuners.optuna")
    for extra, ran in (
        ("postgres", store), ("analysis", plot), ("analysis", table), ("optuna", tuner),
    ):  # fmt: skip
        assert ran.returncode == 1
        assert ran.stderr.rstrip().endswith(f"pip install 'sloscore[{extra}]'"), ran.stderr


def test_the_interpreters_that_the_wheel_names_are_those_that_it_takes(built: Distribution) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        about = archive.read(f"sloscore-{__version__}.dist-info/METADATA").decode()
    named = re.findall(
        r"^Classifier: Programming Language :: Python :: 3\.(\d+)$", about, re.MULTILINE
    )
    (least,) = re.findall(r"^Requires-Python: >=3\.(\d+)$", about, re.MULTILINE)
    assert least in named
    assert all(int(minor) >= int(least) for minor in named)
