"""The first experiment of a task that has something to show."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from sloscore.experiments.model import State
from sloscore.experiments.schema import experiments

_NOTHING_TO_SHOW = (State.ABORTED, State.NO_DATA)


async def read_first(connection: AsyncConnection, task: str) -> str | None:
    """Id of the oldest experiment of the task that is neither aborted nor without data, if any.

    One that still runs may yet turn out to be either.
    """
    table = experiments.c
    query = (
        select(table.id)
        .where(table.task == task, table.state.not_in(_NOTHING_TO_SHOW))
        # The index of a task's experiments, backwards.
        .order_by(table.created_at, table.id.desc())
        .limit(1)
    )
    found: str | None = await connection.scalar(query)
    return found
