"""Requests for experiments of another shard are refused."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from sloscore.sharding import Shard

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def require_own(shard: Shard) -> Middleware:
    """A middleware that raises MisdirectedError where the path names another shard's experiment."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if (experiment := request.match_info.get("id")) is not None:
            shard.require(experiment)
        return await handler(request)

    return check
