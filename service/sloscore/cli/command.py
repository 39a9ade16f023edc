"""A command that runs in the foreground of another one: its signals, its end, what is left of it."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final, Self

_TAKEN: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL_SECONDS: Final = 0.05
_LOOK_SECONDS: Final = 1.0


class Interrupted(KeyboardInterrupt):
    """A signal told this process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Signals:
    """Takes SIGINT, SIGTERM and SIGHUP within a ``with`` block, each as ``Interrupted``."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._receiver: Callable[[int], None] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in _TAKEN:
            # What is ignored, as under nohup, stays ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let a block come to its end before a signal interrupts; ``received`` has the first one."""
        self._receiver = lambda _: None
        try:
            yield
        finally:
            self._receiver = None
        if self.received is not None:
            raise Interrupted(self.received)

    def pass_on(self, receiver: Callable[[int], None]) -> None:
        """Give signals to ``receiver`` for the rest of the ``held`` block, and one that came before."""
        self._receiver = receiver
        if self.received is not None:
            receiver(self.received)

    def _handle(self, number: int, _: FrameType | None) -> None:
        self.received = self.received or number
        if self._receiver is None:
            raise Interrupted(number)
        self._receiver(number)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: ``code`` is negative for a signal; ``stopped`` where it was told to."""

    code: int
    stopped: bool


def run_command(
    words: Sequence[str],
    signals: Signals,
    grace: float,
    advises_stop: Callable[[], bool] | None = None,
    env: Mapping[str, str] | None = None,
) -> Ended:
    """Run a command to its end, or until ``advises_stop``, which is asked once a second.

    Its environment is this one's, with ``env`` on top of it. Once it is told to end, by advice or by a signal, it has ``grace`` seconds before SIGKILL.
    Raises OSError where it cannot be run, and Interrupted once a signal has ended it.
    """
    stopped = False
    with signals.held():
        running = _Running(words, {**os.environ, **(env or {})})
        signals.pass_on(running.send)
        try:
            while signals.received is None and running.lasts(_LOOK_SECONDS, signals):
                if advises_stop is not None and advises_stop():
                    stopped = True
                    running.send(signal.SIGTERM)
                    break
            if stopped or signals.received is not None:
                running.wait_for_all(grace)
        finally:
            code = running.end()
    return Ended(code, stopped)


class _Running:
    """A command with this process's own stdin, stdout and stderr.

    Its processes are a group of their own, which signals go to. On a terminal they stay in the
    foreground with this one: there Ctrl-C reaches all of them by itself, and the other signals go
    to the command and its descendants (the command alone, where there is no /proc).
    """

    def __init__(self, words: Sequence[str], env: Mapping[str, str]) -> None:
        self._is_apart = not os.isatty(0)
        group = 0 if self._is_apart else None
        self._process = subprocess.Popen(words, process_group=group, env=env)  # noqa: S603  what the user asked for
        self._told: set[int] = set()

    def send(self, number: int) -> None:
        """Pass a signal on."""
        if self._is_apart:
            _reaches(os.killpg, self._process.pid, number)
        elif number != signal.SIGINT:
            # Those that were told before may have lost the parent that leads to them.
            if self._process.poll() is None:
                self._told.update(_with_descendants(self._process.pid))
            for pid in self._told:
                _reaches(os.kill, pid, number)

    def lasts(self, seconds: float, signals: Signals) -> bool:
        """Whether it still runs in ``seconds``, or when a signal comes."""
        deadline = time.monotonic() + seconds
        while self._process.poll() is None:
            if signals.received is not None or time.monotonic() >= deadline:
                return True
            time.sleep(_POLL_SECONDS)
        return False

    def wait_for_all(self, seconds: float) -> None:
        """Wait for the command, and for what it has left behind; kill what takes longer."""
        deadline = time.monotonic() + seconds
        while self._is_alive() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        if self._is_alive():
            self.send(signal.SIGKILL)

    def end(self) -> int:
        """Its exit code; it is killed where it still runs."""
        if self._process.poll() is None:
            self.send(signal.SIGKILL)
        return self._process.wait()

    def _is_alive(self) -> bool:
        if self._process.poll() is None:
            return True
        if self._is_apart:
            return _reaches(os.killpg, self._process.pid, 0)
        return any(_reaches(os.kill, pid, 0) for pid in self._told)


def _reaches(kill: Callable[[int, int], None], pid: int, number: int) -> bool:
    try:
        kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _with_descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        # A process may end while it is read.
        with contextlib.suppress(OSError):
            # "17 (name) S 16 ...": the parent is the second after the name, which may hold anything.
            parent = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found
