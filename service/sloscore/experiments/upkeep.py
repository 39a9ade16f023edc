"""A store's file looked at and copied, beside a running service or without one."""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from sloscore.errors import StoreError
from sloscore.experiments.schema import VERSION_TABLE, refuse_foreign, refuse_newer

_BUSY_SECONDS: Final = 5
_MOST_FAULTS: Final = 20
_AS_IT_IS: Final = "ro&immutable=1"


@contextmanager
def snapshot(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection on one consistent state of a store, which changes nothing in it.

    Writers go on meanwhile. Raises StoreError where there is no store of sloscore's, where a newer
    release wrote it, and where it cannot be read.
    """
    if not path.is_file():
        raise StoreError(f"there is no database {path}; give the path of the service's store")
    # A file that nobody uses is read without its log and locks, which would need room beside it.
    log, before = _log_of(path), _stamp(path)
    is_used = log.exists()
    try:
        with closing(_connect(path, "ro" if is_used else _AS_IT_IS)) as connection:
            connection.execute("BEGIN")
            try:
                read_version(connection)
            except StoreError as error:
                raise StoreError(f"{path}: {error}") from error
            yield connection
    except sqlite3.Error as error:
        raise StoreError(f"the database {path} cannot be read: {error}") from error
    if not is_used and (log.exists() or _stamp(path) != before):
        raise StoreError(f"a service began to use the database {path} meanwhile; try again")


def read_version(connection: sqlite3.Connection) -> int:
    """The schema version of a store; raises StoreError where this release cannot read it."""
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    tables = [_text(name) for (name,) in rows if not _text(name).startswith("sqlite_")]
    refuse_foreign(tables)
    if not tables:
        raise StoreError("the database is empty: no service has used it yet")
    versions = connection.execute(f"SELECT version FROM {VERSION_TABLE}").fetchall()  # noqa: S608  a constant
    if len(versions) != 1:
        raise StoreError(f"{VERSION_TABLE!r} must hold one version and holds {len(versions)}")
    version: int = versions[0][0]
    refuse_newer(version)
    return version


def faults_of_file(connection: sqlite3.Connection) -> list[str]:
    """What SQLite finds wrong with pages and indexes, at most the first 20."""
    try:
        rows = connection.execute(f"PRAGMA integrity_check({_MOST_FAULTS})").fetchall()
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [line for (text,) in rows if (line := _text(text)) != "ok"]


def rows_of(connection: sqlite3.Connection) -> Iterator[Mapping[str, Any]]:
    """The stored experiments as they are, with text as bytes; later columns may be missing.

    Raises sqlite3.DatabaseError where a page is damaged.
    """
    cursor = connection.cursor()
    # A damaged text may not be UTF-8.
    connection.text_factory = bytes
    cursor.row_factory = sqlite3.Row
    yield from (dict(row) for row in cursor.execute("SELECT * FROM experiments"))


def copy(path: Path, target: Path, *, force: bool = False) -> int:
    """Copy a store to ``target``, whole and durable or not at all; returns its size in bytes.

    Services go on writing to the store meanwhile. The copy is examined before it takes its name.
    Raises StoreError where the store or the copy is damaged, where the target cannot be written, and
    where it is there already unless ``force`` replaces it.
    """
    _check_target(path, target, force=force)
    new = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        try:
            os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            with snapshot(path) as source:
                _fill(source, new)
            _require_sound(new, target)
            _name(new, target, force=force)
            return target.stat().st_size
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{target}: cannot be written: {error.strerror}") from error


def _check_target(path: Path, target: Path, *, force: bool) -> None:
    if target.is_dir():
        raise StoreError(f"{target}: is a directory; name a file")
    if not target.parent.is_dir():
        raise StoreError(f"{target}: there is no directory {target.parent}")
    if target.exists():
        if path.exists() and target.samefile(path):
            raise StoreError(f"{target}: is the store itself; name another file")
        if not force:
            raise StoreError(f"{target}: is there already; --force replaces it")
    log = _log_of(target)
    if log.exists():
        # SQLite would apply it to the copy.
        raise StoreError(
            f"{target}: {log} beside it belongs to a database that is in use or was not closed; "
            "name another file"
        )


def _fill(source: sqlite3.Connection, new: Path) -> None:
    try:
        with closing(_connect(new, "rw")) as copied:
            # All pages in one step: none is copied again because a service wrote meanwhile.
            source.backup(copied)
    except sqlite3.Error as error:
        raise StoreError(f"the database cannot be copied: {error}") from error


def _require_sound(new: Path, target: Path) -> None:
    with closing(_connect(new, _AS_IT_IS)) as copied:
        faults = faults_of_file(copied)
    if faults:
        raise StoreError(
            f"{target}: is not written, because the database is damaged: {faults[0]}; "
            "`sloscore db check` tells more"
        )


def _name(new: Path, target: Path, *, force: bool) -> None:
    with new.open("rb") as file:
        os.fsync(file.fileno())
    if force:
        new.replace(target)
    else:
        try:
            # Unlike a renaming, it never replaces what came there meanwhile.
            target.hardlink_to(new)
        except FileExistsError:
            raise StoreError(f"{target}: is there already; --force replaces it") from None
    directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _log_of(path: Path) -> Path:
    real = path.resolve()
    return real.with_name(f"{real.name}-wal")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
    )


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode(errors="replace")
