"""What a tuner does over HTTP: register, look, finish, take the score."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import aiohttp
import orjson

from sloscore.errors import SloscoreError
from sloscore.wire import Report

_WAIT_SECONDS = 30


class Tuner:
    """The calls of one tuner to the service at ``url``; use it with ``async with``."""

    def __init__(self, url: str) -> None:
        self._api = f"{url}/api/v1/experiments"
        self._session = aiohttp.ClientSession()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def register(
        self, name: str, task: Mapping[str, Any], server: str, deployment: Mapping[str, Any]
    ) -> None:
        """The load has started: score what this deployment does from now on."""
        body = {"id": name, "task": task, "server": server, **deployment}
        await self._call("POST", self._api, body)

    async def score(self, name: str) -> Report:
        """The score so far."""
        return Report.model_validate_json(await self._call("GET", f"{self._api}/{name}/score"))

    async def finish(self, name: str) -> None:
        """The load has ended."""
        await self._call("POST", f"{self._api}/{name}/finish", {})

    async def final_score(self, name: str) -> Report:
        """The score after the closing scrape; waits for it."""
        url = f"{self._api}/{name}/score?wait={_WAIT_SECONDS}"
        return Report.model_validate_json(await self._call("GET", url))

    async def scores(self, names: Sequence[str]) -> list[Report]:
        """The scores so far, in the order of the names."""
        return [await self.score(name) for name in names]

    async def _call(self, method: str, url: str, body: object = None) -> bytes:
        try:
            async with self._session.request(method, url, json=body) as answer:
                text = await answer.read()
        except aiohttp.ClientError as error:
            raise SloscoreError(f"the service does not answer at {url}: {error}") from error
        if answer.status >= 400:
            raise SloscoreError(f"the service refuses {url}: {orjson.loads(text)['detail']}")
        return text
