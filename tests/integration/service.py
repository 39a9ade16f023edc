"""The service over HTTP, and deployments that it scores: what the tests of the service share."""

import asyncio
import bisect
import contextlib
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import Any, Self, TypeVar

import aiohttp
import orjson
from yarl import URL

from sloscore.api.server import running_service
from sloscore.settings import Settings
from sloscore.simulate.requests import Deployment, Request, Workload
from sloscore.simulate.server import SimulatedServer

T = TypeVar("T")
Json = Any

EXPERIMENTS = "/api/v1/experiments"
PROBLEM = "application/problem+json"
# Nobody listens on this port: connections are refused at once.
NOWHERE = "http://127.0.0.1:1"
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the service; ``json`` is None where it is not JSON."""

    status: int
    type: str
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Json:
        return orjson.loads(self.text) if "json" in self.type else None


class Api:
    """A client of one service, which sends what it is told to and judges nothing."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Json = None,
        raw: bytes | AsyncIterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request; ``path`` holds its query as it goes over the wire, ``raw`` is no JSON."""
        url = URL(self.url + path, encoded=True)
        async with self._session.request(
            method, url, json=body, data=raw, headers=headers
        ) as answer:
            text = await answer.text()
            return Answer(answer.status, answer.content_type, answer.headers, text)

    async def get(self, path: str) -> Answer:
        return await self.request("GET", path)

    async def post(self, path: str, body: Json = None) -> Answer:
        return await self.request("POST", path, body=body)

    async def register(self, name: str, task: Json, **more: Json) -> Answer:
        return await self.post(EXPERIMENTS, {"id": name, "task": task, **more})

    async def finish(self, name: str, **more: Json) -> Answer:
        return await self.post(f"{EXPERIMENTS}/{name}/finish", more)

    async def abort(self, name: str, **more: Json) -> Answer:
        return await self.post(f"{EXPERIMENTS}/{name}/abort", more)

    async def show(self, name: str) -> Json:
        return (await self.get(f"{EXPERIMENTS}/{name}")).json

    async def score(self, name: str, wait: float = 0) -> Json:
        """The report, of the end where it comes within ``wait`` seconds."""
        return (await self.get(f"{EXPERIMENTS}/{name}/score?wait={wait:g}")).json

    async def final(self, name: str) -> Json:
        """The final report, from a long poll that could wait for longer than is allowed here."""
        async with asyncio.timeout(PATIENCE):
            report = await self.score(name, 2 * PATIENCE)
        assert report["status"] != "RUNNING", report
        return report

    async def score_until(self, name: str, holds: Callable[[Json], bool]) -> Json:
        """The first report that something holds of."""
        return await until(lambda: self.score(name), holds)


async def until(
    ask: Callable[[], Coroutine[Any, Any, T]], holds: Callable[[T], bool], seconds: float = PATIENCE
) -> T:
    """The first answer that something holds of; fails after that many seconds without one."""
    deadline = time.monotonic() + seconds
    while not holds(answer := await ask()):
        assert time.monotonic() < deadline, f"{answer} is all there is after {seconds:g} s"
        await asyncio.sleep(0.05)
    return answer


def has_requests(number: float) -> Callable[[Json], bool]:
    """Whether a report counts at least this many requests."""
    return lambda report: report["window"]["requests"] >= number


def settings(place: Path, url: str = NOWHERE, **sections: Json) -> Settings:
    """Settings of a service on a free port; it asks the Prometheus at ``url`` five times a second."""
    evaluation = {"interval": "200ms", "closing_wait": "3s", **sections.pop("evaluation", {})}
    data = {
        "listen": {"port": 0},
        "store": {"path": place / "sloscore.db"},
        "prometheus": {"url": url, **sections.pop("prometheus", {})},
        "evaluation": evaluation,
        **sections,
    }
    return Settings.model_validate(data)


@contextlib.asynccontextmanager
async def serving(given: Settings, clock: Callable[[], float] = time.time) -> AsyncIterator[Api]:
    """A service in this process, and a client of it."""
    async with running_service(given, clock) as url, aiohttp.ClientSession() as session:
        yield Api(session, url)


def task_of(
    name: str = "chat", *, server: str = "vllm", objective: str = "minimize_latency", **more: Json
) -> Json:
    """A task without a selector; its SLO is met by any deployment unless ``slo`` says otherwise."""
    slo = {"latency": {"p90": {"threshold": 5000.0, "weight": 2.0}}}
    return {
        "task_name": name,
        "server": server,
        "optimization": {"objective": objective},
        "slo": slo,
        **more,
    }


class Deployments:
    """Simulated servers under load, in a thread that keeps serving whatever a test does.

    ``quick`` is a vLLM with room to spare, ``slow`` an SGLang that queues most of its requests.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._stack = contextlib.AsyncExitStack()
        self.quick = SimulatedServer("vllm", speed=10)
        self.slow = SimulatedServer("sglang", speed=10)

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def addresses(self) -> Sequence[str]:
        """What a Prometheus has to scrape."""
        return (self.quick.address, self.slow.address)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What a coroutine returns that runs in the servers' thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _start(self) -> None:
        workload = Workload(rate=6.0, output_tokens=64.0)
        for server, batch in ((self.quick, 64), (self.slow, 4)):
            await self._stack.enter_async_context(server)
            server.start_load(Deployment(max_num_seqs=batch), workload, seed=1)


def requests_between(server: SimulatedServer, window: Json) -> list[Request]:
    """The requests that finished between the two scrapes which a report observed."""
    start, end = (_shown_at(server, window[name]) for name in ("observed_start", "observed_end"))
    return [finished.request for finished in server.log[start:end]]


def is_closed_in_time(server: SimulatedServer, window: Json) -> bool:
    """Whether the first scrape at or after a window's end was the last that it counts."""
    end, observed = unix(window["end"]), unix(window["observed_end"])
    # One scrape may have begun before the end and been answered after it.
    between = [scrape for scrape in server.scrapes if end < scrape.at < observed - 0.01]
    return observed >= end and len(between) <= 1


def unix(text: str) -> float:
    """Unix seconds of a time as the API writes it."""
    return datetime.fromisoformat(text).timestamp()


def _shown_at(server: SimulatedServer, time_of_scrape: str) -> int:
    # The server looks at its clock when it answers, Prometheus before it asks, to the millisecond.
    scrapes = list(server.scrapes)
    place = bisect.bisect_left(scrapes, unix(time_of_scrape) - 0.01, key=lambda scrape: scrape.at)
    return scrapes[place].finished
