"""Final reports as they are sent: written once, however many ask for them."""

from collections import OrderedDict
from collections.abc import Mapping

import orjson


class EncodedReports:
    """JSON of stored final reports by experiment id: those asked for last, up to ``max_bytes``.

    A final report never changes, so what is kept here is as good as the store's.
    """

    def __init__(self, max_bytes: int = 8 * 2**20) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    @property
    def bytes_kept(self) -> int:
        """How many bytes of JSON are kept."""
        return self._bytes

    def get(self, experiment: str) -> bytes | None:
        """The final report of an experiment, where it is kept."""
        encoded = self._kept.get(experiment)
        if encoded is not None:
            self._kept.move_to_end(experiment)
        return encoded

    def keep(self, experiment: str, report: Mapping[str, object]) -> bytes:
        """Encode a final report as the store has it; those asked for least lately make room."""
        encoded = orjson.dumps(report)
        self._bytes += len(encoded) - len(self._kept.pop(experiment, b""))
        self._kept[experiment] = encoded
        while self._bytes > self._max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest)
        return encoded
