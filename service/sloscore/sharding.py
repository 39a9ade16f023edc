"""Which of several parts an experiment belongs to, by its id alone."""

import zlib


def shard_of(experiment: str, count: int) -> int:
    """The number of the part, from 0: the CRC-32 of the id in UTF-8, modulo their ``count``."""
    return zlib.crc32(experiment.encode()) % count
