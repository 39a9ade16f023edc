"""The store under concurrency, cancellation and sudden death."""

import asyncio
import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.integration.stores import OpenStore

import sloscore
from sloscore.errors import ConflictError, LimitError, StoreError
from sloscore.experiments import sqlite
from sloscore.experiments.model import Experiment, State, new_experiment
from sloscore.experiments.store import ExperimentStore

pytest_plugins = ["tests.integration.store_fixtures"]

# Registers and scores experiments for ever, several at a time, and prints each after it returned.
CHILD = """
import asyncio, sys
from sloscore.experiments.model import State, new_experiment
from sloscore.experiments.store import ExperimentStore

async def tune(store, prefix):
    number = 0
    while True:
        name = f"{prefix}-{number}"
        number += 1
        body = {"id": name}
        await store.register(new_experiment(name, "chat", body, "o", "minimize", 1.0, 2.0))
        print("registered", name, flush=True)
        await store.finish(name, 3.0, 4.0, 0.5)
        print("settling", name, flush=True)
        await store.finalize(name, State.SCORED, {"of": name}, 1.5, 5.0)
        print("scored", name, flush=True)

async def main(path, prefix):
    store = await ExperimentStore.open(path)
    await asyncio.gather(*(tune(store, f"{prefix}-{n}") for n in range(4)))

asyncio.run(main(*sys.argv[1:]))
"""
PROGRESS = {
    "registered": {State.RUNNING, State.SETTLING, State.SCORED},
    "settling": {State.SETTLING, State.SCORED},
    "scored": {State.SCORED},
}


def trial(name: str = "trial", rate: float = 4.0) -> Experiment:
    body = {"id": name, "rate": rate}
    return new_experiment(name, "chat", body, "minimize_ttft", "minimize", 1.0, 2.0)


async def start_child(path: Path, prefix: str) -> asyncio.subprocess.Process:
    source_root = Path(sloscore.__file__).parents[1]
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        CHILD,
        str(path),
        prefix,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(source_root)},
    )


async def kill_after(child: asyncio.subprocess.Process, lines: int) -> list[tuple[str, str]]:
    """Kill the child when it has printed that many lines, and return all that it printed."""
    assert child.stdout is not None
    printed = [await child.stdout.readline() for _ in range(lines)]
    child.send_signal(signal.SIGKILL)
    printed += (await child.stdout.read()).splitlines(keepends=True)
    assert await child.wait() == -signal.SIGKILL
    words = [line.decode().split() for line in printed if line.endswith(b"\n")]
    return [(verb, name) for verb, name in words]


@pytest.mark.parametrize("lines", [1, 2, 7, 40, 101])
async def test_nothing_that_was_confirmed_is_lost_when_the_process_is_killed(
    tmp_path: Path, lines: int
) -> None:
    path = tmp_path / "experiments.db"
    printed = []
    for prefix in ("first", "second"):
        printed += await kill_after(await start_child(path, prefix), lines)
    assert len(printed) >= 2 * lines
    store = await ExperimentStore.open(path)
    for verb, name in printed:
        stored = await store.get(name)
        assert stored.state in PROGRESS[verb]
        if stored.state is State.SCORED:
            assert (stored.report, stored.score, stored.end) == ({"of": name}, 1.5, 3.0)
    await store.register(trial())
    await store.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_processes_share_a_file_while_one_of_them_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "experiments.db"
    children = await asyncio.gather(*(start_child(path, f"child-{n}") for n in range(3)))
    killed = await kill_after(children[0], 30)
    others = await asyncio.gather(*(kill_after(child, 60) for child in children[1:]))
    store = await ExperimentStore.open(path)
    for verb, name in [*killed, *others[0], *others[1]]:
        assert (await store.get(name)).state in PROGRESS[verb]
    await store.close()


async def test_one_of_many_equal_registrations_creates(store: ExperimentStore) -> None:
    results = await asyncio.gather(*(store.register(trial()) for _ in range(30)))
    assert sorted(created for _, created in results) == [False] * 29 + [True]


async def test_one_of_many_contradicting_registrations_wins(store: ExperimentStore) -> None:
    results = await asyncio.gather(
        *(store.register(trial(rate=float(rate))) for rate in range(30)), return_exceptions=True
    )
    conflicts = [result for result in results if isinstance(result, ConflictError)]
    assert len(conflicts) == 29


async def test_a_limit_holds_over_stores_on_one_database(open_store: OpenStore) -> None:
    stores = [await open_store() for _ in range(3)]
    results = await asyncio.gather(
        *(stores[n % 3].register(trial(f"trial-{n}"), max_live=7) for n in range(60)),
        return_exceptions=True,
    )
    refused = [result for result in results if isinstance(result, LimitError)]
    assert len(refused) == 53
    assert len(await stores[0].live()) == 7


async def test_a_store_sees_at_once_what_another_did(open_store: OpenStore) -> None:
    one, two = await open_store(), await open_store()
    await one.register(trial())
    await two.finish("trial", 3.0, 4.0, 0.5)
    assert (await one.get("trial")).state is State.SETTLING
    await one.abort("trial", "not needed", 5.0)
    with pytest.raises(ConflictError, match="is aborted and cannot be finished"):
        await two.finish("trial", 3.0, 4.0, 0.5)


async def test_one_of_many_outcomes_wins_and_all_see_it(open_store: OpenStore) -> None:
    stores = [await open_store() for _ in range(2)]
    await stores[0].register(trial())
    outcomes = [State.SCORED, State.FAILED, State.NO_DATA]
    results = await asyncio.gather(
        *(
            stores[n % 2].finalize("trial", outcomes[n % 3], {"by": n}, float(n), 10.0 + n)
            for n in range(24)
        )
    )
    stored = await stores[0].get("trial")
    assert results == [stored] * 24


async def test_of_many_different_ends_one_is_recorded(store: ExperimentStore) -> None:
    await store.register(trial())
    results = await asyncio.gather(
        *(store.finish("trial", 10.0 + n, 50.0) for n in range(20)), return_exceptions=True
    )
    [recorded] = [result for result in results if isinstance(result, Experiment)]
    assert await store.get("trial") == recorded
    assert sum(isinstance(result, ConflictError) for result in results) == 19


async def test_a_cancelled_caller_leaves_the_store_in_order(store: ExperimentStore) -> None:
    tasks = [asyncio.create_task(store.register(trial(f"trial-{n}"))) for n in range(40)]
    reads = [asyncio.create_task(store.list()) for _ in range(40)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in (*tasks, *reads):
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*reads, return_exceptions=True)
    confirmed = {result[0].id for result in results if isinstance(result, tuple)}
    assert 0 < len(confirmed) < 40
    _, created = await store.register(trial("afterwards"))
    assert created
    assert confirmed <= {experiment.id for experiment in await store.live()}


async def test_a_writer_elsewhere_blocks_writes_with_a_sentence_but_no_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "experiments.db"
    impatient = [pragma.replace("5000", "1") for pragma in sqlite._PRAGMAS]
    monkeypatch.setattr(sqlite, "_PRAGMAS", impatient)
    store = await ExperimentStore.open(path)
    await store.register(trial("before"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="cannot be written: database is locked"):
            await store.register(trial("during"))
        assert [experiment.id for experiment in await store.live()] == ["before"]
        other.execute("ROLLBACK")
    _, created = await store.register(trial("during"))
    assert created
    await store.close()
