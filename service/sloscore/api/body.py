"""Request bodies and parameters, checked."""

import asyncio
import json
import math
from typing import TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel

from sloscore.api.context import CONTEXT
from sloscore.errors import SpecError
from sloscore.spec.document import Place, dotted
from sloscore.spec.loader import validate

Model = TypeVar("Model", bound=BaseModel)


async def read_body(request: web.Request, model: type[Model], *, optional: bool = False) -> Model:
    """The JSON body as a document; an ``optional`` one may be empty.

    Raises SpecError for content that does not fit and for query parameters, which a body takes
    the place of, and HTTPException for what is not JSON or does not come in time.
    """
    refuse_unknown(request, frozenset())
    raw = await _content_of(request)
    if not raw and optional:
        return validate(model, {}, "body")
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(
            text=f"The body must be application/json, not {request.content_type}."
        )
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise web.HTTPBadRequest(text=f"The body is not JSON: {error}.") from error
    # Every key has its colon, so that as many colons as keys leave none for a second one.
    if _keys_of(data) < raw.count(b":") and (twice := _key_twice(raw)):
        raise web.HTTPBadRequest(
            text=f"The body gives {twice} twice: leave one of them out, as only one can hold."
        )
    return validate(model, data, "body")


def _keys_of(data: object) -> int:
    number, rest = 0, [data]
    for value in rest:
        if isinstance(value, dict):
            number += len(value)
            rest += value.values()
        elif isinstance(value, list):
            rest += value
    return number


class _Members(list[tuple[str, object]]):
    """The members of an object, in their order."""


def _key_twice(raw: bytes) -> str | None:
    """The place of the first key that its object has already: ``task.slo.ttft``."""
    try:
        rest: list[tuple[Place, object]] = [
            ((), json.loads(raw, object_pairs_hook=_Members, parse_int=str))
        ]
    except RecursionError:
        raise web.HTTPBadRequest(text="The body is nested too deep.") from None
    for place, value in rest:
        if isinstance(value, _Members):
            seen: set[str] = set()
            for key, each in value:
                if key in seen:
                    return dotted((*place, key))
                seen.add(key)
                rest.append(((*place, key), each))
        elif isinstance(value, list):
            rest += [((*place, index), each) for index, each in enumerate(value)]
    return None


async def _content_of(request: web.Request) -> bytes:
    if request.content.is_eof():
        # Most bodies have come with their head, and need no watch on the time.
        return await _read(request)
    seconds = request.app[CONTEXT].settings.limits.body_timeout
    try:
        async with asyncio.timeout(seconds):
            return await _read(request)
    except TimeoutError as error:
        raise web.HTTPRequestTimeout(
            text=f"The body did not come within the {seconds:g} s that are allowed."
        ) from error


async def _read(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.RequestPayloadError as error:
        raise web.HTTPBadRequest(text="The body cannot be read: its encoding is broken.") from error


def read_seconds(request: web.Request, name: str, maximum: float) -> float:
    """A query parameter in seconds between 0 and ``maximum``; 0 where it is missing."""
    text = request.query.get(name, "0")
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= maximum:
        raise SpecError([f"{name}: {text!r} must be seconds between 0 and {maximum:g}"])
    return seconds


def read_limit(request: web.Request, default: int = 100, maximum: int = 1000) -> int:
    """The query parameter ``limit``."""
    text = request.query.get("limit", str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= maximum):
        raise SpecError([f"limit: {text!r} must be a whole number between 1 and {maximum}"])
    return int(text)


def refuse_unknown(request: web.Request, known: frozenset[str]) -> None:
    """Raise SpecError for query parameters that would silently do nothing."""
    if not request.rel_url.raw_query_string:
        return
    unknown = sorted(set(request.query) - known)
    if unknown:
        names = ", ".join(sorted(known)) or "none"
        raise SpecError([f"{name}: unknown parameter; known ones: {names}" for name in unknown])


def respond(document: BaseModel, status: int = 200) -> web.Response:
    """A document as JSON."""
    return respond_encoded(document.model_dump_json().encode(), status)


def respond_encoded(document: bytes, status: int = 200) -> web.Response:
    """A document that is JSON already."""
    return web.Response(body=document, status=status, content_type="application/json")
