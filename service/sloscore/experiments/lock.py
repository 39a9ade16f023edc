"""One service a store: a lock that lasts as long as the process that took it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sloscore.errors import StoreError


@contextmanager
def held(store: Path) -> Iterator[None]:
    """Hold the store of this path for this process alone; the kernel lets go where it is killed.

    Raises StoreError where another process holds it, or can by another name of the file. The lock is on a file beside the store, which
    stays there: who removes it lets two processes each lock a file of its own.
    """
    # Two links to one store are one store.
    path = store.resolve()
    beside = path.with_name(f"{path.name}.lock")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(
            f"the database {store} cannot be opened: {beside} cannot be made: {error.strerror}; "
            "give the path of a file that sloscore may create and write"
        ) from error
    try:
        _lock(file, store)
        _refuse_other_names(path, store)
        yield
    finally:
        os.close(file)


def _refuse_other_names(path: Path, store: Path) -> None:
    # SQLite's log and this lock go by the name: two services would each have their own of them.
    if path.is_file() and (number := path.stat().st_nlink) > 1:
        raise StoreError(
            f"the database {store} is a file with {number} names (hard links), and its log belongs "
            "to one of them: remove the others; sloscore db backup makes a copy"
        )


def _lock(file: int, store: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StoreError(
            f"the database {store} is in use by another service; stop that one, or give this one "
            "another store.path"
        ) from None
    except OSError as error:
        raise StoreError(f"the database {store} cannot be locked: {error.strerror}") from error
