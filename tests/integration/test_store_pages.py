"""What the store lists, counts and selects."""

import re
from itertools import chain

import pytest

from sloscore.experiments.model import State, new_experiment
from sloscore.experiments.store import ExperimentStore

pytest_plugins = ["tests.integration.store_fixtures"]


async def register(
    store: ExperimentStore, name: str, created_at: float = 1000.0, task: str = "chat"
) -> None:
    await store.register(
        new_experiment(name, task, {"id": name}, "minimize_ttft", "minimize", 1.0, created_at)
    )


async def pages(store: ExperimentStore, limit: int, task: str | None = None) -> list[list[str]]:
    found = []
    cursor = None
    while True:
        page = await store.list(task=task, limit=limit, cursor=cursor)
        found.append([experiment.id for experiment in page.items])
        cursor = page.next_cursor
        if cursor is None:
            return found


async def test_an_empty_store_has_one_empty_page(store: ExperimentStore) -> None:
    assert await pages(store, 10) == [[]]


async def test_newer_experiments_come_first(store: ExperimentStore) -> None:
    for name, created_at in (("b", 1002.0), ("c", 1003.5), ("a", 1001.0)):
        await register(store, name, created_at)
    assert await pages(store, 10) == [["c", "b", "a"]]


async def test_experiments_of_one_moment_are_paged_by_id(store: ExperimentStore) -> None:
    for name in "dbeac":
        await register(store, name)
    assert await pages(store, 2) == [["a", "b"], ["c", "d"], ["e"]]


async def test_a_full_last_page_has_no_cursor(store: ExperimentStore) -> None:
    for name in "abcd":
        await register(store, name)
    assert await pages(store, 2) == [["a", "b"], ["c", "d"]]


async def test_a_page_stays_in_place_when_experiments_arrive(store: ExperimentStore) -> None:
    for name in "bdfh":
        await register(store, name)
    first = await store.list(limit=2)
    await register(store, "a")
    await register(store, "newest", 2000.0)
    await register(store, "e")
    second = await store.list(limit=10, cursor=first.next_cursor)
    assert [experiment.id for experiment in second.items] == ["e", "f", "h"]


async def test_a_time_of_many_digits_survives_the_cursor(store: ExperimentStore) -> None:
    for number in range(6):
        await register(store, f"trial-{number}", 1_700_000_000.1 + number * 2.0**-22)
    assert list(chain.from_iterable(await pages(store, 1))) == [
        f"trial-{number}" for number in range(5, -1, -1)
    ]


async def test_any_id_survives_the_cursor(store: ExperimentStore) -> None:
    names = ['"quoted"', "a/b?c=d", "né", "zzz", "~~~", "日本"]
    for name in names:
        await register(store, name)
    page = await store.list(limit=1)
    while page.next_cursor is not None:
        assert re.fullmatch(r"[A-Za-z0-9_-]+", page.next_cursor)
        page = await store.list(limit=1, cursor=page.next_cursor)
    assert sorted(chain.from_iterable(await pages(store, 1))) == sorted(names)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "nonsense",
        "é",
        "a",
        "!!!!",
        "W10",  # []
        "WzEsMl0",  # [1,2]
        "WyIxIiwiYSJd",  # ["1","a"]
        "W3RydWUsImEiXQ",  # [true,"a"]
        "WzEsImEiLDNd",  # [1,"a",3]
        "eyJhIjoxfQ",  # {"a":1}
        "WzFlOTk5LCJhIl0",  # [1e999,"a"]
        "Wy" * 5000,
    ],
)
async def test_text_that_is_no_cursor_is_refused(store: ExperimentStore, cursor: str) -> None:
    await register(store, "a")
    with pytest.raises(ValueError, match=r"cursor: .* give the next_cursor of the page before"):
        await store.list(cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_page_holds_at_least_one(store: ExperimentStore, limit: int) -> None:
    with pytest.raises(ValueError, match=f"limit: {limit} is too small"):
        await store.list(limit=limit)


async def test_a_list_can_be_of_one_task_and_one_state(store: ExperimentStore) -> None:
    for name, task in (("a", "chat"), ("b", "code"), ("c", "chat"), ("d", "chat")):
        await register(store, name, task=task)
    await store.finish("c", 2.0, 3.0)
    await store.finish("b", 2.0, 3.0)
    assert await pages(store, 2, task="chat") == [["a", "c"], ["d"]]
    assert await pages(store, 2, task="other") == [[]]
    settling = await store.list(state=State.SETTLING)
    assert [experiment.id for experiment in settling.items] == ["b", "c"]
    both = await store.list(task="chat", state=State.SETTLING)
    assert [experiment.id for experiment in both.items] == ["c"]


async def test_the_experiments_of_a_task_come_newest_first(store: ExperimentStore) -> None:
    for number in range(4):
        await register(store, f"chat-{number}", 1000.0 + number)
    await register(store, "code-1", 2000.0, "code")
    found = await store.task_experiments("chat", limit=3)
    assert [experiment.id for experiment in found] == ["chat-3", "chat-2", "chat-1"]


async def test_tasks_are_counted(store: ExperimentStore) -> None:
    assert await store.tasks() == {}
    for name, task in (("a", "chat"), ("b", "code"), ("c", "chat")):
        await register(store, name, task=task)
    assert await store.tasks() == {"chat": 2, "code": 1}


async def test_states_are_counted_with_their_zeros(store: ExperimentStore) -> None:
    assert await store.count_by_state() == dict.fromkeys(State, 0)
    for name in "abc":
        await register(store, name)
    await store.finish("a", 2.0, 3.0)
    await store.abort("b", "not needed", 3.0)
    assert await store.count_by_state() == {
        State.RUNNING: 1,
        State.SETTLING: 1,
        State.SCORED: 0,
        State.FAILED: 0,
        State.NO_DATA: 0,
        State.ABORTED: 1,
    }


async def test_live_experiments_run_or_settle_oldest_first(store: ExperimentStore) -> None:
    for name, created_at in (("new", 1003.0), ("old", 1001.0), ("mid", 1002.0), ("gone", 1000.0)):
        await register(store, name, created_at)
    await store.finish("old", 2.0, 3.0)
    await store.abort("gone", "not needed", 3.0)
    assert [experiment.id for experiment in await store.live()] == ["old", "mid", "new"]


async def test_recently_final_experiments_are_found_by_the_time_of_their_end(
    store: ExperimentStore,
) -> None:
    for name in ("late", "at", "aborted", "early", "settling"):
        await register(store, name)
    await store.finish("settling", 2.0, 5000.0)
    await store.finalize("early", State.SCORED, {}, 1.0, 2000.0)
    await store.finalize("at", State.FAILED, {}, 1.0, 3000.0)
    await store.abort("aborted", "not needed", 3001.0)
    await store.finalize("late", State.NO_DATA, {}, None, 3002.0)
    found = await store.final_since(3000.0)
    assert [experiment.id for experiment in found] == ["aborted", "late"]
