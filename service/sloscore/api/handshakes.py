"""The door of a service that speaks TLS: handshakes take a place among the connections, too."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Final

import structlog

_log = structlog.get_logger()
_SHUTDOWN_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 1.0
_NO_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class TlsDoor:
    """Accepts connections from a socket; ``make`` gives the protocol of each, or None to drop it.

    ``handshaking`` are the protocols whose connection is not made yet. asyncio's own server tells
    nobody of these, nor of their failure.
    """

    def __init__(self, listener: socket.socket, tls: ssl.SSLContext, seconds: float) -> None:
        """Use a socket that listens; a handshake may take so many seconds."""
        self.handshaking: set[asyncio.Protocol] = set()
        self._listener = listener
        self._tls = tls
        self._seconds = seconds
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, make: Callable[[], asyncio.Protocol | None]) -> None:
        """Accept from now on."""
        self._listener.settimeout(0)
        self._start(self._accept(make))

    def close(self) -> None:
        """Accept no more, and give up the handshakes."""
        for task in self._tasks:
            task.cancel()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, make: Callable[[], asyncio.Protocol | None]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError as error:
                if error.errno in _NO_ROOM:
                    _log.error("connection not accepted", reason=error.strerror)
                    await asyncio.sleep(_PAUSE_SECONDS)
                continue
            protocol = make()
            if protocol is None:
                connection.close()
            else:
                self.handshaking.add(protocol)
                self._start(self._shake_hands(connection, protocol))
            # One that waits is accepted without a turn of the loop: others come first.
            await asyncio.sleep(0)

    async def _shake_hands(self, connection: socket.socket, protocol: asyncio.Protocol) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=self._seconds,
                ssl_shutdown_timeout=_SHUTDOWN_SECONDS,
            )
        except OSError as error:
            _log.debug("no TLS handshake", error=type(error).__name__)
        finally:
            self.handshaking.discard(protocol)
