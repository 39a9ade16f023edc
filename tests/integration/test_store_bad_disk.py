"""A service whose disk is full, whose file is damaged or held by another: told, and recovered from."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.command import running, sloscore
from tests.integration.bad_disk import fill, no_room, overwrite, remount, small_disk
from tests.integration.processes import started
from tests.integration.service import (
    EXPERIMENTS,
    PROBLEM,
    Answer,
    Api,
    Json,
    serving,
    settings,
    task_of,
    unix,
    until,
)

from sloscore.experiments import sqlite

TASK = task_of(selector={"instance": "x"})
# Without Prometheus the service is ready as soon as its store is.
ALONE: Json = {"prometheus": {"enabled": False}}
TARGET = {"target": "http://127.0.0.1:1/metrics"}
FAILED = 'sloscore_evaluation_errors_total{kind="store"}'


async def gauge(api: Api, series: str) -> float:
    """The value of a series of the service's own, 0 where it has none."""
    answer = await api.get("/metrics")
    assert answer.status == 200, answer
    found = [line for line in answer.text.splitlines() if line.startswith(f"{series} ")]
    return float(found[0].split()[-1]) if found else 0.0


def check_unavailable(answer: Answer, words: str) -> None:
    assert (answer.status, answer.type) == (503, PROBLEM), answer
    assert words in answer.json["detail"]


async def check_writes_refused(api: Api, words: str) -> None:
    """Every change is refused with the reason, is not made, and the service is not ready."""
    check_unavailable(await api.register("two", TASK, **TARGET), words)
    check_unavailable(await api.finish("one"), words)
    check_unavailable(await api.abort("one"), words)
    check_unavailable(await api.post(f"{EXPERIMENTS}/one/phases", {"name": "c=1"}), words)
    check_unavailable(await api.get("/-/ready"), words)
    # What was recorded can still be read.
    one = await api.show("one")
    assert (one["state"], one["end"], one["phases"]) == ("running", None, [])
    assert (await api.get(f"{EXPERIMENTS}/two")).status == 404
    assert await gauge(api, "sloscore_store_up") == 0
    assert (await api.get("/-/healthy")).status == 200


async def check_recovered(api: Api) -> None:
    """Ready before anything else is written, and everything can be."""
    answer = await api.get("/-/ready")
    assert answer.status == 200, answer
    assert await gauge(api, "sloscore_store_up") == 1
    assert (await api.register("two", TASK, **TARGET)).status == 201
    assert (await api.abort("one", reason="enough")).json["state"] == "aborted"


def is_sound(path: Path) -> None:
    ended = sloscore("db", "check", "--store", str(path))
    assert ended.code == 0, ended
    assert "experiments: 2 (1 aborted, 1 running)" in ended.out


async def test_a_disk_without_room_is_told_and_recovered_from(tmp_path: Path) -> None:
    async with started(tmp_path, None) as (process, api):
        assert (await api.register("one", TASK, **TARGET)).status == 201
        with no_room(process.pid):
            await check_writes_refused(api, "cannot be written: disk I/O error")
        await check_recovered(api)
    is_sound(tmp_path / "sloscore.db")


async def test_a_full_file_system_is_told_and_recovered_from(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        async with serving(settings(disk, **ALONE)) as api:
            assert (await api.register("one", TASK, **TARGET)).status == 201
            filler = fill(disk)
            await check_writes_refused(api, "cannot be written: database or disk is full")
            filler.unlink()
            await check_recovered(api)
        is_sound(disk / "sloscore.db")


async def test_a_service_does_not_start_on_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        async with serving(settings(disk, **ALONE)) as api:
            await api.register("one", TASK, **TARGET)
        filler = fill(disk)
        assert sloscore("db", "check", "--store", str(disk / "sloscore.db")).code == 0
        async with running("serve", "--port", "0", "--store", str(disk / "sloscore.db")) as process:
            ended = await process.end()
        assert (ended.code, ended.out) == (1, "")
        assert ended.err.endswith(
            "sloscore.db cannot be opened: disk I/O error; the disk may be full: 0 bytes are free in "
            f"{disk} for sloscore.db, sloscore.db-wal and sloscore.db-shm\n"
        )
        filler.unlink()
        async with serving(settings(disk, **ALONE)) as api:
            assert (await api.show("one"))["state"] == "running"


async def test_a_read_only_disk_is_refused_at_the_start_but_checked_and_copied_from(
    tmp_path: Path,
) -> None:
    copied = tmp_path / "copy.db"
    with small_disk(tmp_path / "disk") as disk:
        store = str(disk / "sloscore.db")
        async with serving(settings(disk, **ALONE)) as api:
            await api.register("one", TASK, **TARGET)
        remount(disk, "ro")
        async with running("serve", "--port", "0", "--store", store) as process:
            refused = await process.end()
        assert (refused.code, refused.err.count("\n")) == (1, 1), refused
        assert "Read-only file system; give the path of a file" in refused.err
        assert sloscore("db", "check", "--store", store).code == 0
        assert sloscore("db", "backup", "--store", store, str(copied)).code == 0
        unwritten = sloscore("db", "backup", "--store", store, f"{disk}/copy.db")
        assert (unwritten.code, "Read-only file system" in unwritten.err) == (1, True)
    assert sloscore("db", "check", "--store", str(copied)).code == 0


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service here waits for no writer elsewhere."""
    pragmas = [pragma.replace("5000", "1") for pragma in sqlite._PRAGMAS]
    monkeypatch.setattr(sqlite, "_PRAGMAS", pragmas)


@pytest.mark.usefixtures("impatient")
async def test_a_writer_elsewhere_makes_the_service_unready_until_it_lets_go(
    tmp_path: Path,
) -> None:
    path = tmp_path / "sloscore.db"
    async with serving(settings(tmp_path, **ALONE)) as api:
        await api.register("one", TASK, **TARGET)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await check_writes_refused(api, "cannot be written: database is locked")
            assert sloscore("db", "check", "--store", str(path)).code == 0
        await check_recovered(api)
    is_sound(path)


@pytest.mark.usefixtures("impatient")
async def test_an_end_that_cannot_be_stored_at_the_longest_window_is_tried_again(
    tmp_path: Path,
) -> None:
    given = settings(tmp_path, **ALONE, evaluation={"max_window": "500ms", "closing_wait": "1ms"})
    async with serving(given) as api:
        await api.register("one", TASK, **TARGET)
        with closing(sqlite3.connect(tmp_path / "sloscore.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await until(lambda: gauge(api, FAILED), lambda failed: failed >= 2)
            assert (await api.show("one"))["state"] == "running"
        await api.final("one")
        one = await api.show("one")
    assert unix(one["end"]) - unix(one["start"]) == 0.5


async def test_a_file_that_is_damaged_takes_no_half_of_a_registration(tmp_path: Path) -> None:
    path = tmp_path / "sloscore.db"
    async with serving(settings(tmp_path, **ALONE)) as api:
        await api.register("one", TASK, **TARGET)
    content = path.read_bytes()
    # Found neither at the start nor by what reads the experiments' states.
    overwrite(path, "experiments_by_age")
    words = "database disk image is malformed"
    async with serving(settings(tmp_path, **ALONE)) as api:
        check_unavailable(await api.get(EXPERIMENTS), words)
        check_unavailable(await api.register("two", TASK, **TARGET), words)
        assert (await api.get(f"{EXPERIMENTS}/two")).status == 404
        check_unavailable(await api.get("/-/ready"), words)
    ended = sloscore("db", "check", "--store", str(path))
    assert (ended.code, "experiments: 1 (1 running)" in ended.out) == (11, True), ended
    path.write_bytes(content)
    async with serving(settings(tmp_path, **ALONE)) as api:
        await check_recovered(api)
    is_sound(path)


async def test_gauges_need_no_store_that_can_be_read(tmp_path: Path) -> None:
    given = settings(tmp_path, evaluation={"source_wait": "1ms"})
    async with serving(given) as api:
        await api.register("one", TASK)
        await api.finish("one")
        await api.final("one")
        assert await gauge(api, 'sloscore_task_experiments{state="no_data",task="chat"}') == 1
    # Experiments are counted in it, and looked for elsewhere.
    overwrite(tmp_path / "sloscore.db", "experiments_by_outcome")
    async with serving(given) as api:
        series = 'sloscore_experiment_no_data{experiment="one",task="chat"}'
        assert await gauge(api, series) == 1
        # The second scrape that cannot read it is the second error.
        assert await gauge(api, FAILED) == 2
        assert await gauge(api, "sloscore_store_up") == 0
        answer = await api.get("/metrics")
    assert not any(
        line.startswith(("sloscore_task_experiments", "sloscore_experiments"))
        for line in answer.text.splitlines()
    )
