"""A store on PostgreSQL: how it is reached, upgraded and lost."""

import asyncio

import pytest
from tests.integration.postgres import PASSWORD, Postgres

from sloscore.errors import StoreError
from sloscore.experiments import schema
from sloscore.experiments.model import new_experiment
from sloscore.experiments.store import ExperimentStore

pytest_plugins = ["tests.integration.store_fixtures"]


async def test_many_can_open_a_new_database_at_once(postgres: Postgres) -> None:
    url = postgres.new_database()
    stores = await asyncio.gather(*(ExperimentStore.open(url, lambda: PASSWORD) for _ in range(8)))
    await asyncio.gather(*(store.close() for store in stores))
    found = postgres.psql("SELECT version FROM sloscore_schema", url.rpartition("/")[2])
    assert found == str(len(schema.MIGRATIONS))


async def test_a_wrong_password_is_told_and_not_repeated(postgres: Postgres) -> None:
    with pytest.raises(StoreError, match="password authentication failed") as caught:
        await ExperimentStore.open(postgres.new_database(), lambda: "hunter2")
    assert "hunter2" not in str(caught.value)


async def test_a_database_that_nobody_serves_is_told() -> None:
    with pytest.raises(
        StoreError, match=r"127\.0\.0\.1:1/sloscore cannot be written: .*Connect call failed"
    ):
        await ExperimentStore.open("postgresql://sloscore@127.0.0.1:1/sloscore")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://sloscore@db/sloscore", "only PostgreSQL"),
        ("postgresql://sloscore@db/sloscore?sslmode=off", "unknown option 'sslmode'"),
    ],
)
async def test_a_url_that_cannot_be_used_is_refused(url: str, sentence: str) -> None:
    with pytest.raises(StoreError, match=sentence):
        await ExperimentStore.open(url)


async def test_the_database_of_something_else_is_refused(postgres: Postgres) -> None:
    url = postgres.new_database()
    postgres.psql("CREATE TABLE invoices (id integer)", url.rpartition("/")[2])
    with pytest.raises(StoreError, match="belongs to something else"):
        await ExperimentStore.open(url, lambda: PASSWORD)


async def test_connections_that_break_are_made_again(postgres: Postgres) -> None:
    store = await ExperimentStore.open(postgres.new_database(), lambda: PASSWORD)
    trial = new_experiment("one", "chat", {"id": "one"}, "minimize_ttft", "minimize", 1.0, 1.0)
    await store.register(trial)
    postgres.psql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sloscore'"
    )
    assert await store.get("one") == trial
    assert (await store.finish("one", 2.0, 3.0)).end == 2.0
    await store.close()


async def test_text_that_has_no_place_in_it_is_kept_without_that(postgres: Postgres) -> None:
    store = await ExperimentStore.open(postgres.new_database(), lambda: PASSWORD)
    trial = new_experiment("one", "chat", {"id": "a\0b"}, "minimize_ttft", "minimize", 1.0, 1.0)
    await store.register(trial)
    aborted = await store.abort("one", "out of\0memory", 2.0)
    assert (aborted.reason, aborted.body) == ("out of\ufffdmemory", {"id": "a\0b"})
    assert (await store.list(task="\0")).items == []
    await store.close()
