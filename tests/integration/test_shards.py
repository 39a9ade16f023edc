"""A service of one shard takes the experiments of that, and sends all others away."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from tests.integration.service import EXPERIMENTS, PROBLEM, Api, serving, settings, task_of

from sloscore.settings import Settings
from sloscore.sharding import shard_of

COUNT = 3
NAMES = [f"chat-{number}" for number in range(30)]
OTHER = next(name for name in NAMES if shard_of(name, COUNT) == 2)
OWN = next(name for name in NAMES if shard_of(name, COUNT) == 1)


async def register(api: Api, name: str) -> int:
    selector = {"instance": "127.0.0.1:8000"}
    return (await api.register(name, task_of(), selector=selector)).status


async def test_every_experiment_is_taken_by_one_shard(tmp_path: Path) -> None:
    taken: list[str] = []
    for number in range(COUNT):
        place = tmp_path / str(number)
        async with serving(
            settings(place, listen={"shard": f"{number}/{COUNT}", "port": 0})
        ) as api:
            statuses = {name: await register(api, name) for name in NAMES}
            assert set(statuses.values()) == {201, 421}
            listed = (await api.get(f"{EXPERIMENTS}?limit=100")).json["experiments"]
            names = [name for name, status in statuses.items() if status == 201]
            assert sorted(one["id"] for one in listed) == sorted(names)
            taken += names
    assert sorted(taken) == sorted(NAMES)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/score?wait=30"),
        ("GET", "/counts"),
        ("POST", "/finish"),
        ("POST", "/abort"),
        ("POST", "/phases"),
        ("POST", "/phases/end"),
    ],
)
async def test_what_is_asked_of_another_shard_is_refused_with_its_name(
    tmp_path: Path, method: str, path: str
) -> None:
    given = settings(tmp_path, listen={"shard": f"1/{COUNT}", "port": 0})
    async with serving(given) as api:
        answer = await api.request(method, f"{EXPERIMENTS}/{OTHER}{path}")
        assert (answer.status, answer.type) == (421, PROBLEM)
        assert f"{OTHER!r} belongs to shard 2/3, and this service is 1/3" in answer.json["detail"]
        assert (await api.request(method, f"{EXPERIMENTS}/{OWN}{path}")).status != 421


def test_the_shard_of_an_id_never_changes() -> None:
    assert [shard_of(name, 1000) for name in ("chat-17", "münchen", "a b/c")] == [49, 735, 999]


@pytest.mark.parametrize("text", ["3/3", "1", "-1/3", "0/0", "1/2/3", "a/b", "", "٣/٤"])
def test_a_shard_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match=r"listen\.shard\n.*is no shard"):
        Settings.model_validate({"listen": {"shard": text}})


def test_shards_and_a_shared_database_exclude_each_other() -> None:
    given = {"listen": {"shard": "0/2"}, "store": {"url": "postgresql://sloscore@db/sloscore"}}
    with pytest.raises(ValidationError, match="exclude each other"):
        Settings.model_validate(given)
