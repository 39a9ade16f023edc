"""The counts that ended experiments keep of their windows, some experiments at a time."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from sloscore.experiments.schema import experiments

# Databases bound the parameters of a statement.
_IDS_PER_QUERY: Final = 500


async def read_counts(
    connection: AsyncConnection, ids: Sequence[str]
) -> dict[str, Mapping[str, object]]:
    """The documents of the counts by id, of those that keep some."""
    table = experiments.c
    found: dict[str, Mapping[str, object]] = {}
    for position in range(0, len(ids), _IDS_PER_QUERY):
        some = ids[position : position + _IDS_PER_QUERY]
        query = select(table.id, table.counts).where(table.id.in_(some), table.counts.is_not(None))
        found |= {key: counts for key, counts in await connection.execute(query)}  # noqa: C416 - rows are no tuples to mypy
    return found
