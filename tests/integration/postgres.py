"""A PostgreSQL of this machine, in a directory of its own and as a user of its own."""

import contextlib
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.integration.alertmanager import free_port

from sloscore.simulate.process import ChildProcess

PASSWORD = "of the tests'"
_USER = "sloscore"


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running one; each of its databases is empty once."""

    port: int
    binaries: Path
    process: ChildProcess
    numbers: Iterator[int]

    def psql(self, statement: str, database: str = "postgres") -> str:
        """What a statement answers: a line a row, its columns apart by ``|``."""
        command = [str(self.binaries / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement]
        asked = subprocess.run(
            [*command, f"postgresql://{_USER}@127.0.0.1:{self.port}/{database}"],
            env={**os.environ, "PGPASSWORD": PASSWORD},
            capture_output=True,
            text=True,
            check=False,
        )
        assert asked.returncode == 0, asked.stderr
        return asked.stdout.strip()

    def new_database(self) -> str:
        """The URL of a database that is empty."""
        name = f"tests{next(self.numbers)}"
        self.psql(f"CREATE DATABASE {name} TEMPLATE template0")
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{name}"


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A PostgreSQL, or a skipped test where the machine has none that can be run."""
    binaries = _binaries()
    # It refuses to run as root, and those directories of tests are root's alone.
    user = _user() if os.getuid() == 0 else None
    place = Path(tempfile.mkdtemp(prefix="sloscore-postgres-"))
    try:
        password = place / "password"
        password.write_text(PASSWORD)
        if user is not None:
            for path in (place, password):
                os.chown(path, user.pw_uid, user.pw_gid)
        data = str(place / "data")
        subprocess.run(
            [*_as(user), str(binaries / "initdb"), "-D", data, "-U", _USER, "-N", "-E", "UTF8",
             "--locale=C", "--auth=scram-sha-256", f"--pwfile={password}"],
            cwd=place, check=True, capture_output=True,
        )  # fmt: skip
        port = free_port()
        command = [
            *_as(user), str(binaries / "postgres"), "-D", data, "-F", "-p", str(port),
            "-h", "127.0.0.1", "-k", "", "-c", "max_connections=200",
        ]  # fmt: skip
        process = ChildProcess("PostgreSQL", command, place / "log")
        try:
            process.wait_until(lambda: "ready to accept connections" in process.output() or None)
            yield Postgres(port, binaries, process, itertools.count())
        finally:
            process.stop()
    finally:
        shutil.rmtree(place)


def _binaries() -> Path:
    found = shutil.which("postgres")
    places = [Path(found).parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if all((place / name).exists() for name in ("initdb", "postgres", "psql")):
            return place
    pytest.skip("there is no PostgreSQL on this machine: apt install postgresql")


def _user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    pytest.skip("PostgreSQL does not run as root, and there is no user nobody")


def _as(user: pwd.struct_passwd | None) -> list[str]:
    if user is None:
        return []
    ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    # Who changes the user is not killed any more when its parent dies, unless it asks again.
    return ["setpriv", *ids, "--pdeathsig", "KILL", "--"]
