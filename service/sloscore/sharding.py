"""Which of several parts an experiment belongs to, by its id alone."""

import re
import zlib
from dataclasses import dataclass

from sloscore.errors import MisdirectedError

_TEXT = re.compile(r"(\d{1,4})/(\d{1,4})", re.ASCII)


def shard_of(experiment: str, count: int) -> int:
    """The number of the part, from 0: the CRC-32 of the id in UTF-8, modulo their ``count``."""
    return zlib.crc32(experiment.encode()) % count


@dataclass(frozen=True, slots=True)
class Shard:
    """One of ``count`` parts of all experiments, the first of which is number 0."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """The part that is written like ``0/3``; raises ValueError for another text."""
        found = _TEXT.fullmatch(text)
        number, count = (int(part) for part in found.groups()) if found else (0, 0)
        if not number < count:
            raise ValueError(f"{text!r} is no shard: the first of three is 0/3, the last one 2/3")
        return cls(number, count)

    def require(self, experiment: str) -> None:
        """Raise MisdirectedError for an experiment of another part."""
        found = shard_of(experiment, self.count)
        if found != self.number:
            raise MisdirectedError(
                f"experiment {experiment!r} belongs to shard {found}/{self.count}, and this service "
                f"is {self.number}/{self.count}: send it there"
            )
