"""A process that runs beside this one, writes its log to a file and ends when this one does."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from sloscore.errors import SloscoreError

T = TypeVar("T")

_POLL_SECONDS: Final = 0.05
_TAIL_LINES: Final = 15
# Asks Linux to kill the process when the thread that started it dies, then becomes the command:
# a SIGKILL leaves its receiver no other chance to clean up, and fork with threads is not safe.
_DIES_WITH_PARENT: Final = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class ChildProcess:
    """One run of a command; ``name`` stands for it in messages.

    Start it in a thread that outlives it: Linux ends it with that thread. Signals of the terminal
    (Ctrl-C) do not reach it, so that the parent can end its children in order.
    """

    def __init__(
        self, name: str, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        """Run ``command`` with this process's environment and ``env`` on top of it.

        Raises SloscoreError where the command cannot be run.
        """
        self.name = name
        self.log = log
        if shutil.which(command[0], path=(env or {}).get("PATH")) is None:
            raise SloscoreError(f"{name} cannot be run: there is no program {command[0]}")
        if sys.platform == "linux":
            shim = [sys.executable, "-I", "-S", "-c", _DIES_WITH_PARENT, str(os.getpid())]
            command = [*shim, *command]
        with log.open("wb") as output:
            try:
                self._process = subprocess.Popen(  # noqa: S603  a command of the caller's choice
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env={**os.environ, **(env or {})},
                    start_new_session=True,
                )
            except OSError as error:
                raise SloscoreError(f"{name} cannot be run: {error}") from error

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def output(self) -> str:
        """All that the process has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def tail(self) -> str:
        """The last lines that the process printed."""
        return "\n".join(self.output().splitlines()[-_TAIL_LINES:]) or "(it printed nothing)"

    def wait_until(self, condition: Callable[[], T | None], timeout: float = 60.0) -> T:
        """What ``condition`` returns once that is not None.

        Raises SloscoreError with the end of the log where the process ends before, or where
        ``timeout`` seconds pass.
        """
        deadline = time.monotonic() + timeout
        while (found := condition()) is None:
            if not self.is_running:
                raise SloscoreError(f"{self.name} ended while it started:\n{self.tail()}")
            if time.monotonic() > deadline:
                self.stop()
                raise SloscoreError(f"{self.name} is not ready in time:\n{self.tail()}")
            time.sleep(_POLL_SECONDS)
        return found

    def stop(self, timeout: float = 10.0) -> int:
        """End the process with SIGTERM, after ``timeout`` seconds with SIGKILL; its exit code."""
        if self.is_running:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            return self.kill()

    def wait(self, timeout: float | None = None) -> int:
        """The exit code of the process, once it has ended by itself.

        Raises subprocess.TimeoutExpired after ``timeout`` seconds.
        """
        return self._process.wait(timeout)

    def kill(self) -> int:
        """End the process with SIGKILL; its exit code."""
        self._process.kill()
        return self._process.wait()
