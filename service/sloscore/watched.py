"""What is made of files, made again when they change."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

_Stamp = tuple[tuple[int, int, int], ...]


class Watched(Generic[T]):
    """What is made of some files, made again when one of them changes."""

    def __init__(self, paths: Sequence[Path], make: Callable[[], T]) -> None:
        self._paths = paths
        self._make = make
        self._made: tuple[_Stamp, T] | None = None

    def get(self) -> T:
        """What the files make now; raises OSError, and what ``make`` raises."""
        stamp = tuple((s.st_mtime_ns, s.st_size, s.st_ino) for s in (p.stat() for p in self._paths))
        if self._made is None or self._made[0] != stamp:
            self._made = (stamp, self._make())
        return self._made[1]
