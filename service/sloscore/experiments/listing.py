"""Lists of experiments for people: selected, sorted and ranked by the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sloscore.core.objective import Direction
from sloscore.experiments.model import Experiment, State
from sloscore.experiments.schema import COLUMNS, experiments

_TABLE: Final = experiments.c


class Order(StrEnum):
    """What a list is sorted by; what an experiment does not have yet comes last."""

    START = "start"
    TASK = "task"
    ID = "experiment"
    STATE = "state"
    REQUESTS = "requests"
    PENALTY = "penalty"
    SCORE = "score"


_SORTED_BY: Final[Mapping[Order, ColumnElement[Any]]] = {
    Order.START: _TABLE.start,
    Order.TASK: _TABLE.task,
    Order.ID: _TABLE.id,
    Order.STATE: _TABLE.state,
    Order.REQUESTS: _TABLE.requests,
    Order.PENALTY: _TABLE.penalty,
    Order.SCORE: _TABLE.score,
}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which experiments, and their order; None selects all tasks and all states."""

    task: str | None = None
    states: frozenset[State] | None = None
    order: Order = Order.START
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Listed:
    """Some experiments of a selection in its order, and how many it has by state.

    ``ranks`` holds the places of those that are scored, 1 for the best, among the scored ones of
    the same task and objective.
    """

    experiments: tuple[Experiment, ...]
    ranks: Mapping[str, int]
    states: Mapping[State, int]

    @property
    def total(self) -> int:
        """How many experiments the whole selection has."""
        return sum(self.states.values())


async def read_list(
    connection: AsyncConnection, selection: Selection, limit: int, offset: int
) -> Listed:
    """At most ``limit`` experiments of the selection after the first ``offset``."""
    counts = _chosen(select(_TABLE.state, func.count()), selection).group_by(_TABLE.state)
    states = {state: count for state, count in await connection.execute(counts)}  # noqa: C416 - rows are no tuples to mypy
    # The ids come from an index alone; only what is shown is read as a whole.
    page = await connection.scalars(_sorted_ids(selection).limit(limit).offset(offset))
    found = await read_some(connection, page.all())
    return Listed(tuple(found), await read_ranks(connection, found), states)


async def read_ids(connection: AsyncConnection, selection: Selection) -> Sequence[str]:
    """The ids of all experiments of the selection, in its order."""
    return (await connection.scalars(_sorted_ids(selection))).all()


async def read_some(connection: AsyncConnection, ids: Sequence[str]) -> list[Experiment]:
    """The experiments of these ids, in this order."""
    rows = await connection.execute(select(*COLUMNS).where(_TABLE.id.in_(ids)))
    found = {row["id"]: Experiment(**row) for row in rows.mappings()}
    return [found[key] for key in ids if key in found]


async def read_ranks(connection: AsyncConnection, shown: Sequence[Experiment]) -> dict[str, int]:
    """The places of those that are scored, as ``Listed`` has them."""
    scored = [one.id for one in shown if one.state is State.SCORED and one.score is not None]
    other = experiments.alias()
    better = (
        select(func.count())
        .select_from(other)
        .where(
            other.c.task == _TABLE.task,
            other.c.state == State.SCORED,
            other.c.objective == _TABLE.objective,
        )
        .correlate(experiments)
    )
    # Written apart, so that each is a range of the index.
    higher = better.where(other.c.score > _TABLE.score).scalar_subquery()
    lower = better.where(other.c.score < _TABLE.score).scalar_subquery()
    number = case((_TABLE.direction == Direction.MAXIMIZE, higher), else_=lower)
    rows = await connection.execute(select(_TABLE.id, number).where(_TABLE.id.in_(scored)))
    return {key: 1 + better for key, better in rows}


def _sorted_ids(selection: Selection) -> Select[Any]:
    column = _SORTED_BY[selection.order]
    order = (column.desc() if selection.descending else column.asc()).nulls_last()
    return _chosen(select(_TABLE.id), selection).order_by(
        order, _TABLE.created_at.desc(), _TABLE.id
    )


def _chosen(query: Select[Any], selection: Selection) -> Select[Any]:
    if selection.task is not None:
        query = query.where(_TABLE.task == selection.task)
    if selection.states is not None:
        query = query.where(_TABLE.state.in_(selection.states))
    return query
