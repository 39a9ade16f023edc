"""A database, its transactions, and its failures as sentences."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Self

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sloscore.errors import StoreError
from sloscore.experiments.postgres import create_postgres_engine, postgres_url
from sloscore.experiments.schema import migrate_one_step
from sloscore.experiments.sqlite import cause, create_sqlite_engine, prepare_file


class Database:
    """Read and write transactions on one database; failures of it become StoreError."""

    def __init__(
        self,
        reader: AsyncEngine,
        writer: AsyncEngine,
        place: str,
        turn: AbstractAsyncContextManager[object],
    ) -> None:
        """Use these engines on a database called ``place`` in messages; writers take ``turn``."""
        self._reader = reader
        self._writer = writer
        self._place = place
        self._turn = turn
        self.last_write_failed = False

    @classmethod
    async def open(
        cls, path_or_url: str | Path, password: Callable[[], str | None] = lambda: None
    ) -> Self:
        """Reach the database at an SQLite file's path, or at a URL.

        ``password`` gives the one of a PostgreSQL. Raises StoreError when it is no file that SQLite
        can read and write, and for a URL that cannot be used.
        """
        path = str(path_or_url)
        if "://" in path:
            if not path.startswith("sqlite:"):
                return cls._at(path, password)
            path = make_url(path).database or ":memory:"
        if not path or path.startswith((":memory:", "file:")):
            raise StoreError(
                f"the database {path!r} is no path of a file; experiments must outlive the process"
            )
        await asyncio.to_thread(prepare_file, Path(path))
        # A writer of its own connection waits for no reader. In one process writers queue here, in
        # order, and not at the database's busy timeout.
        reader, writer = (create_sqlite_engine(Path(path), writes=w) for w in (False, True))
        return cls(reader, writer, path, asyncio.Lock())

    @classmethod
    def _at(cls, text: str, password: Callable[[], str | None]) -> Self:
        try:
            url = postgres_url(text)
        except ValueError as error:
            # The URL is not quoted, because it may hold a password.
            raise StoreError(f"the database's URL cannot be used: {error}") from error
        reader = create_postgres_engine(url, password, writes=False)
        writer = create_postgres_engine(url, password, writes=True)
        return cls(reader, writer, url.render_as_string(hide_password=True), nullcontext())

    async def migrate(self) -> None:
        """Bring the tables up to date, each step in a transaction of its own.

        Raises StoreError when a newer sloscore wrote the database, or something else did.
        """
        migrating = True
        while migrating:
            async with self.writing() as connection:
                try:
                    migrating = await connection.run_sync(migrate_one_step)
                except StoreError as error:
                    raise StoreError(f"{self._place}: {error}") from error

    async def close(self) -> None:
        """Close every connection."""
        await self._reader.dispose()
        await self._writer.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection on one consistent state of the database."""
        try:
            async with self._reader.connect() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            raise self._failure("read", error) from error

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection in a write transaction, committed durably when the block succeeds."""
        try:
            async with self._turn, self._writer.begin() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            self.last_write_failed = True
            raise self._failure("written", error) from error
        self.last_write_failed = False

    def _failure(self, verb: str, error: SQLAlchemyError | OSError) -> StoreError:
        found: BaseException = (error.orig or error) if isinstance(error, DBAPIError) else error
        # What SQLAlchemy makes of a driver's error begins with the name of a class.
        reason = cause(self._place, found.__cause__ or found)
        return StoreError(f"the database {self._place} cannot be {verb}: {reason}")
