"""An SQLite file as a durable database: its permissions, pragmas and transactions."""

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from shutil import disk_usage
from typing import Final

from sqlalchemy import URL, Connection, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from sloscore.errors import StoreError
from sloscore.experiments.schema import refuse_foreign

_BUSY_SECONDS: Final = 5
_RETRY_SECONDS: Final = 0.01
_CONNECTIONS: Final = 8
# Each connection fills its own cache as the file grows: SQLite's 2000 would be 18 MiB for all of them.
_CACHE_KIBIBYTES: Final = 256
_PRAGMAS: Final = (
    f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}",
)


def prepare_file(path: Path) -> None:
    """Make sure that ``path`` is an SQLite database of sloscore's, created for its owner only.

    Raises StoreError for a file that is none, or one that cannot be created, read or written.
    A file that is refused keeps every byte.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite would create it with the umask's permissions.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(
            f"the database {path} cannot be opened: {error.strerror}; give the path of a file "
            "that sloscore may create and write"
        ) from error
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)) as probe:
            rows = probe.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            # Before the switch to WAL, which stays in the file.
            refuse_foreign([name for (name,) in rows if not name.startswith("sqlite_")])
            _switch_to_wal(probe)
    except StoreError as error:
        raise StoreError(f"{path}: {error}") from error
    except sqlite3.OperationalError as error:
        raise StoreError(f"the database {path} cannot be opened: {cause(path, error)}") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"{path} is not an SQLite database ({error}); give another path, or move the file away"
        ) from error


def cause(path: Path | str, error: BaseException) -> str:
    """The sentence of an error on this file; SQLite's own is silent on a disk that is full."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code not in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL}:
        return str(error)
    place = Path(path).absolute()
    names = f"{place.name}, {place.name}-wal and {place.name}-shm"
    with suppress(OSError):
        free = disk_usage(place.parent).free
        return f"{error}; the disk may be full: {free} bytes are free in {place.parent} for {names}"
    return f"{error}; the disk may be full, which holds {names} in {place.parent}"


def create_sqlite_engine(path: Path, *, writes: bool) -> AsyncEngine:
    """Return an engine on the file; one that ``writes`` has one connection, as one can write."""
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        # Older SQLAlchemy opens the file anew for each transaction unless told otherwise.
        poolclass=AsyncAdaptedQueuePool,
        # A connection over the pool's size would be opened, thread and all, and closed for one read.
        pool_size=1 if writes else _CONNECTIONS,
        max_overflow=0,
        # The driver must not begin transactions by itself: it would begin them as readers.
        connect_args={"isolation_level": None, "timeout": _BUSY_SECONDS},
    )
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    # A reader that turns into a writer fails at once when another writer was there in between.
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
    event.listen(engine.sync_engine, "begin", lambda connection: _begin(connection, begin))
    return engine


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # SQLite does not wait here for others that use the file.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_SECONDS)
        else:
            return


def _set_pragmas(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    del entry
    cursor = connection.cursor()
    try:
        for pragma in _PRAGMAS:
            cursor.execute(pragma)
    finally:
        cursor.close()


def _begin(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)
