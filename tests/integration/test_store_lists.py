"""What the store lists for people: selected, sorted, ranked and a page at a time."""

import math

import pytest

from sloscore.experiments.listing import Order, Selection
from sloscore.experiments.model import LIVE, State, new_experiment
from sloscore.experiments.store import ExperimentStore

pytest_plugins = ["tests.integration.store_fixtures"]


async def add(
    store: ExperimentStore,
    name: str,
    score: float | None = None,
    *,
    start: float = 1.0,
    task: str = "chat",
    objective: str = "minimize_ttft",
    penalty: float | str | None = 0.0,
    requests: float = 10.0,
    instances: int = 1,
) -> None:
    """An experiment that has ended with this score; one without a score runs on."""
    direction = objective.partition("_")[0]
    trial = new_experiment(name, task, {"id": name}, objective, direction, start, start)
    await store.register(trial)
    if score is not None:
        window = {"requests": requests, "instances": instances}
        state = State.FAILED if math.isinf(score) else State.SCORED
        report = {"penalty": penalty, "window": window}
        await store.finalize(name, state, report, score, start + 1)


async def ids(store: ExperimentStore, selection: Selection) -> str:
    listed = await store.listed(selection, 100)
    return "".join(experiment.id for experiment in listed.experiments)


@pytest.mark.parametrize(
    ("order", "descending", "expected"),
    [
        (Order.START, True, "edcba"),
        (Order.START, False, "abcde"),
        (Order.ID, True, "edcba"),
        (Order.TASK, False, "dbeca"),
        (Order.STATE, False, "adcbe"),
        (Order.REQUESTS, True, "cbaed"),
        (Order.PENALTY, False, "abced"),
        (Order.SCORE, False, "bcaed"),
        (Order.SCORE, True, "acbed"),
    ],
)
async def test_a_list_is_sorted_and_what_is_not_known_comes_last(
    store: ExperimentStore, order: Order, descending: bool, expected: str
) -> None:
    await add(store, "a", math.inf, start=1, task="z", penalty=1.0, requests=5)
    await add(store, "b", 2.0, start=2, task="m", penalty=1.5, requests=7)
    await add(store, "c", 3.0, start=3, task="y", penalty="Infinity", requests=9)
    await add(store, "d", start=4, task="a")
    await add(store, "e", start=5, task="x")
    await store.finish("e", 6.0, 6.0)
    assert await ids(store, Selection(order=order, descending=descending)) == expected


async def test_task_and_states_select_together(store: ExperimentStore) -> None:
    await add(store, "a", 1.0)
    await add(store, "b")
    await add(store, "c", task="batch")
    await add(store, "d", math.inf, task="batch")
    chosen = Selection("batch", LIVE)
    assert await ids(store, chosen) == "c"
    assert await ids(store, Selection("batch", order=Order.ID, descending=False)) == "cd"
    assert await ids(store, Selection(states=LIVE, order=Order.ID, descending=False)) == "bc"
    assert await ids(store, Selection("unknown")) == ""


async def test_a_page_tells_how_many_there_are_by_state(store: ExperimentStore) -> None:
    for number in range(5):
        await add(store, f"scored-{number}", 1.0, start=number)
    await add(store, "failed", math.inf)
    await add(store, "other", 1.0, task="batch")
    page = await store.listed(Selection("chat"), 2, 4)
    assert len(page.experiments) == 2
    assert page.states == {State.SCORED: 5, State.FAILED: 1}
    assert page.total == 6
    beyond = await store.listed(Selection("chat"), 2, 6)
    assert (beyond.experiments, beyond.total) == ((), 6)


async def test_pages_follow_one_another_without_gap(store: ExperimentStore) -> None:
    for number in range(25):
        await add(store, f"trial-{number:02}", float(number % 3), start=number)
    by_score = Selection(order=Order.SCORE, descending=False)
    pages = [await store.listed(by_score, 4, offset) for offset in range(0, 28, 4)]
    found = [experiment.id for page in pages for experiment in page.experiments]
    whole = [experiment.id async for some in store.all_of(by_score) for experiment in some]
    assert found == whole
    assert len(set(found)) == 25


async def test_the_best_is_first_in_the_direction_of_its_objective(store: ExperimentStore) -> None:
    await add(store, "low", 1.0)
    await add(store, "same", 1.0)
    await add(store, "high", 2.0)
    await add(store, "failed", math.inf)
    await add(store, "runs")
    await add(store, "slow", 10.0, objective="maximize_throughput")
    await add(store, "fast", 90.0, objective="maximize_throughput")
    await add(store, "elsewhere", 7.0, task="batch")
    listed = await store.listed(Selection(), 100)
    assert listed.ranks == {
        "low": 1, "same": 1, "high": 3, "fast": 1, "slow": 2, "elsewhere": 1
    }  # fmt: skip


async def test_a_rank_counts_experiments_on_other_pages(store: ExperimentStore) -> None:
    for number in range(6):
        await add(store, f"trial-{number}", float(number))
    page = await store.listed(Selection(order=Order.SCORE), 1)
    assert page.ranks == {"trial-5": 6}


async def test_figures_are_those_of_the_report(store: ExperimentStore) -> None:
    await add(store, "seen", 1.0, penalty=2.5, requests=40)
    await add(store, "vast", 1.0, penalty="Infinity")
    await add(store, "unseen", 1.0, penalty=None, instances=0)
    found = {
        one.id: (one.penalty, one.requests)
        for one in (await store.listed(Selection(), 9)).experiments
    }
    assert found == {"seen": (2.5, 40), "vast": (math.inf, 10), "unseen": (None, None)}
