"""Lines of the log, written by a thread, as whoever reads them may be slow or gone."""

import contextlib
import logging
import os
import queue
import select
import threading
from typing import Final

_MOST_LINES: Final = 4096
_FLUSH_SECONDS: Final = 1.0


class LogWriter(logging.Handler):
    """Writes to a file descriptor; lines that nobody takes in time are dropped, and counted.

    Nobody who logs ever waits. A pipe that others share must stay as it is, so it is written by a
    thread that waits, and not without blocking.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.dropped = 0
        self._descriptor = descriptor
        self._lines: queue.Queue[bytes | None] = queue.Queue(_MOST_LINES)
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Have the line written, or drop it where too many wait."""
        try:
            line = f"{self.format(record)}\n".encode(errors="backslashreplace")
        except Exception:  # noqa: BLE001  as every handler: no log is worth a failure
            self.handleError(record)
            return
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Give what waits a short time to be written."""
        super().close()
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(None)
        self._thread.join(_FLUSH_SECONDS)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._write_all(line)
            except OSError:
                self.dropped += 1

    def _write_all(self, line: bytes) -> None:
        rest = memoryview(line)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                # Somebody else who has the pipe has made it so.
                select.select([], [self._descriptor], [])


def dropped_lines() -> int:
    """Lines of the log of this process that were dropped so far."""
    handlers = logging.getLogger().handlers
    return sum(handler.dropped for handler in handlers if isinstance(handler, LogWriter))
