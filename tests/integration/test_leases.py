"""Leases of experiments: who holds one, who may claim it, and who writes too late."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select
from tests.integration.postgres import PASSWORD, Postgres
from tests.integration.service import until

from sloscore.experiments.leases import Leases, LiveReport
from sloscore.experiments.model import Experiment, State, new_experiment
from sloscore.experiments.schema import replicas
from sloscore.experiments.store import ExperimentStore

pytest_plugins = ["tests.integration.store_fixtures"]

LONG, OVER = 3600.0, -1.0
NAMES = {"one", "two", "three"}


@pytest.fixture
async def store(postgres: Postgres) -> AsyncIterator[ExperimentStore]:
    opened = await ExperimentStore.open(postgres.new_database(), lambda: PASSWORD)
    for name in NAMES:
        await opened.register(trial(name))
    yield opened
    await opened.close()


@pytest.fixture
def leases(store: ExperimentStore) -> Leases:
    return store.leases


def trial(name: str) -> Experiment:
    return new_experiment(name, "chat", {"id": name}, "minimize_ttft", "minimize", 1.0, 1.0)


async def test_numbers_only_grow_and_those_that_expire_are_gone(leases: Leases) -> None:
    first, second = await leases.join(LONG), await leases.join(OVER)
    assert await leases.numbers() == [first]
    assert not await leases.renew(second, LONG)
    third = await leases.join(LONG)
    assert first < second < third
    assert await leases.numbers() == [first, third]
    await leases.leave(first)
    assert await leases.numbers() == [third]


async def test_who_is_late_but_was_not_removed_goes_on(leases: Leases) -> None:
    number = await leases.join(OVER)
    assert await leases.renew(number, LONG)
    assert await leases.numbers() == [number]


async def test_nobody_claims_what_another_holds(leases: Leases) -> None:
    one, two = await leases.join(LONG), await leases.join(LONG)
    assert set(await leases.orphans(0.0)) == NAMES
    claimed = await leases.claim(one, ["one", "two"])
    assert {(e.id, e.holder) for e in claimed} == {("one", one), ("two", one)}
    assert await leases.orphans(0.0) == ["three"]
    assert [e.id for e in await leases.claim(two, list(NAMES))] == ["three"]
    assert (await leases.held(one)).keys() == {"one", "two"}
    await leases.leave(one)
    assert set(await leases.orphans(0.0)) == {"one", "two"}
    assert await leases.claim(one, ["one"]) == []


async def test_the_score_of_one_that_holds_it_no_more_changes_nothing(
    store: ExperimentStore, leases: Leases
) -> None:
    late, new = await leases.join(LONG), await leases.join(LONG)
    await leases.claim(late, ["one"])
    await leases.leave(late)
    await leases.claim(new, ["one"])
    untouched = await store.finalize("one", State.SCORED, {"by": "late"}, 1.0, 5.0, None, late)
    assert (untouched.state, untouched.report, untouched.holder) == (State.RUNNING, None, new)
    scored = await store.finalize("one", State.SCORED, {"by": "new"}, 2.0, 6.0, None, new)
    assert (scored.state, scored.report) == (State.SCORED, {"by": "new"})
    assert await store.finalize("one", State.FAILED, {}, 3.0, 7.0, None, late) == scored


async def test_the_reports_of_one_that_was_removed_go_nowhere(leases: Leases) -> None:
    late, new = await leases.join(LONG), await leases.join(LONG)
    first = LiveReport("one", "{}", {"window": 1})
    await leases.publish(late, [first, LiveReport("two", "{}", None)])
    assert await leases.published(["one", "three"]) == {"one": first}
    await leases.leave(late)
    await leases.publish(late, [LiveReport("one", '{"late": 1}', None)])
    assert await leases.published(["one"]) == {"one": first}
    await leases.publish(new, [LiveReport("one", '{"new": 1}', None)])
    assert (await leases.published(["one"]))["one"].report == '{"new": 1}'


async def test_reports_leave_with_the_end_of_their_experiments(
    store: ExperimentStore, leases: Leases
) -> None:
    number = await leases.join(LONG)
    await leases.publish(number, [LiveReport(name, "{}", None) for name in NAMES])
    await store.abort("one", "", 5.0)
    await leases.clear()
    assert (await leases.published(list(NAMES))).keys() == {"two", "three"}
    assert await leases.ended(list(NAMES)) == ["one"]


async def test_one_that_stops_within_a_transaction_holds_up_nobody(
    store: ExperimentStore, leases: Leases
) -> None:
    stopped = await leases.join(OVER)
    other = await leases.join(LONG)
    await leases.claim(stopped, ["one"])
    connection = await store._database._writer.connect()
    row = select(replicas).where(replicas.c.number == stopped)
    await connection.execute(row.with_for_update(read=True, key_share=True))
    # Those that go on are answered at once, and the database ends the transaction soon.
    assert await leases.numbers() == [stopped, other]
    await until(leases.numbers, lambda numbers: numbers == [other])
    assert [e.id for e in await leases.claim(other, ["one"])] == ["one"]
    await connection.invalidate()
    await connection.close()
