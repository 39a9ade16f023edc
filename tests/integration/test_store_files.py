"""The files that the store opens, creates, brings up to date and refuses."""

import asyncio
import math
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from sloscore.errors import StoreError
from sloscore.experiments import schema
from sloscore.experiments.model import Experiment, State, new_experiment
from sloscore.experiments.store import ExperimentStore

# A file as the first version wrote it; it never changes.
VERSION_1 = """
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
);
CREATE TABLE sloscore_schema (version INTEGER NOT NULL, migrated_at DOUBLE PRECISION NOT NULL);
INSERT INTO sloscore_schema VALUES (1, 1700000000.0);
INSERT INTO experiments VALUES (
    'old', 'chat', '{"id":"old"}', 'abc', 'minimize_ttft', 'minimize', 'scored',
    100.0, 160.0, 101.0, 170.0, 0.25, 0.5, NULL, '{"penalty":0.25}'
);
"""


@contextmanager
def sqlite(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def indexes(path: Path) -> set[str]:
    with sqlite(path) as connection:
        query = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        return {name for (name,) in connection.execute(query)}


def version(path: Path) -> list[tuple[int]]:
    with sqlite(path) as connection:
        return connection.execute("SELECT version FROM sloscore_schema").fetchall()


def names_in(directory: Path) -> list[str]:
    return [file.name for file in directory.iterdir()]


def trial(name: str = "trial") -> Experiment:
    return new_experiment(name, "chat", {"id": name}, "minimize_ttft", "minimize", 1.0, 2.0)


async def open_and_close(path: Path | str) -> None:
    await (await ExperimentStore.open(path)).close()


async def test_a_new_file_and_its_directory_are_their_owners_only(tmp_path: Path) -> None:
    path = tmp_path / "state" / "experiments.db"
    old_umask = os.umask(0)
    try:
        store = await ExperimentStore.open(path)
        await store.register(trial())
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        await store.close()
    finally:
        os.umask(old_umask)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert modes == {
        "experiments.db": 0o600,
        "experiments.db-wal": 0o600,
        "experiments.db-shm": 0o600,
    }


async def test_experiments_are_there_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "experiments.db"
    store = await ExperimentStore.open(path)
    await store.register(trial())
    aborted = await store.abort("trial", "not needed", 3.0)
    await store.close()
    again = await ExperimentStore.open(path)
    assert await again.get("trial") == aborted
    await again.close()


async def test_a_closed_store_leaves_one_file(tmp_path: Path) -> None:
    await open_and_close(tmp_path / "experiments.db")
    assert names_in(tmp_path) == ["experiments.db"]


@pytest.mark.parametrize("name", ["with space.db", "what?.db", "100%23#.db", "é.db"])
async def test_a_path_is_taken_as_it_is(tmp_path: Path, name: str) -> None:
    await open_and_close(str(tmp_path / name))
    assert names_in(tmp_path) == [name]


async def test_a_url_of_sqlite_names_a_file(tmp_path: Path) -> None:
    await open_and_close(f"sqlite:///{tmp_path}/experiments.db")
    assert version(tmp_path / "experiments.db") == [(len(schema.MIGRATIONS),)]


async def test_every_connection_is_durable_and_waits_for_writers(tmp_path: Path) -> None:
    store = await ExperimentStore.open(tmp_path / "experiments.db")
    async with store._database.reading() as one, store._database.reading() as two:
        for connection in (one, two):
            values = [
                (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
                for name in ("journal_mode", "synchronous", "busy_timeout")
            ]
            assert values == ["wal", 2, 5000]
    await store.close()


@pytest.mark.parametrize("path", ["", ":memory:", "sqlite://", "file:x?mode=memory"])
async def test_a_database_in_memory_is_refused(path: str) -> None:
    with pytest.raises(StoreError, match="is no path of a file"):
        await ExperimentStore.open(path)


@pytest.mark.parametrize("url", ["nosuchthing://user:hunter2@host/db", "://hunter2"])
async def test_an_unusable_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(StoreError, match="the database's URL cannot be used") as caught:
        await ExperimentStore.open(url)
    assert "hunter2" not in str(caught.value)


async def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    text = "These are notes, not a database.\n" * 100
    path.write_text(text)
    with pytest.raises(StoreError, match=r"notes\.txt is not an SQLite database"):
        await ExperimentStore.open(path)
    assert path.read_text() == text


async def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "experiments.db"
    await open_and_close(path)
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 2000)
    with pytest.raises(StoreError, match=r"experiments\.db"):
        await ExperimentStore.open(path)


async def test_a_page_damaged_later_is_a_sentence_too(tmp_path: Path) -> None:
    path = tmp_path / "experiments.db"
    store = await ExperimentStore.open(path)
    for number in range(50):
        await store.register(trial(f"trial-{number}"))
    await store.close()
    with sqlite(path) as connection:
        [(page,)] = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'experiments'"
        ).fetchall()
        [(size,)] = connection.execute("PRAGMA page_size").fetchall()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    store = await ExperimentStore.open(path)
    with pytest.raises(StoreError, match=r"cannot be read: .*malformed"):
        await store.list()
    await store.close()


async def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened: Is a directory"):
        await ExperimentStore.open(tmp_path)


async def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot be opened: .*give the path of a file"):
        await ExperimentStore.open(tmp_path / "file" / "experiments.db")


async def test_the_database_of_something_else_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "photos.db"
    with sqlite(path) as connection:
        connection.execute("CREATE TABLE photos (name TEXT)")
    content = path.read_bytes()
    with pytest.raises(StoreError, match=r"photos\.db: .*belongs to something else"):
        await ExperimentStore.open(path)
    assert path.read_bytes() == content
    assert names_in(tmp_path) == ["photos.db"]


async def test_the_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "experiments.db"
    await open_and_close(path)
    with sqlite(path) as connection:
        connection.execute("UPDATE sloscore_schema SET version = 99")
    with pytest.raises(StoreError, match="schema version 99 and this sloscore knows versions up"):
        await ExperimentStore.open(path)
    assert version(path) == [(99,)]


async def test_a_file_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "experiments.db"
    with sqlite(path) as connection:
        connection.executescript(VERSION_1)
    store = await ExperimentStore.open(path)
    old = await store.get("old")
    assert await store.counts("old") is None
    await store.register(trial("new"))
    await store.close()
    assert (old.state, old.score, old.report) == (State.SCORED, 0.5, {"penalty": 0.25})
    assert (old.scrapes, old.phases) == (None, ())
    assert version(path) == [(len(schema.MIGRATIONS),)]
    assert (old.penalty, old.requests) == (0.25, None)
    kinds = ("age", "task", "state", "outcome", "figures")
    assert indexes(path) == {f"experiments_by_{kind}" for kind in kinds}


async def test_figures_are_filled_from_all_reports_of_an_older_file(tmp_path: Path) -> None:
    path = tmp_path / "experiments.db"
    report = '{"penalty":"Infinity","window":{"requests":%d,"instances":1}}'
    copied = """
        INSERT INTO experiments SELECT ?, task, body, body_digest, objective, direction, state,
            start, "end", created_at, updated_at, base_score, score, reason, ?
        FROM experiments WHERE id = 'old'
    """
    with sqlite(path) as connection:
        connection.executescript(VERSION_1)
        rows = [(f"trial-{number}", report % number) for number in range(450)]
        connection.executemany(copied, [*rows, ("without", None)])
    await open_and_close(path)
    with sqlite(path) as connection:
        found = connection.execute("SELECT id, penalty, requests FROM experiments").fetchall()
    expected = {(f"trial-{number}", math.inf, number) for number in range(450)}
    assert set(found) == {*expected, ("old", 0.25, None), ("without", None, None)}


async def test_an_upgraded_file_has_the_tables_of_a_new_one(tmp_path: Path) -> None:
    with sqlite(tmp_path / "old.db") as connection:
        connection.executescript(VERSION_1)
    described = []
    for name in ("old.db", "new.db"):
        await open_and_close(tmp_path / name)
        with sqlite(tmp_path / name) as connection:
            described.append(
                [
                    connection.execute(f"PRAGMA table_info({table})").fetchall()
                    for table in ("experiments", "sloscore_schema")
                ]
                + [sorted(indexes(tmp_path / name))]
            )
    assert described[0] == described[1]


async def test_the_steps_lead_to_the_columns_that_the_store_uses(tmp_path: Path) -> None:
    path = tmp_path / "experiments.db"
    await open_and_close(path)
    with sqlite(path) as connection:
        rows = connection.execute("PRAGMA table_info(experiments)").fetchall()
    migrated = {name: bool(not_null) for _, name, _, not_null, _, _ in rows}
    assert migrated == {column.name: not column.nullable for column in schema.experiments.columns}


async def test_a_step_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "experiments.db"
    broken = (*schema.MIGRATIONS, ("CREATE TABLE half (x INTEGER)", "CREATE NONSENSE"))
    monkeypatch.setattr(schema, "MIGRATIONS", broken)
    with pytest.raises(StoreError, match="NONSENSE"):
        await ExperimentStore.open(path)
    assert version(path) == [(len(broken) - 1,)]
    with sqlite(path) as connection:
        assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'half'").fetchall()


async def test_many_can_open_a_new_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "experiments.db"
    stores = await asyncio.gather(*(ExperimentStore.open(path) for _ in range(8)))
    for number, store in enumerate(stores):
        await store.register(trial(f"trial-{number}"))
    assert await stores[0].tasks() == {"chat": 8}
    for store in stores:
        await store.close()
    assert version(path) == [(len(schema.MIGRATIONS),)]


async def test_a_new_file_that_another_process_writes_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "experiments.db"
    with sqlite(path) as other:
        other.execute("BEGIN IMMEDIATE")
        opening = asyncio.create_task(ExperimentStore.open(path))
        await asyncio.wait({opening}, timeout=0.2)
        assert not opening.done()
        other.execute("ROLLBACK")
        await (await opening).close()
    assert version(path) == [(len(schema.MIGRATIONS),)]
