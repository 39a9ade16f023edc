"""A simulated inference server: a real HTTP exporter, fed by the request model in real time."""

import asyncio
import contextlib
import heapq
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import IO, Self

import orjson
from aiohttp import web

from sloscore.errors import SloscoreError
from sloscore.simulate.exposition import Exposition
from sloscore.simulate.kinds import KINDS
from sloscore.simulate.requests import Deployment, Request, Workload, serve_requests


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished request and the Unix time at which its histograms counted it."""

    request: Request
    at: float


@dataclass(frozen=True, slots=True)
class Served:
    """A scrape: its Unix time, and how many requests it showed to have come how far."""

    at: float
    first_tokens: int
    finished: int
    admitted: int = 0


class _Event(IntEnum):
    ARRIVAL = 0
    ADMISSION = 1
    FIRST_TOKEN = 2
    FINISH = 3


class SimulatedServer:
    """One server: ``async with`` serves /metrics, ``start_load`` sends it requests.

    ``log`` holds every finished request, ``scrapes`` every scrape: the truth that a measurement
    through Prometheus can be held against. With ``log_file`` each finished request is also written
    there as a line of JSON. ``speed`` makes the load's clock run faster than the wall's; durations
    that the metrics show are of the load's clock. ``buckets`` holds bounds by role that replace
    those which the server comes with. Raises SloscoreError for an unknown kind or role, an address
    that is taken or a log that cannot be written.
    """

    def __init__(  # noqa: PLR0913  each has a default, all but the first are named
        self,
        kind: str = "vllm",
        *,
        model_name: str = "llama-3-1-8b-instruct",
        host: str = "127.0.0.1",
        port: int = 0,
        speed: float = 1.0,
        log_file: Path | None = None,
        buckets: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        if kind not in KINDS:
            raise SloscoreError(f"there is no kind {kind!a}; there are {', '.join(sorted(KINDS))}")
        if unknown := sorted(set(buckets or ()) - set(KINDS[kind].histograms)):
            raise SloscoreError(f"{kind} has no buckets of {', '.join(unknown)}")
        self._kind = KINDS[kind]
        self._model_name = model_name
        self._address = (host, port)
        self._speed = speed
        self._log_file = log_file
        self._out: IO[bytes] | None = None
        self._buckets = buckets
        self._exposition = Exposition(self._kind, model_name, buckets)
        self._runner: web.AppRunner | None = None
        self._load: asyncio.Task[None] | None = None
        self._first_tokens = 0
        self._admitted = 0
        self.log: list[Finished] = []
        self.scrapes: list[Served] = []

    @property
    def address(self) -> str:
        """``host:port`` that it listens on: Prometheus' ``instance`` label."""
        host, port = self._address
        return f"{host}:{port}"

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes([web.get("/metrics", self._metrics)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, *self._address)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise SloscoreError(
                f"cannot listen on {self.address}: {error.strerror}; choose another port"
            ) from error
        self._address = self._runner.addresses[0][:2]
        if self._log_file is not None:
            try:
                self._out = self._log_file.open("ab")
            except OSError as error:
                await self._runner.cleanup()
                raise SloscoreError(
                    f"cannot write {self._log_file}: {error.strerror}; choose another file"
                ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.stop_load()
        finally:
            if self._runner is not None:
                await self._runner.cleanup()
            if self._out is not None:
                self._out.close()

    def start_load(self, deployment: Deployment, workload: Workload, seed: int) -> None:
        """Send requests from now on; raises SloscoreError where the deployment cannot start."""
        deployment.kv_tokens  # noqa: B018  reading it is what checks the memory
        if self._load is not None:
            raise SloscoreError("the load is already running: stop it first")
        self._load = asyncio.create_task(self._play(serve_requests(deployment, workload, seed)))

    async def stop_load(self) -> None:
        """Drop all requests, running and waiting ones too; raises what broke the load."""
        load, self._load = self._load, None
        if load is not None:
            load.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await load
            self._exposition.set_load(0, 0)

    async def wait_load(self) -> None:
        """Wait until the load breaks, which raises why; a load has no end of its own."""
        if self._load is not None:
            await self._load

    def restart_process(self) -> None:
        """Begin all metrics anew, as a server does that crashed and came back."""
        self._exposition = Exposition(self._kind, self._model_name, self._buckets)

    async def _metrics(self, request: web.Request) -> web.Response:
        body, content_type = self._exposition.render(request.headers.get("Accept", ""))
        self.scrapes.append(Served(time.time(), self._first_tokens, len(self.log), self._admitted))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _play(self, requests: Iterator[Request]) -> None:
        began = time.monotonic()
        events: list[tuple[float, _Event, int, Request]] = []
        following = next(requests)
        running = waiting = 0
        while True:
            now = (time.monotonic() - began) * self._speed
            while following.arrival <= now:
                for at, event in (
                    (following.arrival, _Event.ARRIVAL),
                    (following.admitted, _Event.ADMISSION),
                    (following.first_token, _Event.FIRST_TOKEN),
                    (following.finished, _Event.FINISH),
                ):
                    heapq.heappush(events, (at, event, following.number, following))
                following = next(requests)
            while events and events[0][0] <= now:
                _, event, _, request = heapq.heappop(events)
                waiting += (event is _Event.ARRIVAL) - (event is _Event.ADMISSION)
                running += (event is _Event.ADMISSION) - (event is _Event.FINISH)
                self._apply(event, request)
            self._exposition.set_load(running, waiting)
            due = min(following.arrival, events[0][0] if events else following.arrival)
            await asyncio.sleep(max(0.0, due - now) / self._speed)

    def _apply(self, event: _Event, request: Request) -> None:
        if event is _Event.ADMISSION:
            self._exposition.admit(request)
            self._admitted += 1
        elif event is _Event.FIRST_TOKEN:
            self._exposition.give_first_token(request)
            self._first_tokens += 1
        elif event is _Event.FINISH:
            self._exposition.finish(request)
            self._record(Finished(request, time.time()))

    def _record(self, finished: Finished) -> None:
        self.log.append(finished)
        if self._out is not None:
            request = finished.request
            line = {
                "number": request.number,
                "finished_at": finished.at,
                "latency": request.latency,
                "ttft": request.ttft,
                "tpot": request.tpot,
                "queue": request.queue,
                "failed": request.failed,
                "prompt_tokens": request.prompt_tokens,
                "output_tokens": request.output_tokens,
            }
            self._out.write(orjson.dumps(line) + b"\n")
            self._out.flush()
