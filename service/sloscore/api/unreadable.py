"""Answers to what cannot be read as a request of HTTP, which no handler ever sees."""

import asyncio
from http import HTTPStatus

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_request import BaseRequest

from sloscore.api.headers import headers_of
from sloscore.api.problems import problem

_log = structlog.get_logger()


class Protocol(web.RequestHandler):
    """Reads the requests of one connection.

    What it cannot read is neither quoted nor logged: there may be a token in it.
    """

    __slots__ = ("_headers",)

    def __init__(
        self,
        server: "web.Server",
        loop: asyncio.AbstractEventLoop,
        idle_seconds: float,
        *,
        is_https: bool,
    ) -> None:
        # The time counts from the connection's start or its last answer to the next headers' end.
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # None is how aiohttp writes none
            keepalive_timeout=idle_seconds,
        )
        self._headers = headers_of(is_https=is_https)

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """See aiohttp; ``message`` quotes the request and goes nowhere."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return super().handle_error(request, status, exc, message)
        _log.debug("request is no HTTP", status=status, error=type(exc).__name__)
        detail = (
            "A line or a header of the request is too long."
            if isinstance(exc, LineTooLong)
            else "This cannot be read as a request of HTTP/1.1."
        )
        answer = problem(status, detail, headers=self._headers)
        answer.force_close()
        return answer

    def log_exception(self, *args: object, **kw: object) -> None:
        """See aiohttp, which takes the rest of a body that no handler has read for its own failure."""
        error = kw.get("exc_info")
        if isinstance(error, web.RequestPayloadError):
            _log.debug("body cannot be read", error=type(error.__cause__ or error).__name__)
        else:
            super().log_exception(*args, **kw)
