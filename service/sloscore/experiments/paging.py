"""Pages of experiments, newest first, that stay in place while experiments are added."""

import base64
import binascii
import math
from dataclasses import dataclass

import orjson

from sloscore.experiments.model import Experiment


@dataclass(frozen=True, slots=True)
class Page:
    """Some experiments, and the cursor of the next page (None on the last one)."""

    items: list[Experiment]
    next_cursor: str | None


def encode_cursor(last: Experiment) -> str:
    """Return the URL-safe cursor of the page that follows ``last``."""
    place = orjson.dumps([last.created_at, last.id])
    return base64.urlsafe_b64encode(place).rstrip(b"=").decode()


def decode_cursor(cursor: str) -> tuple[float, str]:
    """Return ``created_at`` and id of the experiment that the page follows.

    Raises ValueError for text that is no cursor.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        place = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeEncodeError, binascii.Error, orjson.JSONDecodeError):
        place = None
    match place:
        case [float() | int() as created_at, str() as experiment_id] if not isinstance(
            created_at, bool
        ) and math.isfinite(created_at):
            return float(created_at), experiment_id
        case _:
            raise ValueError(
                f"cursor: {cursor[:80]!r} is no cursor; give the next_cursor of the page before, "
                "or none for the first page"
            )
