"""Pages and servers for every kind of metric source, and a reader that treats all kinds alike."""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from threading import Thread

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from tests.integration.pages import FAMILIES, PATIENCE, Answer, Engine, PageServer, page_of

from sloscore.core.samples import Family, FamilyKind, InstanceSample, Target
from sloscore.errors import SourceError
from sloscore.simulate.requests import Deployment, Workload
from sloscore.simulate.server import SimulatedServer
from sloscore.sources.base import MetricSource, RecordingSource, Snapshot

KINDS = ("prometheus", "page", "routed-prometheus", "routed-page")
NASTY = ('"', "\\", "a\nb", "a\rb", "a\u2028b", "\\n", "}", "=,", "ünï©ode 😀", "", " a ")
MILLISECONDS = Family("ttft", FamilyKind.HISTOGRAM, ("lab:ttft_ms", "lab_ttft_ms"), scale=0.001)
RICH = (
    MILLISECONDS,
    Family("tokens", FamilyKind.COUNTER, ("lab:tokens_total",)),
    Family("steps", FamilyKind.COUNTER, ("lab:steps",)),
)


def rich() -> Answer:
    """A page with a child for each nasty label value, and a counter that lacks ``_total``."""
    registry = CollectorRegistry()
    ttft = Histogram("lab:ttft_ms", "-", ["m"], buckets=[500, 1000], registry=registry)
    tokens = Counter("lab:tokens", "-", ["m"], registry=registry)
    for number, value in enumerate(NASTY, start=1):
        tokens.labels(value).inc(number)
        for _ in range(number):
            ttft.labels(value).observe(700)
    Gauge("process_start_time_seconds", "-", registry=registry).set(1.6e9)
    text = generate_latest(registry) + b"# TYPE lab:steps counter\nlab:steps 12.5\n"

    async def answer(_: web.Request) -> web.Response:
        return page_of(text)

    return answer


def counting() -> Answer:
    """One request more at each scrape."""
    engine = Engine(born=1.6e9)

    async def answer(_: web.Request) -> web.Response:
        engine.finish(0.75)
        return page_of(engine.render())

    return answer


def restarting() -> Answer:
    """Nobody at the fifth and sixth scrape, and another process from then on."""
    engines = {born: Engine(born=born) for born in (1.6e9, 1.7e9)}
    scrapes = itertools.count(1)

    async def answer(_: web.Request) -> web.Response:
        scrape = next(scrapes)
        if scrape in {5, 6}:
            return page_of("", status=500)
        engine = engines[1.6e9 if scrape < 5 else 1.7e9]
        engine.finish(0.75, times=10 if scrape == 7 else 1)
        return page_of(engine.render())

    return answer


def torn() -> Answer:
    engine = Engine()
    engine.finish(0.75)

    async def answer(_: web.Request) -> web.Response:
        whole = engine.render()
        return page_of(whole.replace(b'_count{model_name="m"} 1', b'_count{model_name="m"} 2'))

    return answer


def down() -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return page_of("", status=500)

    return answer


PAGES: dict[str, Callable[[], Answer]] = {
    "rich": rich,
    "counting": counting,
    "restarting": restarting,
    "torn": torn,
    "down": down,
}
SERVERS = ("vllm", "sglang")


class Lab:
    """Each page and each server once for every kind of source, in a thread that keeps serving."""

    def __init__(self) -> None:
        self.began = time.time()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._stack = AsyncExitStack()
        self.pages = {(k, n): PageServer(make()) for n, make in PAGES.items() for k in KINDS}
        self.servers = {(k, n): SimulatedServer(n, speed=20) for n in SERVERS for k in KINDS}

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(PATIENCE)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._stack.aclose(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def address(self, kind: str, name: str) -> str:
        page = self.pages.get((kind, name))
        return page.address if page else self.servers[kind, name].address

    @contextmanager
    def loaded(self, kind: str, name: str) -> Iterator[SimulatedServer]:
        """A server while it gets requests."""
        server = self.servers[kind, name]

        async def load() -> None:
            workload = Workload(rate=4.0, output_tokens=32.0)
            server.start_load(Deployment(max_num_seqs=8), workload, seed=1)

        asyncio.run_coroutine_threadsafe(load(), self._loop).result(PATIENCE)
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(server.stop_load(), self._loop).result(PATIENCE)

    async def _start(self) -> None:
        for page in self.pages.values():
            await self._stack.enter_async_context(page)
        for server in self.servers.values():
            await self._stack.enter_async_context(server)


@dataclass(frozen=True)
class Reader:
    """A source of one kind, and the lab's targets as it knows them."""

    kind: str
    lab: Lab
    source: MetricSource
    recorder: RecordingSource | None

    def target(self, name: str, families: Sequence[Family] = FAMILIES) -> Target:
        """A target that is scraped from now on at the latest."""
        selector = (("job", f"{self.kind}-{name}"),)
        url = f"http://{self.lab.address(self.kind, name)}/metrics" if "page" in self.kind else None
        target = Target(name, selector, tuple(families), url, scrape_interval=0.05 if url else None)
        if self.recorder is not None:
            self.recorder.restore(target, ())
        return target

    async def snapshot(self, target: Target, at: float) -> Snapshot | SourceError:
        return (await self.source.snapshot([target], at))[target.key]

    async def once(
        self, target: Target, holds: Callable[[Snapshot | SourceError], bool]
    ) -> Snapshot | SourceError:
        """The first snapshot of now that something holds of."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = await self.snapshot(target, time.time())
                if holds(found):
                    return found
                await asyncio.sleep(0.02)

    async def history(self, target: Target, scrapes: int) -> Snapshot:
        """All samples so far of a target that was scraped at least this often."""
        async with asyncio.timeout(PATIENCE):
            while True:
                samples = await self.source.samples(target, self.lab.began, time.time())
                if len(samples) >= scrapes:
                    return samples
                await asyncio.sleep(0.02)

    async def two_scrapes(self, target: Target, after: float) -> tuple[float, float]:
        """The times of the first two in succession later than that which both brought requests.

        A server may answer late a scrape that was given up: as if it were the next one. And
        VictoriaMetrics shows that one succeeded before it shows what it brought.
        """
        async with asyncio.timeout(PATIENCE):
            while True:
                samples = await self.source.samples(target, after, time.time())
                for one, other in itertools.pairwise(samples):
                    if one.histograms and other.histograms:
                        return one.time, other.time
                await asyncio.sleep(0.02)


def shows_requests(found: Snapshot | SourceError) -> bool:
    return not isinstance(found, SourceError) and any(sample.histograms for sample in found)


def seen(found: Snapshot | SourceError) -> Snapshot:
    assert not isinstance(found, SourceError), found
    return found


def requests(sample: InstanceSample) -> float:
    (histogram,) = sample.histograms.values()
    return histogram.count
