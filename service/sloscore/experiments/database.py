"""A database, its transactions, and its failures as sentences."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from sloscore.errors import StoreError
from sloscore.experiments.schema import migrate_one_step
from sloscore.experiments.sqlite import WRITES, cause, create_sqlite_engine, prepare_file


class Database:
    """Read and write transactions on one database; failures of it become StoreError."""

    def __init__(self, engine: AsyncEngine, place: str) -> None:
        """Use ``engine``, which is called ``place`` in messages."""
        self._engine = engine
        self._writer = engine.execution_options(**{WRITES: True})
        self._place = place
        # In one process writers queue here, in order, and not at the database's busy timeout.
        self._write_lock = asyncio.Lock()
        self.last_write_failed = False

    @classmethod
    async def open(cls, path_or_url: str | Path) -> Self:
        """Reach the database at an SQLite file's path, or at an SQLAlchemy URL.

        Raises StoreError when it is no file that SQLite can read and write.
        """
        if isinstance(path_or_url, str) and "://" in path_or_url:
            try:
                url = make_url(path_or_url)
                if url.get_backend_name() != "sqlite":
                    return cls(create_async_engine(url), url.render_as_string(hide_password=True))
            except (ArgumentError, SQLAlchemyError, ImportError) as error:
                # The URL is not quoted, because it may hold a password.
                raise StoreError(
                    f"the database's URL cannot be used ({type(error).__name__}); write it like "
                    "sqlite:////var/lib/sloscore/experiments.db"
                ) from error
            path_or_url = url.database or ":memory:"
        path = str(path_or_url)
        if not path or path.startswith((":memory:", "file:")):
            raise StoreError(
                f"the database {path!r} is no path of a file; experiments must outlive the process"
            )
        await asyncio.to_thread(prepare_file, Path(path))
        return cls(create_sqlite_engine(Path(path)), path)

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
        await self._engine.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection on one consistent state of the database."""
        try:
            async with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._failure("read", error) from error

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection in a write transaction, committed durably when the block succeeds."""
        try:
            async with self._write_lock, self._writer.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            self.last_write_failed = True
            raise self._failure("written", error) from error
        self.last_write_failed = False

    def _failure(self, verb: str, error: SQLAlchemyError) -> StoreError:
        found = error.orig if isinstance(error, DBAPIError) else error
        reason = cause(self._place, found or error)
        return StoreError(f"the database {self._place} cannot be {verb}: {reason}")
