"""Which metric engine answers, by what it says of its build."""

import re
from dataclasses import dataclass
from typing import Any

import orjson

from sloscore.advice.findings import Check, Finding, info, ok
from sloscore.errors import SourceError
from sloscore.sources.transport import Transport

BUILD_INFO = "/api/v1/status/buildinfo"
# The oldest release that the tests run on.
_OLDEST = (2, 42)
_LONGEST = 80
_VERSION = re.compile(r"v?(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine's name and version, each None where it does not say."""

    name: str | None = None
    version: str | None = None

    def __str__(self) -> str:
        return " ".join(part for part in (self.name, self.version) if part)


async def ask_engine(transport: Transport) -> Engine:
    """The engine that answers; one that hides its build is nameless, as behind some proxies."""
    try:
        body = await transport.get(BUILD_INFO)
    except SourceError:
        return Engine()
    return read_engine(body)


def read_engine(body: bytes) -> Engine:
    """The engine of an answer to ``/api/v1/status/buildinfo``.

    Mimir and its like name themselves as ``application``. Prometheus says what it was built with.
    VictoriaMetrics claims a version of Prometheus and nothing else.
    """
    try:
        answer: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Engine()
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict):
        return Engine()
    version = _text(data.get("version"))
    if name := _text(data.get("application")):
        return Engine(name, version)
    if version is None:
        return Engine()
    if set(data) == {"version"}:
        return Engine("VictoriaMetrics")
    # Thanos says the same of its build as Prometheus does, and begins at 0.
    return Engine("Thanos" if version.startswith("0.") else "Prometheus", version)


def check_engine(engine: Engine, url: str) -> Finding:
    """Which engine it is, and whether it is older than what sloscore is tested on."""
    if engine.name is None:
        return info(Check.ENGINE, f"{url} answers queries and does not say which engine it is.")
    version = _VERSION.match(engine.version or "")
    if engine.name == "Prometheus" and version and tuple(map(int, version.groups())) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        return info(
            Check.ENGINE,
            f"{engine} answers at {url}.",
            f"sloscore is tested on Prometheus {oldest} and later.",
        )
    return ok(Check.ENGINE, f"{engine} answers at {url}.")


def _text(value: object) -> str | None:
    return value[:_LONGEST] if isinstance(value, str) and value.isprintable() and value else None
