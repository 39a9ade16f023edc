"""Stores on both databases; a test of them names this module as a plugin of pytest."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.integration.postgres import PASSWORD, Postgres, running_postgres
from tests.integration.stores import OpenStore

from sloscore.experiments.store import ExperimentStore


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The PostgreSQL of this run; tests skip where there is none."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
async def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OpenStore]:
    """Opens one more store on a database that was empty, and closes all of them in the end."""
    place: Path | str = tmp_path / "experiments.db"
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        place = server.new_database()
    stores = []

    async def one_more() -> ExperimentStore:
        stores.append(await ExperimentStore.open(place, lambda: PASSWORD))
        return stores[-1]

    yield one_more
    for store in stores:
        await store.close()


@pytest.fixture
async def store(open_store: OpenStore) -> ExperimentStore:
    """A store that is empty."""
    return await open_store()
