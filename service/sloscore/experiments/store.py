"""Experiments in a database: every change is durable before it is reported."""

import math
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeAlias

from sqlalchemy import Select, func, select

from sloscore.errors import ConflictError
from sloscore.experiments.database import Database
from sloscore.experiments.first import read_first
from sloscore.experiments.kept import read_counts
from sloscore.experiments.leases import Leases
from sloscore.experiments.listing import (
    Listed,
    Selection,
    read_ids,
    read_list,
    read_ranks,
    read_some,
)
from sloscore.experiments.model import (
    FINAL,
    LIVE,
    OUTCOMES,
    Experiment,
    Phase,
    State,
    TaskTally,
)
from sloscore.experiments.paging import Page, read_page
from sloscore.experiments.phases import ended_phases
from sloscore.experiments.recorded import with_phase_samples
from sloscore.experiments.rows import (
    add_row,
    get_row,
    move_row,
    require_same_finish,
    try_row,
    unknown,
)
from sloscore.experiments.schema import (
    COLUMNS,
    experiments,
    figures_of,
)
from sloscore.experiments.tallies import read_tallies
from sloscore.wire import format_time

# The class has a method of this name.
_Experiments: TypeAlias = list[Experiment]
_ROWS_AT_ONCE = 100


class ExperimentStore:
    """All experiments, live and final.

    Every method raises StoreError when the database fails, and every method that takes an id
    raises ExperimentNotFoundError when it is unknown. Times are Unix seconds.
    """

    def __init__(self, database: Database) -> None:
        """Use ``database``, whose tables are up to date; `open` makes a store of a path."""
        self._database = database

    @classmethod
    async def open(
        cls, path_or_url: str | Path, password: Callable[[], str | None] = lambda: None
    ) -> Self:
        """Open the database, create what is missing and bring an older one up to date.

        ``password`` gives the one of a PostgreSQL each time that a connection is made. Raises
        StoreError when it cannot be used: no SQLite file, a newer sloscore's database, or
        something else's.
        """
        database = await Database.open(path_or_url, password)
        try:
            await database.migrate()
        except BaseException:
            await database.close()
            raise
        return cls(database)

    @property
    def leases(self) -> Leases:
        """Those of the services that share the store, which has to be a PostgreSQL."""
        return Leases(self._database)

    async def close(self) -> None:
        """Close every connection; the store cannot be used afterwards."""
        await self._database.close()

    @property
    def last_write_failed(self) -> bool:
        """Whether the store could not be written when it was tried last."""
        return self._database.last_write_failed

    async def check(self) -> None:
        """Raise StoreError when experiments cannot be read, or still not be written."""
        await self.count_by_state()
        if self.last_write_failed:
            async with self._database.writing() as connection:
                await try_row(connection)

    async def register(
        self, experiment: Experiment, max_live: int | None = None
    ) -> tuple[Experiment, bool]:
        """Record a new experiment, and return it with True.

        The one that is already recorded under this id is returned with False, if task and body
        are the same. Raises ConflictError if they are not, and LimitError when ``max_live``
        experiments are live already.
        """
        async with self._database.writing() as connection:
            return await add_row(connection, experiment, max_live)

    async def get(self, experiment_id: str) -> Experiment:
        """Return the experiment."""
        async with self._database.reading() as connection:
            return await get_row(connection, experiment_id)

    async def counts(self, experiment_id: str) -> Mapping[str, object] | None:
        """Return the documents of an ended experiment's counts, None where it has none."""
        column, key = experiments.c.counts, experiments.c.id
        async with self._database.reading() as connection:
            found = await connection.execute(select(column).where(key == experiment_id))
            row = found.one_or_none()
        if row is None:
            raise unknown(experiment_id)
        documents: Mapping[str, object] | None = row.counts
        return documents

    async def counts_of(self, ids: Sequence[str]) -> dict[str, Mapping[str, object]]:
        """Return the documents of the counts of those of these experiments that keep some."""
        async with self._database.reading() as connection:
            return await read_counts(connection, ids)

    async def finish(
        self,
        experiment_id: str,
        end: float | None,
        now: float,
        base_score: float | None = None,
        closing: Sequence[object] = (),
    ) -> Experiment:
        """Record the end of the load (None: ``now``): a running experiment starts to settle.

        ``closing`` holds the documents of samples that were taken at the end.

        May be repeated; None contradicts nothing then. Raises ConflictError for an aborted
        experiment and for another end or base score than the recorded one, and ValueError for an
        end before the start and for NaN.
        """
        if base_score is not None and math.isnan(base_score):
            raise ValueError("base_score: NaN is no score; give a number, or leave it out")
        if end is not None and not math.isfinite(end):
            raise ValueError(f"end: {end} is no time; give finite Unix seconds")
        async with self._database.writing() as connection:
            stored = await get_row(connection, experiment_id, for_update=True)
            ends = now if end is None and stored.state is State.RUNNING else end
            if ends is not None and ends < stored.start:
                raise ValueError(
                    f"end: {format_time(ends)} is before the start of {experiment_id!r} at "
                    f"{format_time(stored.start)}; give a time at or after it"
                )
            changes: dict[str, object] = {"end": ends, "base_score": base_score}
            if ends is not None:
                changes["phases"] = ended_phases(stored.phases, ends)
            if closing:
                changes["scrapes"] = {**(stored.scrapes or {}), "end": closing}
            if await move_row(connection, experiment_id, State.SETTLING, now, changes):
                return await get_row(connection, experiment_id)
            stored = await get_row(connection, experiment_id)
        require_same_finish(stored, end, base_score)
        return stored

    async def mark(
        self,
        experiment_id: str,
        change: Callable[[Experiment], tuple[Phase, ...]],
        now: float,
        samples: Sequence[object] = (),
    ) -> Experiment:
        """Record what ``change`` makes of an experiment's phases, and raise what it raises.

        ``samples`` holds the documents of samples that were taken at a phase's bound.
        """
        async with self._database.writing() as connection:
            stored = await get_row(connection, experiment_id, for_update=True)
            phases = change(stored)
            if phases != stored.phases:
                changes: dict[str, object] = {"phases": phases, "updated_at": now}
                if samples:
                    changes["scrapes"] = with_phase_samples(stored.scrapes, samples)
                this = experiments.c.id == experiment_id
                await connection.execute(experiments.update().where(this).values(changes))
            return await get_row(connection, experiment_id)

    async def abort(self, experiment_id: str, reason: str, now: float) -> Experiment:
        """Give up a live experiment; an aborted one is returned as it is.

        Raises ConflictError for an experiment that is scored, failed or without data.
        """
        async with self._database.writing() as connection:
            await move_row(connection, experiment_id, State.ABORTED, now, {"reason": reason})
            stored = await get_row(connection, experiment_id)
        if stored.state is not State.ABORTED:
            raise ConflictError(
                f"experiment {experiment_id!r} is already {stored.state} and cannot be aborted"
            )
        return stored

    async def finalize(  # noqa: PLR0913, PLR0917  an outcome is durable as a whole
        self,
        experiment_id: str,
        state: State,
        report: Mapping[str, object] | None,
        score: float | None,
        now: float,
        counts: Mapping[str, object] | None = None,
        holder: int | None = None,
    ) -> Experiment:
        """Make a live experiment scored, failed or no_data; the first one to do so wins.

        ``counts`` holds the documents of what was counted in its window. A ``holder`` that holds it
        no more changes nothing: the experiment is returned as it is.

        An experiment that is final already (aborted ones too) is returned as it is. Raises
        ValueError for another state and for a NaN score.
        """
        if state not in OUTCOMES:
            raise ValueError(f"state: {state} is no outcome; give one of {_names(OUTCOMES)}")
        if score is not None and math.isnan(score):
            raise ValueError(
                "score: NaN is no score; give a number or an infinity, or leave it out"
            )
        async with self._database.writing() as connection:
            final = {"report": report, "score": score, "counts": counts}
            changes = {**final, **figures_of(report)}
            await move_row(connection, experiment_id, state, now, changes, holder)
            return await get_row(connection, experiment_id)

    async def live(self) -> _Experiments:
        """Return all running and settling experiments, oldest first."""
        return await self._select(
            select(*COLUMNS)
            .where(experiments.c.state.in_(LIVE))
            .order_by(experiments.c.created_at, experiments.c.id)
        )

    async def final_since(self, time: float) -> _Experiments:
        """Return the experiments that became final after ``time``, in that order."""
        return await self._select(
            select(*COLUMNS)
            .where(experiments.c.state.in_(FINAL), experiments.c.updated_at > time)
            .order_by(experiments.c.updated_at, experiments.c.id)
        )

    async def first_of_task(self, task: str) -> str | None:
        """Return the id of the task's oldest experiment that is not aborted or without data."""
        async with self._database.reading() as connection:
            return await read_first(connection, task)

    async def task_experiments(self, task: str, limit: int = 1000) -> _Experiments:
        """Return the newest ``limit`` experiments of the task, newest first."""
        return (await self.list(task=task, limit=limit)).items

    async def tasks(self) -> dict[str, int]:
        """Return the number of experiments of each task."""
        counts = select(experiments.c.task, func.count()).group_by(experiments.c.task)
        async with self._database.reading() as connection:
            rows = await connection.execute(counts.order_by(experiments.c.task))
            return {task: count for task, count in rows}  # noqa: C416 - rows are no tuples to mypy

    async def tallies(self, tasks: Collection[str]) -> dict[str, TaskTally]:
        """Return the tally of each of these tasks that has experiments."""
        async with self._database.reading() as connection:
            return await read_tallies(connection, tasks)

    async def count_by_state(self) -> dict[State, int]:
        """Return the number of experiments in each state, zeros included."""
        counts = select(experiments.c.state, func.count()).group_by(experiments.c.state)
        async with self._database.reading() as connection:
            found = {state: count for state, count in await connection.execute(counts)}  # noqa: C416 - as above
        return {state: found.get(state, 0) for state in State}

    async def list(
        self,
        task: str | None = None,
        state: State | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page:
        """Return one page of at most ``limit`` experiments, newest first.

        Raises ValueError for a limit below 1 and for a cursor that no page gave.
        """
        async with self._database.reading() as connection:
            return await read_page(connection, task, state, limit, cursor)

    async def listed(self, selection: Selection, limit: int, offset: int = 0) -> Listed:
        """Return at most ``limit`` experiments of the selection after the first ``offset``."""
        async with self._database.reading() as connection:
            return await read_list(connection, selection, limit, offset)

    async def rank(self, experiment: Experiment) -> int | None:
        """Return its place among the scored ones of its task and objective, 1 for the best."""
        async with self._database.reading() as connection:
            return (await read_ranks(connection, [experiment])).get(experiment.id)

    async def all_of(self, selection: Selection) -> AsyncIterator[_Experiments]:
        """Give all experiments of the selection in its order, some at a time.

        Whoever takes them may be slow, so no connection is held meanwhile.
        """
        async with self._database.reading() as connection:
            ids = await read_ids(connection, selection)
        for position in range(0, len(ids), _ROWS_AT_ONCE):
            async with self._database.reading() as connection:
                some = await read_some(connection, ids[position : position + _ROWS_AT_ONCE])
            yield some

    async def _select(self, query: Select[Any]) -> _Experiments:
        async with self._database.reading() as connection:
            return [Experiment(**row) for row in (await connection.execute(query)).mappings()]


def _names(states: frozenset[State]) -> str:
    return ", ".join(sorted(states))
