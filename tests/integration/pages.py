"""Loopback servers of metrics pages that tests write, and engines that finish what tests say."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from sloscore.core.samples import Family, FamilyKind
from sloscore.simulate.prometheus import PrometheusProcess

HOST = "127.0.0.1"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
PATIENCE = 30.0

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def page_of(body: bytes | str, content_type: str = TEXT, status: int = 200) -> web.Response:
    raw = body.encode() if isinstance(body, str) else body
    return web.Response(body=raw, headers={"Content-Type": content_type}, status=status)


class PageServer:
    """Answers every GET as it is told to; ``asked`` holds the path of each request so far."""

    def __init__(self, answer: Answer, port: int = 0) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self._changed = asyncio.Condition()
        self._port = port
        self._runner: web.AppRunner | None = None

    @property
    def address(self) -> str:
        """``host:port``: Prometheus' ``instance`` label."""
        return f"{HOST}:{self._port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}/metrics"

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self._port).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def asked_again(self, times: int = 1, path: str = "/metrics") -> None:
        """Return when this path was asked for that many times more."""
        wanted = self.asked.count(path) + times
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(lambda: self.asked.count(path) >= wanted)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        async with self._changed:
            self._changed.notify_all()
        return await self.answer(request)


@dataclass(frozen=True, slots=True)
class Shown:
    """A scrape: its Unix time, and how many of its engine's requests it showed."""

    at: float
    requests: int


class Engine:
    """One process of a vLLM: its ``log`` is every latency that it has counted."""

    def __init__(
        self,
        *,
        bounds: Sequence[float] = (0.5, 1.0, 2.0),
        tells_start: bool = True,
        born: float | None = None,
        model: str = "m",
    ) -> None:
        self.registry = CollectorRegistry()
        self.log: list[float] = []
        self.shown: list[Shown] = []
        self._latency = Histogram(
            "vllm:e2e_request_latency_seconds",
            "-",
            ["model_name"],
            buckets=bounds,
            registry=self.registry,
        ).labels(model)
        self._tokens = Counter(
            "vllm:generation_tokens", "-", ["model_name"], registry=self.registry
        ).labels(model)
        if tells_start:
            start = Gauge("process_start_time_seconds", "-", registry=self.registry)
            start.set(time.time() if born is None else born)

    def finish(self, latency: float, times: int = 1) -> None:
        """Count so many requests of this latency, with 10 tokens each."""
        for _ in range(times):
            self._latency.observe(latency)
            self._tokens.inc(10)
            self.log.append(latency)

    def between(self, first: Shown, last: Shown) -> list[float]:
        """What it finished between two scrapes."""
        return self.log[first.requests : last.requests]

    def render(self) -> bytes:
        """Its page, which counts as a scrape."""
        self.shown.append(Shown(time.time(), len(self.log)))
        return generate_latest(self.registry)

    async def answer(self, _: web.Request) -> web.Response:
        return page_of(self.render())


LATENCY = Family("latency", FamilyKind.HISTOGRAM, ("vllm:e2e_request_latency_seconds",))
TOKENS = Family("tokens_out", FamilyKind.COUNTER, ("vllm:generation_tokens_total",))
FAMILIES = (LATENCY, TOKENS)


@contextlib.contextmanager
def held_ports(
    prometheus: PrometheusProcess, jobs: Mapping[str, int]
) -> Iterator[Mapping[str, Sequence[int]]]:
    """So many free ports for each job, which a Prometheus scrapes from now on.

    It takes seconds to notice, so a module asks once for all that its tests need.
    """
    held = {job: [socket.socket() for _ in range(number)] for job, number in jobs.items()}
    for each in (each for same in held.values() for each in same):
        # Bound but not listening it keeps others away, and lets a server of ours listen.
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        each.bind((HOST, 0))
    ports = {job: [each.getsockname()[1] for each in same] for job, same in held.items()}
    addresses = {job: [f"{HOST}:{port}" for port in same] for job, same in ports.items()}
    for job, known in addresses.items():
        prometheus.add_targets(job, known)
    yield ports
    prometheus.remove_targets([address for known in addresses.values() for address in known])
    for each in (each for same in held.values() for each in same):
        each.close()
