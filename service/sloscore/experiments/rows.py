"""One row of the store: add it, read it, move it on by its state, and refuse what contradicts it."""

from collections.abc import Mapping

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sloscore.errors import ConflictError, ExperimentNotFoundError, LimitError
from sloscore.experiments.model import LIVE, Experiment, State, new_experiment, sources_of
from sloscore.experiments.schema import COLUMNS, FIELDS, experiments, schema_version
from sloscore.wire import format_time


def _row_of(experiment: Experiment) -> dict[str, object]:
    return {name: getattr(experiment, name) for name in FIELDS}


# No registration has this id. It is as large as a small one, and in every index.
_TRIAL = _row_of(new_experiment("", "", {"": "x" * 4096}, "", "", 0.0, 0.0))


async def try_row(connection: AsyncConnection) -> None:
    """Write a row and take it away, in one transaction, so that nobody ever sees it."""
    await connection.execute(experiments.insert().values(_TRIAL))
    await connection.execute(experiments.delete().where(experiments.c.id == ""))


async def add_row(
    connection: AsyncConnection, experiment: Experiment, max_live: int | None
) -> tuple[Experiment, bool]:
    """The recorded experiment and True, or the same one that was there before and False.

    Raises ConflictError where that one has another task or body, and LimitError where ``max_live``
    experiments are live already.
    """
    # One registration at a time, also in a database that has row locks only.
    await connection.execute(select(schema_version).with_for_update())
    known = await find_row(connection, experiment.id)
    if known is not None:
        if (known.task, known.body_digest) != (experiment.task, experiment.body_digest):
            raise ConflictError(
                f"experiment {experiment.id!r} is already registered with another body; "
                "repeat the same body, or choose another id"
            )
        return known, False
    if max_live is not None:
        live = await connection.scalar(select(func.count()).where(experiments.c.state.in_(LIVE)))
        if (live or 0) >= max_live:
            raise LimitError(
                f"as many experiments are live as may be, {max_live} "
                "(limits.max_live_experiments); finish or abort one first"
            )
    await connection.execute(experiments.insert().values(_row_of(experiment)))
    return experiment, True


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
