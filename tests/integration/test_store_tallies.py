"""Tallies of tasks: every experiment counts, and the newest one's registration is the task's."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sloscore.experiments.model import Experiment, State, TaskTally, new_experiment
from sloscore.experiments.store import ExperimentStore

pytest_plugins = ["tests.integration.store_fixtures"]


def trial(name: str, task: str = "chat", *, created: float = 1.0) -> Experiment:
    return new_experiment(name, task, {"id": name}, "minimize_ttft", "minimize", 1.0, created)


async def test_all_states_of_a_task_are_counted_and_no_other_task_is(
    store: ExperimentStore,
) -> None:
    for name in ("runs", "settles", "scored", "failed", "fails-too", "empty", "called-off"):
        await store.register(trial(name))
    await store.register(trial("other", "batch"))
    await store.finish("settles", 2.0, 2.0)
    await store.finalize("scored", State.SCORED, {}, 1.0, 3.0)
    await store.finalize("failed", State.FAILED, {}, float("inf"), 3.0)
    await store.finalize("fails-too", State.FAILED, {}, float("inf"), 3.0)
    await store.finalize("empty", State.NO_DATA, {}, None, 3.0)
    await store.abort("called-off", "", 3.0)

    found = await store.tallies(["chat", "unknown", "chat"])

    assert found.keys() == {"chat"}
    assert found["chat"].states == {**dict.fromkeys(State, 1), State.FAILED: 2}


async def test_the_newest_registration_decides_whatever_became_of_it(
    store: ExperimentStore,
) -> None:
    await store.register(trial("second", created=20.0))
    await store.register(trial("third", created=30.0))
    await store.register(trial("first", created=10.0))
    await store.abort("third", "", 40.0)

    assert (await store.tallies(["chat"]))["chat"].newest_body == {"id": "third"}


async def test_more_tasks_than_a_statement_takes_are_tallied(store: ExperimentStore) -> None:
    names = [f"task-{number}" for number in range(520)]
    await asyncio.gather(*(store.register(trial(name, name)) for name in names))

    found = await store.tallies(names)

    assert found == {name: TaskTally({State.RUNNING: 1}, {"id": name}) for name in names}


@given(
    rows=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4), st.booleans()), max_size=20)
)
@settings(max_examples=25)
def test_tallies_are_what_a_list_of_all_would_give(
    rows: list[tuple[str, int, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    async def tallied() -> tuple[dict[str, TaskTally], list[Experiment]]:
        store = await ExperimentStore.open(tmp_path_factory.mktemp("tallies") / "s.db")
        for number, (task, created, aborted) in enumerate(rows):
            await store.register(trial(f"e{number:02}", task, created=float(created)))
            if aborted:
                await store.abort(f"e{number:02}", "", 9.0)
        found = await store.tallies(["a", "b", "c"])
        listed = (await store.list(limit=100)).items
        await store.close()
        return found, listed

    found, newest_first = asyncio.run(tallied())
    expected = {}
    for one in reversed(newest_first):
        states = Counter(other.state for other in newest_first if other.task == one.task)
        expected[one.task] = TaskTally(dict(states), one.body)
    assert found == expected
