"""Phases in the store: what was marked stays marked, and marks at once do not lose each other."""

import asyncio
from collections.abc import Callable

import pytest
from tests.integration.stores import OpenStore

from sloscore.errors import ConflictError, ExperimentNotFoundError
from sloscore.experiments.model import Experiment, Phase, State, new_experiment
from sloscore.experiments.phases import end_phase, start_phase
from sloscore.experiments.store import ExperimentStore

pytest_plugins = ["tests.integration.store_fixtures"]

SCRAPES = {"server": "vllm", "start": [{"time": 1.0}]}


@pytest.fixture
async def store(open_store: OpenStore) -> ExperimentStore:
    opened = await open_store()
    await opened.register(trial())
    return opened


def trial() -> Experiment:
    return new_experiment("trial", "chat", {"id": "trial"}, "o", "minimize", 1.0, 1.0, SCRAPES)


def start(name: str, now: float) -> Callable[[Experiment], tuple[Phase, ...]]:
    return lambda experiment: start_phase(experiment, name, None, now, 64)


async def test_marks_and_their_samples_are_there_after_reopening(
    store: ExperimentStore, open_store: OpenStore
) -> None:
    await store.mark("trial", start("c=1", 2.0), 2.0, [{"time": 2.0}])
    marked = await store.mark("trial", start("c=8", 3.0), 3.0, [{"time": 3.0}])
    read = await (await open_store()).get("trial")
    assert read == marked
    assert read.phases == (Phase("c=1", 2.0, 3.0), Phase("c=8", 3.0))
    assert read.scrapes == {**SCRAPES, "phases": [{"time": 2.0}, {"time": 3.0}]}
    assert read.updated_at == 3.0


async def test_a_repeated_mark_and_a_refused_one_change_nothing(store: ExperimentStore) -> None:
    first = await store.mark("trial", start("c=1", 2.0), 2.0, [{"time": 2.0}])
    assert await store.mark("trial", start("c=1", 3.0), 3.0, [{"time": 3.0}]) == first
    with pytest.raises(ConflictError, match="no phase 'c=8' to end"):
        await store.mark("trial", lambda found: end_phase(found, "c=8", None, 3.0), 3.0)
    assert await store.get("trial") == first
    with pytest.raises(ExperimentNotFoundError, match="'nobody'"):
        await store.mark("nobody", start("c=1", 2.0), 2.0)


async def test_the_end_of_the_load_ends_its_phase(store: ExperimentStore) -> None:
    await store.mark("trial", start("c=1", 2.0), 2.0)
    await store.mark("trial", start("c=8", 3.0), 3.0)
    finished = await store.finish("trial", 9.0, 9.5)
    assert finished.phases == (Phase("c=1", 2.0, 3.0), Phase("c=8", 3.0, 9.0))
    with pytest.raises(ConflictError, match="'trial' is already settling"):
        await store.mark("trial", start("c=16", 10.0), 10.0)
    await store.finalize("trial", State.SCORED, {}, 1.0, 11.0)
    assert (await store.get("trial")).phases == finished.phases
    assert (await store.finish("trial", None, 12.0)).phases == finished.phases


async def test_marks_at_once_over_stores_on_one_database_are_all_recorded(
    store: ExperimentStore, open_store: OpenStore
) -> None:
    stores = [store, await open_store()]
    names = [f"c={number}" for number in range(20)]
    await asyncio.gather(
        *(
            stores[number % 2].mark("trial", start(name, 2.0), 2.0, [{"of": name}])
            for number, name in enumerate(names)
        )
    )
    stored = await stores[1].get("trial")
    assert sorted(phase.name for phase in stored.phases) == sorted(names)
    assert [phase.end is None for phase in stored.phases] == [False] * 19 + [True]
    assert stored.scrapes is not None
    kept = stored.scrapes["phases"]
    assert isinstance(kept, list)
    assert len(kept) == 20
