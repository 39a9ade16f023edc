"""One row of the store: read it, move it on by its state, and refuse what contradicts it."""

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from sloscore.errors import ConflictError, ExperimentNotFoundError
from sloscore.experiments.model import Experiment, State, sources_of
from sloscore.experiments.schema import COLUMNS, experiments
from sloscore.wire import format_time


async def find_row(
    connection: AsyncConnection, experiment_id: str, *, for_update: bool = False
) -> Experiment | None:
    """The experiment, or None; ``for_update`` keeps other writers away from it until the commit."""
    query = select(*COLUMNS).where(experiments.c.id == experiment_id)
    found = await connection.execute(query.with_for_update() if for_update else query)
    row = found.mappings().one_or_none()
    return None if row is None else Experiment(**row)


async def get_row(
    connection: AsyncConnection, experiment_id: str, *, for_update: bool = False
) -> Experiment:
    """The experiment; raises ExperimentNotFoundError."""
    found = await find_row(connection, experiment_id, for_update=for_update)
    if found is None:
        raise unknown(experiment_id)
    return found


def unknown(experiment_id: str) -> ExperimentNotFoundError:
    """The error for an id that nobody has registered."""
    return ExperimentNotFoundError(
        f"experiment {experiment_id!r} is not registered; register it first"
    )


async def move_row(  # noqa: PLR0913, PLR0917  a change is made of these
    connection: AsyncConnection,
    experiment_id: str,
    target: State,
    now: float,
    changes: Mapping[str, object],
    holder: int | None = None,
) -> bool:
    """Whether the experiment was in a state that ``target`` may follow, and so is there now.

    With a ``holder`` it moves only while that one holds it.
    """
    this = [experiments.c.id == experiment_id, experiments.c.state.in_(sources_of(target))]
    if holder is not None:
        this.append(experiments.c.holder == holder)
    change = experiments.update().where(*this).values(state=target, updated_at=now, **changes)
    moved = await connection.execute(change)
    return moved.rowcount == 1


def require_same_finish(stored: Experiment, end: float | None, base_score: float | None) -> None:
    """Raise ConflictError where a repeated finish contradicts the recorded one."""
    if stored.state is State.ABORTED:
        raise ConflictError(f"experiment {stored.id!r} is aborted and cannot be finished")
    for name, given, recorded, said in (
        ("end", end, stored.end, format_time),
        ("base_score", base_score, stored.base_score, str),
    ):
        if given is not None and given != recorded:
            raise ConflictError(
                f"{name}: experiment {stored.id!r} is already {stored.state} with "
                f"{'none' if recorded is None else said(recorded)}, not {said(given)}; leave "
                f"{name} out, or repeat the recorded one"
            )
