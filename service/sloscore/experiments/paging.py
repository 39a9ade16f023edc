"""Pages of experiments, newest first, that stay in place while experiments are added."""

import base64
import binascii
import math
from dataclasses import dataclass

import orjson
from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sloscore.experiments.model import Experiment, State
from sloscore.experiments.schema import COLUMNS, experiments


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


async def read_page(
    connection: AsyncConnection,
    task: str | None,
    state: State | None,
    limit: int,
    cursor: str | None,
) -> Page:
    """The page of at most ``limit`` experiments that the cursor leads to; None leads to the first.

    Raises ValueError for a limit below 1 and for a cursor that no page gave.
    """
    if limit < 1:
        raise ValueError(f"limit: {limit} is too small; give at least 1")
    table = experiments.c
    query = select(*COLUMNS).order_by(table.created_at.desc(), table.id).limit(limit + 1)
    if task is not None:
        query = query.where(table.task == task)
    if state is not None:
        query = query.where(table.state == state)
    if cursor is not None:
        created_at, last_id = decode_cursor(cursor)
        query = query.where(
            or_(
                table.created_at < created_at,
                and_(table.created_at == created_at, table.id > last_id),
            )
        )
    found = [Experiment(**row) for row in (await connection.execute(query)).mappings()]
    items = found[:limit]
    return Page(items, encode_cursor(items[-1]) if len(found) > limit else None)
