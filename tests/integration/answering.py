"""What a loopback server answers in the place of a Prometheus, and what a source makes of it."""

from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from sloscore.core.samples import Family, FamilyKind, Target
from sloscore.errors import SourceError
from sloscore.sources.prometheus import PrometheusSource

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[..., Awaitable[str]]
SourceOf = Callable[..., PrometheusSource]

FAMILY = Family("ttft", FamilyKind.HISTOGRAM, ("a:ttft",))
SESAME = "hunter2"
EMPTY = {"status": "success", "data": {"resultType": "vector", "result": []}}


def target(name: str) -> Target:
    return Target(name, (("instance", name),), (FAMILY,))


async def answer_nothing(_request: web.Request) -> web.Response:
    return web.json_response(EMPTY)


async def failure_of(source: PrometheusSource) -> SourceError:
    with pytest.raises(SourceError) as raised:
        await source.check()
    return raised.value
