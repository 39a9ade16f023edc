"""A PostgreSQL database: how it is reached, and its transactions."""

import ipaddress
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from sloscore.errors import StoreError

if TYPE_CHECKING:
    import asyncpg

DIALECT: Final = "postgresql"
_CONNECT_SECONDS: Final = 5
_STATEMENT_SECONDS: Final = 30
# A process that is paused within a transaction keeps its locks for so long.
_IDLE_MILLISECONDS: Final = "2000"
_LIKE: Final = "postgresql://sloscore@db.example.org:5432/sloscore"
_OPTIONS: Final = frozenset({"host", "ssl"})


def postgres_url(text: str) -> URL:
    """The URL of a PostgreSQL database; raises ValueError for another one, or unknown options."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError(f"it is none; write it like {_LIKE}") from None
    if url.drivername != DIALECT:
        raise ValueError(f"only PostgreSQL has one here; write it like {_LIKE}")
    if unknown := sorted(set(url.query) - _OPTIONS):
        raise ValueError(f"it has the unknown option {unknown[0]!r}; it may have host and ssl")
    return url


def create_postgres_engine(
    url: URL, password: Callable[[], str | None], *, writes: bool
) -> AsyncEngine:
    """An engine on the database; without ``writes`` each transaction is one state of it, to read.

    ``password`` is asked for each connection. Raises StoreError where the driver is missing.
    """
    try:
        import asyncpg  # noqa: PLC0415  of an extra: only who has such a database needs it
    except ImportError:
        raise StoreError(
            "a store on PostgreSQL needs asyncpg: pip install 'sloscore[postgres]'"
        ) from None

    async def connect() -> "asyncpg.Connection":
        try:
            return await asyncpg.connect(
                host=_host(url),
                port=url.port or 5432,
                user=url.username,
                password=password(),
                database=url.database,
                ssl=_tls(url),
                timeout=_CONNECT_SECONDS,
                command_timeout=_STATEMENT_SECONDS,
                server_settings={
                    "application_name": "sloscore",
                    "idle_in_transaction_session_timeout": _IDLE_MILLISECONDS,
                },
            )
        except (asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
            # As all else that keeps a connection from being made.
            raise ConnectionError(str(error)) from error

    return create_async_engine(
        f"{DIALECT}+asyncpg://",
        async_creator=connect,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED" if writes else "REPEATABLE READ",
    )


def _host(url: URL) -> str | None:
    # A directory of sockets has no place before the path of a URL.
    host = url.query.get("host")
    return str(host) if host else url.host


def _tls(url: URL) -> ssl.SSLContext | str:
    wanted = url.query.get("ssl")
    if wanted:
        return str(wanted)
    return "prefer" if _is_here(_host(url)) else ssl.create_default_context()


def _is_here(host: str | None) -> bool:
    if host is None or host == "localhost" or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
