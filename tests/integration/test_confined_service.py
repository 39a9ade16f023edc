"""A service that can write nothing but its store, or that has no rights: it works as any other."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import aiohttp
import pytest
from tests.cli.command import running
from tests.integration.pages import Engine, PageServer
from tests.integration.service import EXPERIMENTS, Api, task_of

NOBODY = 65534
# Runs a command where all is read-only but the directory that is named first.
READ_ONLY = """
set -e
mount --bind "$0" "$0"
for place in / "$(findmnt -nro TARGET --target "$0/..")"; do mount -o remount,ro,bind "$place"; done
if touch "$0/../written" 2>/dev/null; then echo "it can still be written" >&2; exit 1; fi
exec "$@"
"""


@pytest.fixture
def state() -> Iterator[Path]:
    """A directory that everybody may enter, as those of tests are the user's alone."""
    outer = Path(tempfile.mkdtemp(prefix="sloscore-confined-"))
    outer.chmod(0o755)
    place = outer / "state"
    place.mkdir()
    if os.getuid() == 0:
        os.chown(place, NOBODY, NOBODY)
    yield place
    shutil.rmtree(outer)


def read_only(state: Path) -> Sequence[str]:
    own = () if os.getuid() == 0 else ("--user", "--map-root-user")
    return ("unshare", "--mount", *own, "sh", "-c", READ_ONLY, str(state))


def without_rights(_: Path) -> Sequence[str]:
    ids = (f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    return ("setpriv", *ids, "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all")


CONFINED = {
    "read-only": (read_only,),
    "no rights": (without_rights,),
    "both": (read_only, without_rights),
}


def skip_unless_possible(command: Sequence[str], how: str) -> None:
    """Skip the test where this machine cannot confine a process like that."""
    imports = [*command, sys.executable, "-c", "import sloscore"]
    try:
        tried = subprocess.run(imports, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        pytest.skip(f"{how}: {error.filename} is not on this machine")
    if tried.returncode != 0:
        pytest.skip(f"{how} cannot be had here: {tried.stderr.strip()[-200:]}")


@pytest.mark.parametrize("how", CONFINED)
async def test_a_confined_service_works_as_any_other(state: Path, how: str) -> None:
    by = [word for confine in CONFINED[how] for word in confine(state)]
    skip_unless_possible(by, how)
    engine = Engine()
    options = ("--port", "0", "--store", str(state / "s.db"), "--no-prometheus")
    kept: list[str] = []
    for name in ("one", "two"):
        # The second finds the store of the first.
        async with (
            PageServer(engine.answer) as server,
            running("serve", *options, "--interval", "200ms", by=by) as process,
            aiohttp.ClientSession() as session,
        ):
            api = Api(session, (await process.line()).split()[-1])
            place = {"target": server.url, "scrape_interval": "100ms"}
            assert (await api.register(name, task_of(), **place)).status == 201
            engine.finish(0.25, times=30)
            await server.asked_again(2)
            assert (await api.finish(name)).status == 200
            report = await api.final(name)
            assert (report["status"], report["window"]["requests"]) == ("SUCCESS", 30)
            for path in ("/", f"/experiments/{name}", "/status", "/metrics", "/-/ready"):
                assert (await api.get(path)).status == 200, path
            kept.insert(0, name)
            shown = (await api.get(EXPERIMENTS)).json["experiments"]
            assert [each["id"] for each in shown] == kept
            process.send(signal.SIGTERM)
            ended = await process.end()
        assert ended.code == 0, ended.err
        assert "Traceback" not in ended.err


def test_a_store_where_nothing_may_be_written_stops_the_start_with_a_sentence(state: Path) -> None:
    by = read_only(state)
    skip_unless_possible(by, "read-only")
    store = str(state.parent / "s.db")
    command = [*by, sys.executable, "-m", "sloscore", "serve", "--port", "0", "--store", store]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert store in ended.stderr
    assert "Read-only file system" in ended.stderr
    assert "Traceback" not in ended.stderr
