"""What the store says of whole tasks: experiments by state, and the newest one's registration."""

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sloscore.experiments.model import State, TaskTally
from sloscore.experiments.schema import experiments

# Databases bound the parameters of a statement.
_TASKS_PER_QUERY: Final = 500


async def read_tallies(connection: AsyncConnection, tasks: Collection[str]) -> dict[str, TaskTally]:
    """The tally of each of these tasks that has experiments."""
    names = list(dict.fromkeys(tasks))
    found: dict[str, TaskTally] = {}
    for position in range(0, len(names), _TASKS_PER_QUERY):
        found |= await _read(connection, names[position : position + _TASKS_PER_QUERY])
    return found


async def _read(connection: AsyncConnection, tasks: Sequence[str]) -> dict[str, TaskTally]:
    table = experiments.c
    states: dict[str, dict[State, int]] = {}
    counts = select(table.task, table.state, func.count()).where(table.task.in_(tasks))
    for task, state, count in await connection.execute(counts.group_by(table.task, table.state)):
        states.setdefault(task, {})[state] = count
    # One descent of the index for each task, not a pass over all of its experiments.
    named = select(table.task).where(table.task.in_(tasks)).distinct().subquery()
    one = experiments.alias()
    newest = (
        select(one.c.id)
        .where(one.c.task == named.c.task)
        .order_by(one.c.created_at.desc(), one.c.id)
        .limit(1)
        .correlate(named)
        .scalar_subquery()
    )
    bodies = select(table.task, table.body).where(table.id.in_(select(newest).select_from(named)))
    return {task: TaskTally(states[task], body) for task, body in await connection.execute(bodies)}
