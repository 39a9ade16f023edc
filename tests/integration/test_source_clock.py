"""A Prometheus whose clock is wrong, or that refuses everything, on a loopback server in its place."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from sloscore.core.samples import Family, FamilyKind, Target
from sloscore.errors import SourceDownError
from sloscore.settings import PrometheusSettings
from sloscore.sources.clock import PunctualSource
from sloscore.sources.prometheus import PrometheusSource

TARGETS = [
    Target(name, (("job", name),), (Family("ttft", FamilyKind.HISTOGRAM, ("a:ttft",)),))
    for name in ("one", "two")
]


class Engine:
    """An engine without series whose clock is ``ahead`` by so many seconds, or that is busy."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.is_busy = False
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        query = str((await request.post())["query"])
        self.asked.append(query)
        if self.is_busy:
            return web.Response(status=503, text="busy")
        now = time.time() + self.ahead
        row = {"metric": {}, "value": [now, str(now)]}
        rows = [row] if query == "vector(time())" else []
        data = {"resultType": "vector", "result": rows}
        return web.json_response({"status": "success", "data": data})


Told = list[float | None]


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
async def source(
    engine: Engine,
    told: Told,
    aiohttp_server: Callable[[web.Application], Awaitable[TestServer]],
) -> AsyncIterator[PunctualSource]:
    app = web.Application()
    app.router.add_post("/api/v1/query", engine.answer)
    server = await aiohttp_server(app)
    plain = PrometheusSource(PrometheusSettings(url=f"http://127.0.0.1:{server.port}"))
    source = PunctualSource(plain, 2.0, time.time, told.append)
    yield source
    await source.close()


async def errors(source: PunctualSource) -> Sequence[SourceDownError]:
    found = await source.snapshot(TARGETS, time.time())
    assert found.keys() == {target.key for target in TARGETS}
    return [error for error in found.values() if isinstance(error, SourceDownError)]


@pytest.mark.parametrize(("ahead", "side"), [(300.0, "ahead of"), (-300.0, "behind")])
async def test_a_source_of_another_time_is_asked_for_nothing_but_the_time(
    engine: Engine, source: PunctualSource, told: Told, ahead: float, side: str
) -> None:
    engine.ahead = ahead

    found = await errors(source)

    assert len(found) == len(TARGETS)
    assert {error.kind for error in found} == {"clock"}
    apart = re.search(rf"Prometheus' is (\d+\.\d) s {side} this machine's", str(found[0]))
    assert apart
    assert float(apart[1]) == pytest.approx(300.0, abs=1.0)
    for ask in (source.samples(TARGETS[0], 0.0, 10.0), source.names(TARGETS[0], 10.0, 10.0)):
        with pytest.raises(SourceDownError, match="the clocks differ"):
            await ask
    assert set(engine.asked) == {"vector(time())"}
    assert told[-1] == pytest.approx(ahead, abs=1.0)


async def test_clocks_that_differ_by_less_than_is_allowed_are_told_and_believed(
    engine: Engine, source: PunctualSource, told: Told
) -> None:
    engine.ahead = 1.0

    assert await errors(source) == []

    assert len(engine.asked) == 2
    (ahead,) = told
    assert ahead == pytest.approx(1.0, abs=0.9)


async def test_a_source_is_believed_again_as_soon_as_its_clock_is_right(
    engine: Engine, source: PunctualSource
) -> None:
    engine.ahead = -60.0
    assert await errors(source)
    engine.ahead = 0.0

    assert await errors(source) == []


async def test_a_source_that_refuses_everything_is_asked_once_by_all_together(
    engine: Engine, source: PunctualSource, told: Told
) -> None:
    engine.is_busy = True

    found = await asyncio.gather(*(errors(source) for _ in range(20)))

    assert all("answered HTTP 503: busy" in str(error) for each in found for error in each)
    assert engine.asked == ["vector(time())"]
    assert told == [None]
