"""``sloscore db``: stores that are sound, damaged, older and newer, with and without a service."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.command import Ended, sloscore
from tests.integration.bad_disk import overwrite
from tests.integration.service import Api, serving, settings, task_of
from tests.integration.test_store_files import VERSION_1

from sloscore.errors import StoreError
from sloscore.experiments.lock import held
from sloscore.experiments.schema import MIGRATIONS
from sloscore.experiments.upkeep import snapshot

LATEST = len(MIGRATIONS)
TASK = task_of(selector={"instance": "x"}, description="é", parameters={"rate": 0.1, "big": 1e22})


async def fill(api: Api) -> None:
    """An experiment that runs, one that is called off, and one that ends without data."""
    for name in ("running", "aborted", "ended"):
        answer = await api.register(name, TASK)
        assert answer.status == 201, answer
    await api.abort("aborted", reason="enough")
    await api.finish("ended", base_score=1e16)
    await api.final("ended")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that a service has left."""
    place = tmp_path_factory.mktemp("filled")

    async def serve() -> None:
        async with serving(settings(place, evaluation={"source_wait": "300ms"})) as api:
            await fill(api)

    asyncio.run(serve())
    return place / "sloscore.db"


@pytest.fixture
def store(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(filled, tmp_path / "sloscore.db"))


@pytest.fixture
def older(tmp_path: Path) -> Path:
    path = tmp_path / "sloscore.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_1)
    return path


def change(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement, values)


def ids(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [key for (key,) in connection.execute("SELECT id FROM experiments ORDER BY id")]


def files(place: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in place.iterdir()}


def db(command: str, path: Path, *arguments: str) -> Ended:
    return sloscore("db", command, "--store", str(path), *arguments)


def check_refused(ended: Ended, *words: str) -> None:
    assert (ended.code, ended.err.count("\n")) == (1, 1), ended
    for word in ("sloscore: ", *words):
        assert word in ended.err


def test_a_sound_store_is_said_to_be_and_keeps_every_byte(store: Path) -> None:
    before = files(store.parent)
    ended = db("check", store)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        f"{store}: schema version {LATEST}",
        "experiments: 3 (1 aborted, 1 no_data, 1 running)",
        "file: sound",
        "content: this release can read all of it",
    ]
    assert files(store.parent) == before


def test_the_store_is_that_of_the_services_settings(store: Path, tmp_path: Path) -> None:
    config = tmp_path / "sloscore.yaml"
    config.write_text(f"store:\n  path: {store}\n", encoding="utf-8")
    ended = sloscore("db", "check", "--config", str(config))
    assert (ended.code, ended.out.startswith(f"{store}: ")) == (0, True)


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("SET body = json_set(body, '$.task.task_name', 'x')", "body: its SHA-256 is "),
        ("SET body = '{'", "body: unexpected end of data"),
        ("SET body = x'ff'", "body: "),
        ("SET state = 'lost'", "state: 'lost' is not a valid State"),
        ("SET report = NULL", "state: it is no_data and has no report"),
        ("SET report = json_set(report, '$.slis', 5)", "report: slis: Input should be"),
        ("SET report = '[]'", "report: "),
        ("SET scrapes = '{\"start\":[{}]}'", "scrapes: has no 'instance'"),
        ("SET counts = '{\"window\":{}}'", "counts: has no 'histograms'"),
        ("SET phases = '[{\"from\":1}]'", "phases: "),
    ],
)
def test_an_experiment_that_cannot_be_read_is_named(
    store: Path, statement: str, sentence: str
) -> None:
    change(store, f"UPDATE experiments {statement} WHERE id = 'ended'")
    ended = db("check", store)
    *_, found, line = ended.out.splitlines()
    assert (ended.code, found) == (10, "content: 1 found")
    assert line.startswith(f"  ended: {sentence}")


@pytest.mark.parametrize("name", ["experiments", "experiments_by_age"])
def test_a_damaged_file_is_told_and_not_copied(store: Path, name: str) -> None:
    overwrite(store, name)
    ended = db("check", store)
    assert (ended.code, ended.err) == (11, "")
    assert "file: sound" not in ended.out
    copied = store.with_name("copy.db")
    check_refused(db("backup", store, str(copied)), "the database is damaged", "db check")
    assert [file.name for file in store.parent.iterdir()] == ["sloscore.db"]


def test_an_older_store_is_checked_as_it_is(older: Path) -> None:
    before = files(older.parent)
    ended = db("check", older)
    lines = ended.out.splitlines()
    version = f"schema version 1 of {LATEST}; `sloscore db migrate` upgrades it"
    assert (ended.code, lines[0]) == (10, f"{older}: {version}")
    assert [line.split(": ")[1] for line in lines[-2:]] == ["body", "report"]
    assert files(older.parent) == before


@pytest.mark.parametrize(
    ("command", "arguments"), [("check", ()), ("backup", ("copy.db",)), ("migrate", ())]
)
def test_what_is_no_store_of_this_release_is_refused_and_kept(
    store: Path, command: str, arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = store.parent
    monkeypatch.chdir(place)
    change(store, "UPDATE sloscore_schema SET version = 99")
    text, empty, foreign = place / "notes.txt", place / "empty.db", place / "photos.db"
    text.write_text("These are notes, not a database.\n" * 100)
    empty.touch()
    change(foreign, "CREATE TABLE photos (name TEXT)")
    before = files(place)
    for path, words in (
        (store, f"has schema version 99 and this sloscore knows versions up to {LATEST}"),
        (text, "cannot be read: file is not a database"),
        (empty, "the database is empty: no service has used it yet"),
        (foreign, "belongs to something else (it has the table 'photos'"),
        (place / "none.db", "there is no database "),
        (place, "there is no database "),
    ):
        check_refused(db(command, path, *arguments), str(path), words)
    assert files(place) == before


def test_a_copy_is_a_store_of_its_owner_alone(store: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copy.db"
    ended = db("backup", store, str(copied))
    size = copied.stat().st_size
    assert (ended.code, ended.out) == (0, f"{copied}: a sound copy of {store}, {size} bytes\n")
    assert copied.stat().st_mode & 0o777 == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == ["copy.db", "sloscore.db"]
    assert db("check", copied).out.splitlines()[1:] == db("check", store).out.splitlines()[1:]


def test_a_copy_replaces_nothing_unless_it_is_forced_to(store: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copy.db"
    copied.write_text("precious")
    check_refused(db("backup", store, str(copied)), f"{copied}: is there already; --force")
    assert copied.read_text() == "precious"
    assert db("backup", store, str(copied), "--force").code == 0
    assert ids(copied) == ids(store)


@pytest.mark.parametrize(
    ("dest", "words"),
    [
        ("sloscore.db", "is the store itself"),
        (".", "is a directory"),
        ("none/copy.db", "there is no directory"),
        ("used.db", "used.db-wal beside it belongs to a database that is in use"),
    ],
)
def test_a_place_where_no_copy_may_be_is_refused(store: Path, dest: str, words: str) -> None:
    store.with_name("used.db-wal").write_bytes(b"pages")
    before = files(store.parent)
    check_refused(db("backup", store, str(store.parent / dest), "--force"), words)
    assert files(store.parent) == before


def test_a_copy_that_does_not_fit_leaves_nothing(store: Path) -> None:
    copied = store.with_name("copy.db")
    change(store, "UPDATE experiments SET reason = ?", "x" * 50_000)
    before = files(store.parent)
    # In kilobytes.
    command = ('ulimit -f 8; exec "$@"', "sh", sys.executable, "-m", "sloscore", "db", "backup",
               "--store", str(store), str(copied))  # fmt: skip
    ended = subprocess.run(["bash", "-c", *command], capture_output=True, text=True, check=False)
    check_refused(Ended(ended.returncode, ended.stdout, ended.stderr), "cannot be copied")
    assert files(store.parent) == before


def test_a_store_that_a_service_takes_up_meanwhile_is_not_read_half(store: Path) -> None:
    with (
        pytest.raises(StoreError, match=r"a service began to use the database .* try again"),
        snapshot(store),
    ):
        change(store, "UPDATE experiments SET reason = 'new'")


async def test_check_and_copy_work_beside_a_service_that_writes(tmp_path: Path) -> None:
    path, copied = tmp_path / "sloscore.db", tmp_path / "copy.db"
    async with serving(settings(tmp_path, evaluation={"source_wait": "300ms"})) as api:
        await fill(api)
        at_work = asyncio.Event()

        async def register() -> list[int]:
            """Until the copy is there, and then one more at least."""
            statuses: list[int] = []
            is_after = False
            while not is_after or len(statuses) < 10:
                is_after = copied.exists()
                name = f"more-{len(statuses)}"
                answer = await api.register(name, TASK)
                statuses.append(answer.status)
                at_work.set()
            return statuses

        registering = asyncio.create_task(register())
        await at_work.wait()
        backup, check = [
            await asyncio.to_thread(subprocess.run, command, capture_output=True, check=False)
            for command in (
                (sys.executable, "-m", "sloscore", "db", "backup", "--store", path, copied),
                (sys.executable, "-m", "sloscore", "db", "check", "--store", path),
            )
        ]
        statuses = await registering
        assert set(statuses) == {201}
        assert (backup.returncode, check.returncode) == (0, 0), (backup, check)
        report = await api.score("ended")
    kept = ids(copied)
    assert {"running", "aborted", "ended", "more-0"} <= set(kept) < set(ids(path))
    assert db("check", copied).code == 0
    # As a store of its own, beside nothing of the old one.
    restored = tmp_path / "restored" / "sloscore.db"
    restored.parent.mkdir()
    copied.rename(restored)
    async with serving(settings(restored.parent)) as api:
        assert await api.score("ended") == report
        assert (await api.show("running"))["state"] == "running"


def test_an_older_store_is_upgraded_and_kept_as_it_was(older: Path) -> None:
    ended = db("migrate", older)
    assert (ended.code, ended.err) == (0, "")
    first, second = ended.out.splitlines()
    kept = Path(first.removesuffix(": a copy of the store as it was"))
    assert kept.name.startswith("sloscore.db.v1-")
    assert second == f"{older}: upgraded from schema version 1 to {LATEST}"
    assert db("check", kept).out.startswith(f"{kept}: schema version 1 of")
    assert db("check", older).out.startswith(f"{older}: schema version {LATEST}\n")
    again = db("migrate", older)
    assert (again.code, again.out) == (
        0,
        f"{older}: schema version {LATEST}, which is up to date\n",
    )


def test_an_upgrade_keeps_no_copy_where_none_is_wanted(older: Path) -> None:
    assert db("migrate", older, "--no-backup").code == 0
    assert {file.name for file in older.parent.iterdir()} == {"sloscore.db", "sloscore.db.lock"}


def test_a_store_is_not_upgraded_under_a_service(older: Path) -> None:
    with held(older):
        before = files(older.parent)
        check_refused(db("migrate", older), "is in use by another service")
        assert files(older.parent) == before
