"""What every operation does to an experiment in every state."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest

from sloscore.errors import ConflictError, ExperimentNotFoundError, LimitError
from sloscore.experiments.model import Experiment, State, new_experiment
from sloscore.experiments.store import ExperimentStore

pytest_plugins = ["tests.integration.store_fixtures"]

Operation: TypeAlias = Callable[[ExperimentStore], Awaitable[Experiment]]

START, END, BASE = 100.0, 160.0, 1.25
REPORT = {"penalty": 0.5, "slis": [{"name": "ttft", "verdict": "violated"}]}


def trial(name: str = "trial", task: str = "chat", rate: float = 4.0) -> Experiment:
    body = {"id": name, "load": {"rate": rate}}
    return new_experiment(name, task, body, "minimize_ttft", "minimize", START, 101.0)


async def put_in_state(store: ExperimentStore, state: State) -> Experiment:
    await store.register(trial())
    if state is not State.RUNNING:
        await store.finish("trial", END, 161.0, BASE)
    if state is State.ABORTED:
        await store.abort("trial", "the server crashed", 170.0)
    elif state is not State.RUNNING and state is not State.SETTLING:
        await store.finalize("trial", state, REPORT, 2.5, 170.0)
    stored = await store.get("trial")
    assert stored.state is state
    return stored


OPERATIONS: dict[str, Operation] = {
    "finish": lambda store: store.finish("trial", END, 200.0, BASE),
    "finish without end": lambda store: store.finish("trial", None, 200.0),
    "finish without base score": lambda store: store.finish("trial", END, 200.0),
    "finish at another end": lambda store: store.finish("trial", END + 1, 200.0, BASE),
    "finish with another base score": lambda store: store.finish("trial", END, 200.0, BASE + 1),
    "finish before the start": lambda store: store.finish("trial", START - 1, 200.0, BASE),
    "abort": lambda store: store.abort("trial", "not needed", 200.0),
    "score": lambda store: store.finalize("trial", State.SCORED, {"n": 1}, 3.5, 200.0),
    "fail": lambda store: store.finalize("trial", State.FAILED, {"n": 2}, float("inf"), 200.0),
    "find no data": lambda store: store.finalize("trial", State.NO_DATA, {"n": 3}, None, 200.0),
}

# A state is the one that the experiment moves to; "same" leaves all of it as it was.
Result: TypeAlias = State | str | type[Exception]
ANOTHER = {
    "finish at another end": ConflictError,
    "finish with another base score": ConflictError,
    "finish before the start": ValueError,
}
OUTCOME: dict[str, Result] = {
    "finish": "same",
    "finish without end": "same",
    "finish without base score": "same",
    **ANOTHER,
    "abort": ConflictError,
    "score": "same",
    "fail": "same",
    "find no data": "same",
}
RESULTS: dict[State, dict[str, Result]] = {
    State.RUNNING: {
        "finish": State.SETTLING,
        "finish without end": State.SETTLING,
        "finish without base score": State.SETTLING,
        "finish at another end": State.SETTLING,
        "finish with another base score": State.SETTLING,
        "finish before the start": ValueError,
        "abort": State.ABORTED,
        "score": State.SCORED,
        "fail": State.FAILED,
        "find no data": State.NO_DATA,
    },
    State.SETTLING: {
        "finish": "same",
        "finish without end": "same",
        "finish without base score": "same",
        **ANOTHER,
        "abort": State.ABORTED,
        "score": State.SCORED,
        "fail": State.FAILED,
        "find no data": State.NO_DATA,
    },
    State.SCORED: OUTCOME,
    State.FAILED: OUTCOME,
    State.NO_DATA: OUTCOME,
    State.ABORTED: {
        "finish": ConflictError,
        "finish without end": ConflictError,
        "finish without base score": ConflictError,
        "finish at another end": ConflictError,
        "finish with another base score": ConflictError,
        "finish before the start": ValueError,
        "abort": "same",
        "score": "same",
        "fail": "same",
        "find no data": "same",
    },
}


def test_the_table_names_every_state_and_operation() -> None:
    assert set(RESULTS) == set(State)
    for results in RESULTS.values():
        assert set(results) == set(OPERATIONS)


async def test_counts_are_kept_with_the_first_outcome_only(store: ExperimentStore) -> None:
    await store.register(trial())
    assert await store.counts("trial") is None
    counted = {"window": {"histograms": {}, "start": START}}
    await store.finalize("trial", State.SCORED, REPORT, 2.5, 170.0, counted)
    await store.finalize("trial", State.FAILED, REPORT, 3.5, 171.0, {"window": {}})
    assert await store.counts("trial") == counted
    with pytest.raises(ExperimentNotFoundError, match="'ghost' is not registered"):
        await store.counts("ghost")


@pytest.mark.parametrize(
    ("state", "name", "result"),
    [(state, name, result) for state, row in RESULTS.items() for name, result in row.items()],
)
async def test_an_operation_in_a_state_has_one_result(
    store: ExperimentStore, state: State, name: str, result: Result
) -> None:
    before = await put_in_state(store, state)
    if isinstance(result, type):
        with pytest.raises(result):
            await OPERATIONS[name](store)
        assert await store.get("trial") == before
        return
    returned = await OPERATIONS[name](store)
    assert returned == await store.get("trial")
    if result == "same":
        assert returned == before
    else:
        assert (returned.state, returned.updated_at) == (result, 200.0)


async def test_finishing_records_end_and_base_score(store: ExperimentStore) -> None:
    await store.register(trial())
    finished = await store.finish("trial", 160.5, 161.0, 0.75)
    assert (finished.end, finished.base_score, finished.updated_at) == (160.5, 0.75, 161.0)


async def test_finishing_without_an_end_ends_now(store: ExperimentStore) -> None:
    await store.register(trial())
    assert (await store.finish("trial", None, 161.0)).end == 161.0


async def test_a_base_score_cannot_be_added_later(store: ExperimentStore) -> None:
    await store.register(trial())
    await store.finish("trial", END, 161.0)
    with pytest.raises(ConflictError, match=r"base_score: .* already settling with none, not 1\.5"):
        await store.finish("trial", END, 162.0, 1.5)


async def test_now_before_the_start_cannot_be_the_end(store: ExperimentStore) -> None:
    await store.register(trial())
    with pytest.raises(
        ValueError,
        match=r"end: 1970-01-01T00:01:39\.000Z is before the start of 'trial' at 1970-01-01T00:01:40",
    ):
        await store.finish("trial", None, 99.0)


@pytest.mark.parametrize("end", [float("nan"), float("inf")])
async def test_an_end_is_a_finite_time(store: ExperimentStore, end: float) -> None:
    await store.register(trial())
    with pytest.raises(ValueError, match=r"end: .* finite Unix seconds"):
        await store.finish("trial", end, 161.0)


async def test_nan_is_no_score(store: ExperimentStore) -> None:
    await store.register(trial())
    with pytest.raises(ValueError, match="base_score: NaN"):
        await store.finish("trial", END, 161.0, float("nan"))
    with pytest.raises(ValueError, match="score: NaN"):
        await store.finalize("trial", State.SCORED, {}, float("nan"), 161.0)
    assert (await store.get("trial")).state is State.RUNNING


async def test_an_outcome_keeps_report_and_score(store: ExperimentStore) -> None:
    await store.register(trial())
    await store.finish("trial", END, 161.0, BASE)
    scored = await store.finalize("trial", State.SCORED, REPORT, 2.0, 170.0)
    assert (scored.report, scored.score) == (REPORT, 2.0)
    assert (scored.end, scored.base_score) == (END, BASE)


@pytest.mark.parametrize("score", [float("inf"), float("-inf"), 0.1 + 0.2, 5e-324, None])
async def test_a_score_comes_back_exactly(store: ExperimentStore, score: float | None) -> None:
    await store.register(trial())
    await store.finalize("trial", State.FAILED, {}, score, 170.0)
    assert (await store.get("trial")).score == score


@pytest.mark.parametrize("state", [State.RUNNING, State.SETTLING, State.ABORTED])
async def test_only_an_outcome_finalizes(store: ExperimentStore, state: State) -> None:
    await store.register(trial())
    with pytest.raises(ValueError, match="is no outcome; give one of failed, no_data, scored"):
        await store.finalize("trial", state, {}, 1.0, 170.0)


async def test_the_first_reason_of_an_abort_stays(store: ExperimentStore) -> None:
    await store.register(trial())
    await store.abort("trial", "out of memory", 170.0)
    assert (await store.abort("trial", "bored", 171.0)).reason == "out of memory"


async def test_an_unknown_experiment_is_named(store: ExperimentStore) -> None:
    for call in (
        store.get("ghost"),
        store.finish("ghost", END, 161.0),
        store.abort("ghost", "none", 161.0),
        store.finalize("ghost", State.SCORED, {}, 1.0, 161.0),
    ):
        with pytest.raises(ExperimentNotFoundError, match="'ghost' is not registered"):
            await call


async def test_registering_returns_what_is_stored(store: ExperimentStore) -> None:
    created, is_new = await store.register(trial())
    assert is_new
    assert await store.get("trial") == created


async def test_registering_the_same_again_returns_the_first(store: ExperimentStore) -> None:
    await store.register(trial())
    finished = await store.finish("trial", END, 161.0)
    assert await store.register(trial()) == (finished, False)


async def test_an_id_stands_for_one_body_and_one_task(store: ExperimentStore) -> None:
    await store.register(trial())
    for other in (trial(rate=5.0), trial(task="code")):
        with pytest.raises(ConflictError, match="'trial' is already registered with another"):
            await store.register(other)
    assert (await store.get("trial")).body == {"id": "trial", "load": {"rate": 4.0}}


async def test_live_experiments_are_limited(store: ExperimentStore) -> None:
    await store.register(trial("one"), max_live=2)
    await store.register(trial("two"), max_live=2)
    await store.finish("two", END, 161.0)
    with pytest.raises(LimitError, match="as many experiments are live as may be, 2"):
        await store.register(trial("three"), max_live=2)
    with pytest.raises(ExperimentNotFoundError):
        await store.get("three")


async def test_the_limit_does_not_refuse_what_is_registered(store: ExperimentStore) -> None:
    await store.register(trial("one"), max_live=1)
    _, created = await store.register(trial("one"), max_live=1)
    assert not created


async def test_final_experiments_make_room(store: ExperimentStore) -> None:
    await store.register(trial("one"), max_live=1)
    await store.abort("one", "not needed", 170.0)
    _, created = await store.register(trial("two"), max_live=1)
    assert created
