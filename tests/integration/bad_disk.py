"""Disks that are full or read-only, and files that are damaged."""

import contextlib
import errno
import resource
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest


@contextlib.contextmanager
def no_room(pid: int) -> Iterator[None]:
    """No file of a running process takes a byte more; pipes and sockets do."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def small_disk(place: Path, kilobytes: int = 512) -> Iterator[Path]:
    """A file system of its own at this new directory; skips the test where none can be mounted."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a file system needs root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True, capture_output=True)


def remount(place: Path, option: str) -> None:
    """Make a small disk ``ro`` or ``rw``."""
    subprocess.run(
        ["mount", "-o", f"remount,{option}", str(place)], check=True, capture_output=True
    )


def fill(place: Path) -> Path:
    """A file that takes all the room that is left on a disk."""
    path = place / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: PT017  any other is no full disk
    return path


def overwrite(path: Path, name: str) -> None:
    """Overwrite the first page of a table or an index."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        ((page,),) = connection.execute(query, (name,)).fetchall()
        ((size,),) = connection.execute("PRAGMA page_size").fetchall()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
