"""Which of several services evaluates an experiment: leases in the database that they share.

A service that joins draws a number, higher than any before it, and keeps its row of `replicas` by
renewing it. An experiment's `holder` is the number of the one that evaluates it. Rows that expire,
by the database's clock, are removed; only then may others claim what such a number holds.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sloscore.experiments.database import Database
from sloscore.experiments.listing import read_some
from sloscore.experiments.model import FINAL, LIVE, Experiment
from sloscore.experiments.schema import experiments, live_reports, replicas, schema_version

_NOW: Final = func.extract("epoch", func.clock_timestamp())


@dataclass(frozen=True, slots=True)
class LiveReport:
    """The newest report of a running experiment as JSON, and the documents of its counts so far."""

    experiment: str
    report: str
    counts: Mapping[str, Any] | None


class Leases:
    """The leases of a PostgreSQL; every method raises StoreError when the database fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def join(self, seconds: float) -> int:
        """A new number, which holds for so many seconds."""
        table = schema_version.c
        async with self._database.writing() as connection:
            drawn = schema_version.update().values(replicas=table.replicas + 1)
            number: int = (await connection.execute(drawn.returning(table.replicas))).scalar_one()
            await connection.execute(
                replicas.insert().values(number=number, expires=_NOW + seconds)
            )
        return number

    async def renew(self, number: int, seconds: float) -> bool:
        """Let a number hold for so many seconds from now; False where it was removed meanwhile."""
        async with self._database.writing() as connection:
            this = replicas.update().where(replicas.c.number == number)
            renewed = await connection.execute(this.values(expires=_NOW + seconds))
        return renewed.rowcount == 1

    async def leave(self, number: int) -> None:
        """Let others claim at once what a number holds."""
        async with self._database.writing() as connection:
            await connection.execute(replicas.delete().where(replicas.c.number == number))

    async def numbers(self) -> list[int]:
        """The numbers that hold, the oldest first, once those that have expired are removed."""
        async with self._database.writing() as connection:
            expired = select(replicas.c.number).where(replicas.c.expires <= _NOW)
            # One that stopped within a transaction is removed once the database has ended that.
            free = expired.with_for_update(skip_locked=True)
            await connection.execute(replicas.delete().where(replicas.c.number.in_(free)))
            found = await connection.scalars(select(replicas.c.number).order_by(replicas.c.number))
            return list(found.all())

    async def orphans(self, ended_since: float) -> list[str]:
        """Experiments that no number holds: live ones, and those that ended after that time."""
        table = experiments.c
        wanted = or_(
            table.state.in_(LIVE), and_(table.state.in_(FINAL), table.updated_at > ended_since)
        )
        query = select(table.id).where(wanted, _is_orphan()).order_by(table.created_at, table.id)
        async with self._database.reading() as connection:
            return list((await connection.scalars(query)).all())

    async def claim(self, number: int, ids: Collection[str]) -> list[Experiment]:
        """Take those of these experiments that nobody holds by now; none for a removed number."""
        orphans = select(experiments.c.id).where(experiments.c.id.in_(ids), _is_orphan())
        free = orphans.with_for_update(skip_locked=True)
        change = experiments.update().where(experiments.c.id.in_(free))
        async with self._database.writing() as connection:
            if not await _holds(connection, number):
                return []
            claimed = await connection.scalars(
                change.values(holder=number).returning(experiments.c.id)
            )
            return await read_some(connection, claimed.all())

    async def held(self, number: int) -> dict[str, float]:
        """The live experiments of a number, and when each was changed last in Unix seconds."""
        table = experiments.c
        query = select(table.id, table.updated_at)
        async with self._database.reading() as connection:
            rows = await connection.execute(
                query.where(table.holder == number, table.state.in_(LIVE))
            )
            return {row.id: row.updated_at for row in rows}

    async def some(self, ids: Sequence[str]) -> list[Experiment]:
        """The experiments of these ids."""
        async with self._database.reading() as connection:
            return await read_some(connection, ids)

    async def ended(self, ids: Collection[str]) -> list[str]:
        """Those of these experiments that have ended."""
        query = select(experiments.c.id)
        async with self._database.reading() as connection:
            rows = await connection.scalars(
                query.where(experiments.c.id.in_(ids), experiments.c.state.in_(FINAL))
            )
            return list(rows.all())

    async def active_tasks(self, ended_since: float) -> list[str]:
        """Tasks with an experiment that is live, or that ended after that time."""
        table = experiments.c
        query = select(table.task).where(
            or_(table.state.in_(LIVE), and_(table.state.in_(FINAL), table.updated_at > ended_since))
        )
        async with self._database.reading() as connection:
            return list((await connection.scalars(query.distinct())).all())

    async def publish(self, number: int, reports: Sequence[LiveReport]) -> None:
        """Put these reports in the place of older ones; those of a removed number go nowhere."""
        # Services without leases start sooner without this dialect.
        from sqlalchemy.dialects.postgresql import insert  # noqa: PLC0415

        new = insert(live_reports)
        change = new.on_conflict_do_update(
            index_elements=[live_reports.c.experiment],
            set_={"report": new.excluded.report, "counts": new.excluded.counts},
        )
        rows = [
            {"experiment": one.experiment, "report": one.report, "counts": one.counts}
            for one in sorted(reports, key=lambda one: one.experiment)
        ]
        async with self._database.writing() as connection:
            if rows and await _holds(connection, number):
                await connection.execute(change, rows)

    async def published(self, ids: Sequence[str]) -> dict[str, LiveReport]:
        """The newest reports of those of these experiments that have some."""
        async with self._database.reading() as connection:
            rows = await connection.execute(
                select(live_reports).where(live_reports.c.experiment.in_(ids))
            )
            return {row.experiment: LiveReport(*row) for row in rows}

    async def clear(self) -> None:
        """Remove the reports of experiments that do not run any more."""
        ended = select(experiments.c.id).where(experiments.c.state.in_(FINAL))
        async with self._database.writing() as connection:
            await connection.execute(
                live_reports.delete().where(live_reports.c.experiment.in_(ended))
            )


def _is_orphan() -> ColumnElement[bool]:
    holder = experiments.c.holder
    return or_(holder.is_(None), holder.not_in(select(replicas.c.number)))


async def _holds(connection: AsyncConnection, number: int) -> bool:
    """Whether a number holds, and goes on to until the end of the transaction."""
    row = select(replicas.c.number).where(replicas.c.number == number)
    # Renewals go on meanwhile; whoever would remove the row waits.
    found = await connection.scalar(row.with_for_update(read=True, key_share=True))
    return found is not None
