"""The tables of the experiment store, and the ordered steps that lead to them."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from typing import Any, Final

import orjson
from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    Connection,
    Dialect,
    Double,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    bindparam,
    inspect,
    select,
)

from sloscore.errors import StoreError
from sloscore.experiments.model import Experiment, Phase, State

VERSION_TABLE: Final = "sloscore_schema"
_ROWS_AT_ONCE: Final = 200
# "sloscore" in ASCII.
_MIGRATION_LOCK: Final = 0x736C6F73636F7265


class _JsonText(TypeDecorator[Mapping[str, object]]):
    """A JSON object in a text column."""

    impl = Text
    cache_ok = True

    def process_bind_param(
        self, value: Mapping[str, object] | None, dialect: Dialect
    ) -> str | None:
        del dialect
        return None if value is None else orjson.dumps(dict(value)).decode()

    def process_result_value(
        self, value: str | None, dialect: Dialect
    ) -> Mapping[str, object] | None:
        del dialect
        if value is None:
            return None
        decoded: dict[str, object] = orjson.loads(value)
        return decoded


class _Text(TypeDecorator[str]):
    """Text of clients, which may hold a character that PostgreSQL has no place for."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or dialect.name == "sqlite":
            return value
        return value.replace("\0", "\ufffd")


class _StateText(TypeDecorator[State]):
    """A state in a text column."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: State | None, dialect: Dialect) -> str | None:
        del dialect
        return None if value is None else value.value

    def process_result_value(self, value: str | None, dialect: Dialect) -> State | None:
        del dialect
        return None if value is None else State(value)


class _PhasesText(TypeDecorator[tuple[Phase, ...]]):
    """Phases as a JSON list in a text column, which is null where there are none."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[Phase, ...] | None, dialect: Dialect) -> str | None:
        del dialect
        return orjson.dumps(value).decode() if value else None

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[Phase, ...]:
        del dialect
        return tuple(Phase(**phase) for phase in orjson.loads(value or "[]"))


_metadata = MetaData()

schema_version = Table(
    VERSION_TABLE,
    _metadata,
    Column("version", Integer, nullable=False),
    Column("migrated_at", Double, nullable=False),
    # How many services have joined those that share the database.
    Column("replicas", BigInteger, nullable=False),
)

replicas = Table(
    "replicas",
    _metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("expires", Double, nullable=False),
)

live_reports = Table(
    "live_reports",
    _metadata,
    Column("experiment", Text, primary_key=True),
    Column("report", Text, nullable=False),
    Column("counts", _JsonText),
)

experiments = Table(
    "experiments",
    _metadata,
    Column("id", _Text, primary_key=True),
    Column("task", _Text, nullable=False),
    Column("body", _JsonText, nullable=False),
    Column("body_digest", Text, nullable=False),
    Column("objective", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("state", _StateText, nullable=False),
    Column("start", Double, nullable=False),
    Column("end", Double),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("base_score", Double),
    Column("score", Double),
    Column("reason", _Text),
    Column("report", _JsonText),
    Column("scrapes", _JsonText),
    Column("counts", _JsonText),
    Column("penalty", Double),
    Column("requests", Double),
    Column("phases", _PhasesText),
    Column("holder", BigInteger),
)

FIELDS: Final = tuple(field.name for field in fields(Experiment))
# Without the counts, which are large and seldom asked for.
COLUMNS: Final = tuple(experiments.c[name] for name in FIELDS)


def figures_of(report: Mapping[str, Any] | None) -> dict[str, float | None]:
    """The columns of figures that a final report fills; None where it says nothing of one."""
    given = report or {}
    penalty, window = given.get("penalty"), given.get("window") or {}
    # Where no instance was seen, nobody knows how many requests there were.
    requests = window.get("requests") if window.get("instances") else None
    return {
        "penalty": None if penalty is None else float(penalty),
        "requests": None if requests is None else float(requests),
    }


def _fill_figures(connection: Connection) -> None:
    """Fill the columns of figures from the reports that are stored already."""
    table = experiments.c
    filled: dict[str, BindParameter[float]] = {name: bindparam(name) for name in figures_of(None)}
    change = experiments.update().where(table.id == bindparam("key")).values(**filled)
    last = ""
    while True:
        query = select(table.id, table.report).where(table.id > last, table.report.is_not(None))
        rows = connection.execute(query.order_by(table.id).limit(_ROWS_AT_ONCE)).all()
        if not rows:
            return
        changes = [{"key": key, **figures_of(report)} for key, report in rows]
        connection.execute(change, changes)
        last = rows[-1].id


# Written out, so that a step keeps its meaning when the tables above move on.
MIGRATIONS: Final[tuple[tuple[str | Callable[[Connection], None], ...], ...]] = (
    (
        """
        CREATE TABLE experiments (
            id TEXT NOT NULL PRIMARY KEY,
            task TEXT NOT NULL,
            body TEXT NOT NULL,
            body_digest TEXT NOT NULL,
            objective TEXT NOT NULL,
            direction TEXT NOT NULL,
            state TEXT NOT NULL,
            start DOUBLE PRECISION NOT NULL,
            "end" DOUBLE PRECISION,
            created_at DOUBLE PRECISION NOT NULL,
            updated_at DOUBLE PRECISION NOT NULL,
            base_score DOUBLE PRECISION,
            score DOUBLE PRECISION,
            reason TEXT,
            report TEXT
        )
        """,
        f"""
        CREATE TABLE {VERSION_TABLE} (
            version INTEGER NOT NULL,
            migrated_at DOUBLE PRECISION NOT NULL
        )
        """,
    ),
    (
        "CREATE INDEX experiments_by_age ON experiments (created_at DESC, id)",
        "CREATE INDEX experiments_by_task ON experiments (task, created_at DESC, id)",
        "CREATE INDEX experiments_by_state ON experiments (state, updated_at)",
    ),
    ("ALTER TABLE experiments ADD COLUMN scrapes TEXT",),
    # Counts a task's experiments without reading them, which takes seconds where there are many.
    ("CREATE INDEX experiments_by_outcome ON experiments (task, state)",),
    ("ALTER TABLE experiments ADD COLUMN counts TEXT",),
    (
        "ALTER TABLE experiments ADD COLUMN penalty DOUBLE PRECISION",
        "ALTER TABLE experiments ADD COLUMN requests DOUBLE PRECISION",
        _fill_figures,
        # Holds all that lists are sorted and filtered by, so that none reads the reports for it.
        """
        CREATE INDEX experiments_by_figures ON experiments
            (task, state, objective, score, penalty, requests, start, created_at, id)
        """,
    ),
    ("ALTER TABLE experiments ADD COLUMN phases TEXT",),
    # Services that share a PostgreSQL: which of them evaluates what, and what it shows.
    (
        "ALTER TABLE experiments ADD COLUMN holder BIGINT",
        f"ALTER TABLE {VERSION_TABLE} ADD COLUMN replicas BIGINT NOT NULL DEFAULT 0",
        """
        CREATE TABLE replicas (
            number BIGINT NOT NULL PRIMARY KEY,
            expires DOUBLE PRECISION NOT NULL
        )
        """,
        """
        CREATE TABLE live_reports (
            experiment TEXT NOT NULL PRIMARY KEY,
            report TEXT NOT NULL,
            counts TEXT
        )
        """,
    ),
)


def refuse_foreign(tables: Collection[str]) -> None:
    """Raise StoreError when a database holds ``tables`` but none of them is sloscore's."""
    if tables and VERSION_TABLE not in tables:
        raise StoreError(
            f"the database belongs to something else (it has the table {min(tables)!r} and no "
            f"{VERSION_TABLE!r}); give sloscore a database of its own"
        )


def refuse_newer(version: int) -> None:
    """Raise StoreError when this is no schema version that this release knows."""
    if version > len(MIGRATIONS):
        raise StoreError(
            f"the database has schema version {version} and this sloscore knows versions up to "
            f"{len(MIGRATIONS)}; run the newer sloscore that wrote it, or give another database"
        )


def current_version(connection: Connection) -> int:
    """Return the schema version of the database, 0 when it is empty.

    Raises StoreError when the database holds tables but none of sloscore's.
    """
    tables = inspect(connection).get_table_names()
    refuse_foreign(tables)
    if not tables:
        return 0
    version: int = connection.scalars(select(schema_version.c.version)).one()
    return version


def migrate_one_step(connection: Connection) -> bool:
    """Apply the next missing migration in the caller's transaction; False when none is missing.

    Raises StoreError when a newer sloscore wrote the database, or something else did.
    """
    if connection.dialect.name == "postgresql":
        # One service at a time, also where there is no table to lock yet.
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
    version = current_version(connection)
    refuse_newer(version)
    if version == len(MIGRATIONS):
        return False
    for statement in MIGRATIONS[version]:
        if isinstance(statement, str):
            connection.exec_driver_sql(statement)
        else:
            statement(connection)
    step = schema_version.insert() if version == 0 else schema_version.update()
    connection.execute(step.values(version=version + 1, migrated_at=time.time()))
    return True
