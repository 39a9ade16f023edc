"""The service that bench_api.py measures, and what it is asked for besides."""

import asyncio

import aiohttp
import orjson

EXPERIMENTS = "/api/v1/experiments"
HARD = {"threshold": 5.0, "weight": 2.0, "hard_fail": True, "fail_ratio": 0.2}
SLO = {
    "latency": {"p50": {"threshold": 2.0}, "p90": HARD},
    "ttft": {"threshold": 1.0},
    "tpot": {"threshold": 0.05},
}
NUMBERS = {
    "slo": SLO,
    "base_score": 2.5,
    "values": {"latency_p50": 2.3, "latency_p90": 4.5, "ttft": 0.4, "tpot": 0.02},
}


class Service:
    """What the benchmark asks of a service."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url

    async def ask(self, path: str, body: object = None) -> bytes:
        method = "GET" if body is None else "POST"
        async with self._session.request(method, self.url + path, json=body) as answer:
            text = await answer.read()
            assert answer.status in {200, 201}, text
            return text

    async def register(self, name: str, server: int) -> None:
        task = {"task_name": "bench", "server": "vllm", "slo": SLO}
        selector = {"instance": f"server-{server}"}
        await self.ask(EXPERIMENTS, {"id": name, "task": task, "selector": selector})

    async def until_counted(self, name: str) -> None:
        """Return once a running experiment has a report of requests."""
        for _ in range(600):
            window = orjson.loads(await self.ask(f"{EXPERIMENTS}/{name}/score"))["window"]
            if window and window["requests"]:
                return
            await asyncio.sleep(0.1)
        raise SystemExit(f"{name} has no requests after a minute")
