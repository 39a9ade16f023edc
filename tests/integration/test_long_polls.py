"""Requests that wait for a final score by the thousand: all are answered, and none is left behind."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from tests.integration.service import EXPERIMENTS, Answer, Api, serving, settings, task_of, until

MOST = 1000
Poll = asyncio.Task[Answer]


@contextlib.asynccontextmanager
async def waiting(place: Path) -> AsyncIterator[tuple[Api, list[Poll], Answer]]:
    """A service with as many requests for one score as may wait, and the answer to one more."""
    evaluation = {"interval": "1h", "source_wait": "200ms"}
    given = settings(place, evaluation=evaluation, limits={"max_waiting": MOST})
    async with (
        serving(given) as api,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        await api.register("one", task_of(), selector={"a": "b"})
        many = Api(session, api.url)
        path = f"{EXPERIMENTS}/one/score?wait=60"
        polls = [asyncio.create_task(many.get(path)) for _ in range(MOST + 1)]
        (refused,), rest = await asyncio.wait(polls, return_when=asyncio.FIRST_COMPLETED)
        yield api, list(rest), refused.result()


async def test_all_that_wait_are_answered_and_one_more_is_refused(tmp_path: Path) -> None:
    async with waiting(tmp_path) as (api, polls, refused):
        assert refused.status == 429
        assert refused.json["detail"].startswith("too many requests wait for scores already")
        # Whoever does not wait is answered as ever.
        assert (await api.score("one"))["status"] == "RUNNING"
        await api.finish("one")
        answers = await asyncio.gather(*polls)
        assert {answer.status for answer in answers} == {200}
        assert {answer.json["status"] for answer in answers} == {"NO_DATA"}
    # From the store, by a service that has just started, it is the same to the byte.
    async with serving(settings(tmp_path)) as api:
        again = await api.get(f"{EXPERIMENTS}/one/score?wait=60")
    assert {answer.text for answer in answers} == {again.text}


async def test_those_that_hang_up_leave_nothing_behind(tmp_path: Path) -> None:
    async with waiting(tmp_path) as (api, polls, _):
        for poll in polls:
            poll.cancel()
        await asyncio.wait(polls)

        async def tasks() -> int:
            return len(asyncio.all_tasks())

        await until(tasks, lambda number: number < 20)
        assert (await api.get(f"{EXPERIMENTS}/one/score?wait=0.01")).status == 200
