"""The calls of a tuner, described once for the synchronous and the asynchronous client.

Nothing here does input or output: a ``Call`` says what to send, ``read`` what the answer means, and
``Attempts`` whether and when to try again. Every call may be repeated: the service answers the same.
"""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from sloscore.client.errors import ServiceFailed, ServiceUnreachable, refusal

_API: Final = "/api/v1/experiments"
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
LONGEST_POLL: Final = 30.0
"""Seconds that one request waits for a final score; the service allows at least these."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request: its path below the service's URL, and its JSON body if it is a POST."""

    path: str
    body: Mapping[str, Any] | None = None

    @property
    def method(self) -> str:
        """POST with a body, GET without."""
        return "GET" if self.body is None else "POST"

    @property
    def content(self) -> bytes | None:
        """The body as it is sent."""
        return None if self.body is None else json.dumps(self.body, allow_nan=False).encode()


@dataclass(frozen=True, slots=True)
class Registration:
    """An experiment to register; what is None is left to the task or to the service."""

    id: str
    task: Mapping[str, Any]
    selector: Mapping[str, str] | None = None
    server: str | None = None
    target: str | None = None
    scrape_interval: str | None = None
    start: float | None = None
    baseline: str | None = None
    gpus: int | None = None

    def call(self) -> Call:
        """POST /api/v1/experiments."""
        given = {name: getattr(self, name) for name in self.__slots__}
        return Call(_API, {name: value for name, value in given.items() if value is not None})


def require_running(document: Mapping[str, Any]) -> None:
    """Raise Conflict where a registration answered an experiment whose load has ended already."""
    state = document.get("state")
    if state != "running":
        message = f"{document.get('id')} is already {state}: choose another id"
        raise refusal(409, message, ())


def task_of(
    task: str | Mapping[str, Any], slo: Mapping[str, Any] | None, objective: str | None
) -> dict[str, Any]:
    """The task document of a task's name or document, with its SLOs and objective if given."""
    document: dict[str, Any] = {"task_name": task} if isinstance(task, str) else dict(task)
    if slo is not None:
        document["slo"] = slo
    if objective is not None:
        optimization = document.get("optimization") or {}
        document["optimization"] = {**optimization, "objective": objective}
    return document


def finish(experiment: str, end: float | None = None, base_score: float | None = None) -> Call:
    """POST /api/v1/experiments/{id}/finish."""
    given = {"end": end, "base_score": base_score}
    body = {name: value for name, value in given.items() if value is not None}
    return Call(f"{_API}/{quote(experiment, safe='')}/finish", body)


def start_phase(experiment: str, name: str, start: float | None = None) -> Call:
    """POST /api/v1/experiments/{id}/phases."""
    body = {"name": name} if start is None else {"name": name, "start": start}
    return Call(f"{_API}/{quote(experiment, safe='')}/phases", body)


def end_phase(experiment: str, name: str, end: float | None = None) -> Call:
    """POST /api/v1/experiments/{id}/phases/end."""
    body = {"name": name} if end is None else {"name": name, "end": end}
    return Call(f"{_API}/{quote(experiment, safe='')}/phases/end", body)


def abort(experiment: str, reason: str) -> Call:
    """POST /api/v1/experiments/{id}/abort."""
    return Call(f"{_API}/{quote(experiment, safe='')}/abort", {"reason": reason[:1000]})


def score(experiment: str, wait: float = 0.0) -> Call:
    """GET /api/v1/experiments/{id}/score, waiting up to ``wait`` seconds for the end."""
    query = f"?wait={wait:.3f}" if wait > 0 else ""
    return Call(f"{_API}/{quote(experiment, safe='')}/score{query}")


def counts(experiment: str) -> Call:
    """GET /api/v1/experiments/{id}/counts."""
    return Call(f"{_API}/{quote(experiment, safe='')}/counts")


def rescore(task: str, change: Mapping[str, Any]) -> Call:
    """POST /api/v1/rescore; ``change`` holds ``slo`` or ``set``, and perhaps ``limit``."""
    return Call("/api/v1/rescore", {"task": task, **change})


def headers(token: str | None) -> dict[str, str]:
    """The headers of every request."""
    base = {"Content-Type": "application/json", "Accept": "application/json"}
    return base if token is None else {**base, "Authorization": f"Bearer {token}"}


def read(status: int, content: bytes) -> dict[str, Any]:
    """The document of a successful answer.

    Raises RequestRefused for an answer of 4xx, and ServiceFailed for everything else.
    """
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if 200 <= status < 300 and isinstance(document, dict):
        return document
    problem = document if isinstance(document, dict) else {}
    detail = str(problem.get("detail") or f"HTTP {status} without an explanation")
    if 400 <= status < 500:
        raise refusal(status, detail, tuple(map(str, problem.get("errors") or ())))
    raise ServiceFailed(f"the service answered HTTP {status}: {detail}")


class Attempts:
    """How often one call is tried: again after a lost connection and after an answer of 5xx."""

    def __init__(self, retries: int) -> None:
        self._left = retries
        self._pause = _FIRST_PAUSE

    def after(self, error: Exception, url: str) -> float:
        """Seconds to wait before the next try; raises where that was the last one."""
        if self._left <= 0:
            if isinstance(error, ServiceFailed):
                raise error
            raise ServiceUnreachable(
                f"no answer from {url}: {_reason(error)}; is the service running, is the address right?"
            ) from error
        self._left -= 1
        pause, self._pause = self._pause, min(2 * self._pause, _LONGEST_PAUSE)
        # Many tuners that lost the same service must not all come back at once.
        return pause * random.uniform(0.5, 1.0)  # noqa: S311  nothing to guess


def _reason(error: Exception) -> str:
    """What the operating system says, without the words that a library puts round it."""
    cause = getattr(error, "os_error", None) or getattr(error, "reason", None) or error
    said = getattr(cause, "strerror", None) or str(cause)
    return said or type(cause).__name__
