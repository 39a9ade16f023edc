"""The door of the service: its socket, and how many connections may be open at once."""

import asyncio
import contextlib
import resource
import socket
import ssl
import sys
from collections.abc import Mapping
from http import HTTPStatus
from typing import cast

from aiohttp import web

from sloscore.api.handshakes import TlsDoor
from sloscore.api.headers import headers_of
from sloscore.api.unreadable import Protocol
from sloscore.errors import SettingsError
from sloscore.settings import LimitSettings, ListenSettings
from sloscore.wire import Problem

# How many connections the kernel holds before they are accepted.
_BACKLOG = 1024
# The store, the metric sources and logs have files of their own.
_OTHER_FILES = 256
_REFUSAL_SECONDS = 1.0
_HANDSHAKE_SECONDS = 10.0
# Past the limit so many more may be in a handshake, to be told so.
_REFUSED_HANDSHAKES = 64


def listen(settings: ListenSettings, limits: LimitSettings) -> socket.socket:
    """A socket that listens; answers on its connections must be read within the limits.

    Raises SettingsError for an address that cannot be bound.
    """
    host, port = settings.host, settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        # Python adds the address, which is said already.
        reason = str(error.strerror or error).partition(" (while")[0]
        raise SettingsError(
            f"cannot listen on {host}:{port}: {reason}; choose another listen.host or listen.port"
        ) from error
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Connections inherit it: Linux drops one whose peer takes nothing of what was sent.
        milliseconds = round(limits.unread_timeout * 1000)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
    return listener


async def accept(
    listener: socket.socket,
    runner: web.AppRunner,
    limits: LimitSettings,
    tls: ssl.SSLContext | None = None,
) -> asyncio.Server | TlsDoor:
    """Let a runner that is set up answer on the socket; connections past the limit are refused."""
    loop = asyncio.get_running_loop()
    is_https = tls is not None
    answering = cast("web.Server", runner.server)
    most = max(1, min(limits.max_connections, _files_allowed() - _OTHER_FILES))
    refusal = _refusal(most, headers_of(is_https=is_https))

    def protocol(taken: int) -> asyncio.Protocol:
        if taken >= most:
            return _Refusing(refusal)
        return Protocol(answering, loop, limits.idle_timeout, is_https=is_https)

    if tls is None:
        return await loop.create_server(
            lambda: protocol(len(answering.connections)), sock=listener, backlog=_BACKLOG
        )
    door = TlsDoor(listener, tls, min(_HANDSHAKE_SECONDS, limits.idle_timeout))

    def protocol_of_tls() -> asyncio.Protocol | None:
        taken = len(door.handshaking.union(answering.connections))
        return protocol(taken) if taken < most + _REFUSED_HANDSHAKES else None

    door.open(protocol_of_tls)
    return door


def _files_allowed() -> int:
    """How many files this process may have open, once it has asked for all that it can have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Some systems name a hard limit that they do not grant.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def _refusal(most: int, headers: Mapping[str, str]) -> bytes:
    status = HTTPStatus.SERVICE_UNAVAILABLE
    detail = (
        f"{most} connections are open, and no more are allowed (limits.max_connections): close "
        "those that you do not use, or try again later."
    )
    problem = Problem(title=status.phrase, status=status, detail=detail)
    body = problem.model_dump_json(exclude_none=True).encode()
    sent = {
        "Content-Type": "application/problem+json",
        "Content-Length": len(body),
        "Connection": "close",
        **headers,
    }
    lines = [f"HTTP/1.1 {status} {status.phrase}", *(f"{k}: {v}" for k, v in sent.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


class _Refusing(asyncio.Protocol):
    """Says that there is no room, whatever it is asked, and hangs up."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._answer)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        loop = asyncio.get_running_loop()
        self._end = loop.call_later(_REFUSAL_SECONDS, self._transport.abort)

    def data_received(self, _: bytes) -> None:
        # Closed with a request unread, the connection would be reset before the answer is seen.
        self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        self._end.cancel()
