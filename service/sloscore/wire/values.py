"""Times, numbers, ids and addresses as the HTTP API writes them."""

import math
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

# The year 10000, in Unix seconds.
_END_OF_TIME = 253402300800


def parse_time(value: object) -> float:
    """Unix seconds of a Unix time or of an RFC 3339 text, to the millisecond.

    Raises ValueError for anything else.
    """
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise ValueError(f'{value!r} is no time: write "2026-01-31T12:00:00Z" or Unix seconds')
        seconds = moment.timestamp()
        # Rounding may take the last of them into the year 10000.
        if not 0 <= to_milliseconds(seconds) < _END_OF_TIME:
            raise ValueError(f"{value!r} lies outside of the years 1970 to 9999")
        return to_milliseconds(seconds)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError('a time is written "2026-01-31T12:00:00Z" or as Unix seconds')  # noqa: TRY004  pydantic turns only ValueError into a message
    if not (0 <= value < _END_OF_TIME and to_milliseconds(value) < _END_OF_TIME):
        raise ValueError(f"{value} is no Unix time in seconds up to the year 9999")
    return to_milliseconds(value)


def to_milliseconds(seconds: float) -> float:
    """A time as the API can say it, so that what was answered can be sent back."""
    return round(float(seconds), 3)


def format_time(seconds: float) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(to_milliseconds(seconds), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_number(value: float) -> float | str:
    """A number as JSON can hold it: infinities by name."""
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


Time = Annotated[
    float,
    BeforeValidator(parse_time),
    PlainSerializer(format_time, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "number", "minimum": 0, "exclusiveMaximum": _END_OF_TIME},
            ]
        }
    ),
]
Number = Annotated[
    float,
    PlainSerializer(json_number, return_type=float | str, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"enum": ["Infinity", "-Infinity"]}]}),
]


def _check_target(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, user = parts.hostname, parts.username
        parts.port  # noqa: B018  reading the port is what checks it
    except ValueError as error:
        raise ValueError(f"is no URL: {error}") from None
    if user is not None:
        raise ValueError("must not hold credentials, which end up in logs and in the store")
    is_plain = url.isascii() and url.isprintable()
    if parts.scheme not in {"http", "https"} or not host or not is_plain:
        raise ValueError(f'{url!a} is no URL like "http://10.0.0.5:8000/metrics"')
    return url


TargetUrl = Annotated[str, Field(max_length=2048), AfterValidator(_check_target)]
Base = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]


class Document(BaseModel):
    """Base of all documents: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
