"""Every error as RFC 9457 problem details, whatever raised it."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from sloscore.errors import (
    ConflictError,
    ExperimentNotFoundError,
    LimitError,
    MisdirectedError,
    SloscoreError,
    SourceError,
    SpecError,
    StoreError,
)
from sloscore.spec.document import pointer
from sloscore.wire import FieldProblem, Problem

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
# The answer to a request that is refused, None for one that may go on.
Check = Callable[[web.Request], web.Response | None]

_log = structlog.get_logger()
_STATUS = {
    SpecError: 422,
    ConflictError: 409,
    ExperimentNotFoundError: 404,
    MisdirectedError: 421,
    LimitError: 429,
    SourceError: 502,
    StoreError: 503,
}
_TIMEOUT_KIND = "timeout"
# What the log calls the id of a request.
REQUEST_ID = "request_id"


def problem(
    status: int,
    detail: str,
    *,
    errors: list[str] | None = None,
    fields: list[FieldProblem] | None = None,
    headers: dict[str, str] | None = None,
) -> web.Response:
    """A problem details answer."""
    title = HTTPStatus(status).phrase
    document = Problem(
        title=title,
        status=status,
        detail=detail,
        errors=errors,
        fields=fields,
        request_id=structlog.contextvars.get_contextvars().get(REQUEST_ID),
    )
    return web.Response(
        body=document.model_dump_json(exclude_none=True).encode(),
        status=status,
        content_type="application/problem+json",
        headers=headers,
    )


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn errors into problem details; what nobody expected is logged and kept from the client."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        headers = {name: value for name, value in error.headers.items() if name == "Allow"}
        return problem(error.status, _detail(request, error), headers=headers)
    except SpecError as error:
        fields = [FieldProblem(pointer=pointer(place), detail=text) for place, text in error.fields]
        return problem(422, error.problems[0], errors=error.problems, fields=fields or None)
    except SourceError as error:
        return problem(504 if error.kind == _TIMEOUT_KIND else 502, str(error))
    except SloscoreError as error:
        status = next((s for kind, s in _STATUS.items() if isinstance(error, kind)), 500)
        return problem(status, str(error))
    except Exception:  # noqa: BLE001  the last resort of every request
        _log.exception("request broke", method=request.method, path=request.rel_url.raw_path)
        return problem(500, "The service failed on this request; its log says why.")


def checked(*checks: Check) -> Middleware:
    """Middleware that asks each request of all checks, in this order, and refuses it at the first."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        for check in checks:
            if (refusal := check(request)) is not None:
                return refusal
        return await handler(request)

    return middleware


def _detail(request: web.Request, error: web.HTTPException) -> str:
    if isinstance(error, web.HTTPNotFound) and error.text == "404: Not Found":
        return f"There is nothing at {request.path}; /openapi.json lists what there is."
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return f"{request.path} does not take {error.method}; it takes {allowed}."
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return f"The body is larger than the {request.client_max_size} bytes that are allowed."
    return error.text or error.reason
