"""The ``sloscore`` command as its script runs it, in this process or in one of its own."""

import asyncio
import contextlib
import io
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from unittest import mock

from sloscore.cli.main import main

PATIENCE = 30.0
# Gives a command a terminal, whose keys come from stdin and whose screen is stdout.
_IN_TERMINAL = """
import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


def sloscore(*arguments: str, env: Mapping[str, str] | None = None) -> Ended:
    """Run a command that ends by itself."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["sloscore", *arguments]),
        mock.patch.dict(os.environ, env or {}),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        else:
            code = 0
    assert isinstance(code, int)
    return Ended(code, out.getvalue(), err.getvalue())


class Process:
    """A command that goes on until it is told to end."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    async def line(self) -> str:
        """The next line that it prints; empty once it has ended."""
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE)
        return line.decode().rstrip("\n")

    async def error_line(self) -> str:
        """The next line that it prints on stderr."""
        assert self._process.stderr is not None
        line = await asyncio.wait_for(self._process.stderr.readline(), PATIENCE)
        return line.decode().rstrip("\n")

    def type(self, text: str) -> None:
        """Give it text on stdin."""
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode())

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    async def end(self, seconds: float = PATIENCE) -> Ended:
        """What else it prints until it ends by itself; fails where it takes longer than that."""
        out, err = await asyncio.wait_for(self._process.communicate(), seconds)
        assert self._process.returncode is not None
        return Ended(self._process.returncode, out.decode(), err.decode())


@contextlib.asynccontextmanager
async def running(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    in_terminal: bool = False,
    python: str = sys.executable,
    by: Sequence[str] = (),
) -> AsyncIterator[Process]:
    """A process of its own for a command; it is killed where it has not ended by itself.

    ``by`` is a command that becomes the one that follows it, such as setpriv.
    """
    before = ["-c", _IN_TERMINAL, sys.executable] if in_terminal else []
    process = await asyncio.create_subprocess_exec(
        *by, python, *before, "-m", "sloscore", *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(env or {})},
    )  # fmt: skip
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
