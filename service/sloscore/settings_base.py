"""What all settings are made of: a strict model, durations such as 1h30m, URLs without secrets."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

_DURATION_UNITS = {
    "y": 31_536_000.0,
    "w": 604_800.0,
    "d": 86_400.0,
    "h": 3_600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 0.001,
}
_DURATION = re.compile(r"(?:\d+(?:ms|[ywdhms]))+")
_DURATION_PART = re.compile(r"(\d+)(ms|[ywdhms])")
_SECONDS = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


class SettingsModel(BaseModel):
    """Base of all settings: unknown keys are refused, and errors never quote what was given."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def parse_duration(value: object) -> object:
    """Seconds of a Prometheus style duration ("30s", "1h30m") or of a number as text ("30").

    Anything but text is left as it is.

    Raises ValueError for text that is no duration.
    """
    if not isinstance(value, str):
        return value
    if _SECONDS.fullmatch(value):
        return float(value)
    if not _DURATION.fullmatch(value):
        raise ValueError(f'{value!r} is no duration: write it like "30s", "5m" or "1h30m"')
    return sum(float(n) * _DURATION_UNITS[unit] for n, unit in _DURATION_PART.findall(value))


def duration_schema(**bound: float) -> WithJsonSchema:
    """The JSON schema of a duration, as a number of seconds within a bound or as text."""
    text = r"^(?=.*[1-9])((\d+(ms|[ywdhms]))+|\d+(\.\d+)?)$"
    return WithJsonSchema(
        {"anyOf": [{"type": "number", **bound}, {"type": "string", "pattern": text}]}
    )


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    Field(gt=0, allow_inf_nan=False),
    duration_schema(exclusiveMinimum=0),
]


def plain_url(url: str) -> str:
    """The URL without a slash at its end; raises ValueError unless it is plain http or https."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        parts.port  # noqa: B018  reading the port is what checks it
    except ValueError as error:
        raise ValueError(f"this is no URL: {error}") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            "the URL must not hold credentials, which end up in logs; "
            "those for Prometheus go to basic_auth or bearer_token_file"
        )
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError('the URL must look like "http://host:9090" or "https://host/prefix"')
    if parts.query or parts.fragment:
        raise ValueError("the URL must end with its path: leave out what follows ? or #")
    return url.rstrip("/")


PlainUrl = Annotated[str, AfterValidator(plain_url)]


def database_url(url: str) -> str:
    """The URL of a PostgreSQL database; raises ValueError for another one, or with a password."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  as above
    except ValueError as error:
        raise ValueError(f"this is no URL: {error}") from None
    if parts.scheme != "postgresql" or not parts.path.strip("/"):
        raise ValueError('the URL must look like "postgresql://sloscore@db.example.org/sloscore"')
    if parts.password is not None:
        raise ValueError(
            "the URL must not hold the password, which ends up in logs: it goes to "
            "password_file, or SLOSCORE_STORE_PASSWORD"
        )
    return url
