"""A line in the log for each request, and the id by which a client finds it."""

import logging
import os
import re
import time

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware
from multidict import istr

from sloscore.api.auth import SAFE_METHODS
from sloscore.api.problems import REQUEST_ID, Handler

HEADER = istr("X-Request-ID")
_log = structlog.get_logger()
_LEVELS = logging.getLogger(__name__)
_ID = web.RequestKey(REQUEST_ID, str)
_SANE = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
# As nginx has it: the client went before there was an answer.
_CLIENT_LEFT = 499


def log_requests(open_paths: frozenset[str]) -> Middleware:
    """Middleware that logs each request: what may change something and errors are info, the rest debug.

    A request keeps the id that it comes with, if that is a plain word of at most 128 characters.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.perf_counter()
        status = _CLIENT_LEFT
        request[_ID] = _id_of(request)
        # Each request has a task, and so a context, of its own.
        structlog.contextvars.bind_contextvars(**{REQUEST_ID: request[_ID]}, **_names(request))
        try:
            response = await handler(request)
            status = response.status
        except web.HTTPException as redirect:
            status = redirect.status
            raise
        else:
            return response
        finally:
            is_quiet = request.method in SAFE_METHODS or request.path in open_paths
            level = _level(request, status, is_quiet=is_quiet)
            # Most requests are reads, which nobody asks to see: no line is made up for them.
            if _LEVELS.isEnabledFor(level):
                _log.log(
                    level,
                    "request",
                    method=request.method,
                    # As it was sent: what it stands for may hold a line's end.
                    path=request.rel_url.raw_path,
                    status=status,
                    seconds=round(time.perf_counter() - began, 6),
                )

    return middleware


async def name_request(request: web.Request, response: web.StreamResponse) -> None:
    """Tell the client the id of its request, as an answer begins."""
    try:
        request_id = request[_ID]
    except KeyError:
        # It was no request of HTTP.
        return
    response.headers[HEADER] = request_id


def _id_of(request: web.Request) -> str:
    given = request.headers.get(HEADER, "")
    return given if _SANE.fullmatch(given) else os.urandom(16).hex()


def _names(request: web.Request) -> dict[str, str]:
    found = {"experiment": request.match_info.get("id"), "task": request.match_info.get("task")}
    return {name: text for name, text in found.items() if text and text.isprintable()}


def _is_probe(request: web.Request) -> bool:
    return request.path == "/metrics" or request.path.startswith("/-/")


def _level(request: web.Request, status: int, *, is_quiet: bool) -> int:
    if is_quiet and (status < 400 or status == _CLIENT_LEFT or _is_probe(request)):
        return logging.DEBUG
    return logging.WARNING if status >= 500 else logging.INFO
