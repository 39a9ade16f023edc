"""Stands between a service and a real Prometheus, and misbehaves as it is told to."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
import orjson
from aiohttp import web
from tests.integration.pages import HOST

Document = dict[str, Any]
TIME = "vector(time())"


@dataclass(frozen=True)
class Call:
    """One query of the service."""

    proxy: "FaultProxy"
    request: web.Request
    form: Mapping[str, str]

    @property
    def query(self) -> str:
        return self.form["query"]

    async def forward(self, form: Mapping[str, str] | None = None) -> Document:
        """What Prometheus answers to it, or to another form."""
        return await self.proxy.ask(self.form if form is None else form)

    def drop(self) -> None:
        """Reset the connection."""
        assert self.request.transport is not None
        self.request.transport.abort()


Fault = Callable[[Call], Awaitable[web.StreamResponse]]


async def passed_on(call: Call) -> web.StreamResponse:
    return web.json_response(body=orjson.dumps(await call.forward()))


class FaultProxy:
    """Passes queries on to a Prometheus until it has a ``fault``; then that answers in its place.

    ``healed`` is set while there is none. With ``certificate``, which can be changed while nobody
    is listening, it speaks TLS.
    """

    def __init__(self, upstream: str, certificate: ssl.SSLContext | None = None) -> None:
        self.fault: Fault = passed_on
        self.certificate = certificate
        self.healed = asyncio.Event()
        self._upstream = upstream
        self._port = 0
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://{HOST}:{self._port}"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.healed.set()
        await self.hang_up()
        assert self._session is not None
        await self._session.close()

    async def listen(self) -> None:
        """Take connections, always at the same port."""
        app = web.Application()
        app.router.add_post("/api/v1/query", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self._port, ssl_context=self.certificate)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def hang_up(self) -> None:
        """End all connections and refuse new ones."""
        assert self._runner is not None
        await self._runner.cleanup()

    async def ask(self, form: Mapping[str, str]) -> Document:
        assert self._session is not None
        async with self._session.post(f"{self._upstream}/api/v1/query", data=form) as answer:
            document: Document = orjson.loads(await answer.read())
            return document

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        return await self.fault(Call(self, request, form))
