"""Requests for experiments of another shard are refused."""

from aiohttp import web

from sloscore.api.problems import Check
from sloscore.sharding import Shard


def require_own(shard: Shard) -> Check:
    """A check that raises MisdirectedError where the path names another shard's experiment."""

    def check(request: web.Request) -> None:
        if (experiment := request.match_info.get("id")) is not None:
            shard.require(experiment)

    return check
