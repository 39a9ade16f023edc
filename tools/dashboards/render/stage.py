"""A tuning run to draw: simulated servers under load, a Prometheus, and sloscore, for four minutes."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from sloscore.api.server import running_service
from sloscore.settings import Settings
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.simulate.requests import Deployment, Workload
from sloscore.simulate.server import SimulatedServer

Json = Any

SCRAPE_INTERVAL: Final = 1.0
JOB: Final = "sloscore"
CHAT: Final = "llama-8b chat"
BATCH: Final = "summaries"
# The one whose dashboard is drawn.
CLOSE_UP: Final = "chat-seqs-16"

_LOAD_SECONDS: Final = 50.0
_OUTAGE_SECONDS: Final = 4.0
_SPEED: Final = 4.0
_CHAT_LOAD: Final = Workload(rate=7.0, output_tokens=160.0)
_BATCH_LOAD: Final = Workload(rate=3.0, output_tokens=400.0)
_CHAT_SLO: Final[Json] = {
    "latency": {
        "p50": {"threshold": 2.5, "weight": 1.0},
        "p90": {"threshold": 5.0, "weight": 2.0, "hard_fail": True, "fail_ratio": 0.2},
        "p99": {"threshold": 10.0, "weight": 3.0, "hard_fail": True, "fail_ratio": 0.5},
    },
    "ttft": {"threshold": 2.5, "weight": 2.0},
    "throughput": {"threshold": 4000.0},
    "steepness": 0.2,
    "violation_budget": {"count": 2},
}
_BATCH_SLO: Final[Json] = {
    "latency": {"p90": {"threshold": 12.0}},
    "throughput": {"threshold": 4500.0},
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A configuration that the tuner tries; without a deployment there is nothing to measure."""

    name: str
    task: str
    kind: str
    deployment: Deployment | None
    restarts: bool = False


# Those of a round run at the same time; the last round is still running when it is drawn.
ROUNDS: Final[Sequence[Sequence[Candidate]]] = (
    (
        Candidate("chat-seqs-64", CHAT, "vllm", Deployment(max_num_seqs=64)),
        Candidate("batch-seqs-16", BATCH, "sglang", Deployment(max_num_seqs=16)),
    ),
    (
        Candidate("chat-seqs-14", CHAT, "vllm", Deployment(max_num_seqs=14)),
        Candidate("batch-seqs-128", BATCH, "sglang", Deployment(max_num_seqs=128)),
    ),
    (
        Candidate(CLOSE_UP, CHAT, "vllm", Deployment(max_num_seqs=16), restarts=True),
        Candidate("batch-misspelt", BATCH, "sglang", None),
    ),
    (
        Candidate("chat-tp-2", CHAT, "vllm", Deployment(max_num_seqs=64, tensor_parallel=2)),
        Candidate("batch-seqs-64", BATCH, "sglang", Deployment(max_num_seqs=64)),
    ),
)


@dataclass(slots=True)
class Stage:
    """What there is to ask, and which server each experiment ran on."""

    prometheus: str
    start: float
    end: float = 0.0
    close_up: float = 0.0
    servers: dict[str, str] = field(default_factory=dict)


@contextlib.asynccontextmanager
async def played(place: Path, prometheus: PrometheusProcess) -> AsyncIterator[Stage]:
    """The stage at the end of the run, everything still up."""
    settings = Settings.model_validate(
        {
            "listen": {"port": 0},
            "store": {"path": place / "sloscore.db"},
            "prometheus": {"url": prometheus.url},
            "evaluation": {"interval": SCRAPE_INTERVAL, "closing_wait": "5s"},
        }
    )
    async with (
        running_service(settings) as url,
        aiohttp.ClientSession(url, raise_for_status=True) as api,
        contextlib.AsyncExitStack() as servers,
    ):
        address = url.removeprefix("http://")
        prometheus.add_targets(JOB, [address])
        await prometheus.wait_for_scrape(address, time.time())
        stage = Stage(prometheus.url, time.time())
        for number, candidates in enumerate(ROUNDS):
            if any(candidate.name == CLOSE_UP for candidate in candidates):
                stage.close_up = time.time()
            started = [await _start(c, prometheus, stage, servers) for c in candidates]
            await asyncio.gather(*(_register(api, c, stage) for c in candidates))
            await asyncio.sleep(_LOAD_SECONDS / 2)
            for candidate, server in zip(candidates, started, strict=True):
                if candidate.restarts and server is not None:
                    server.restart_process()
            if number == 1:
                # An outage, for the dashboard of the service to show.
                await asyncio.to_thread(prometheus.stop)
                await asyncio.sleep(_OUTAGE_SECONDS)
                await asyncio.to_thread(prometheus.restart)
            await asyncio.sleep(_LOAD_SECONDS / 2)
            if number + 1 < len(ROUNDS):
                await asyncio.gather(*(_finish(api, c) for c in candidates))
                for server in filter(None, started):
                    await server.stop_load()
        stage.end = time.time()
        yield stage


async def _start(
    candidate: Candidate,
    prometheus: PrometheusProcess,
    stage: Stage,
    servers: contextlib.AsyncExitStack,
) -> SimulatedServer | None:
    """The candidate's server, scraped and under load."""
    if candidate.deployment is None:
        stage.servers[candidate.name] = "no-such-server:8000"
        return None
    server = SimulatedServer(candidate.kind, speed=_SPEED)
    await servers.enter_async_context(server)
    load = _CHAT_LOAD if candidate.task == CHAT else _BATCH_LOAD
    server.start_load(candidate.deployment, load, seed=3)
    prometheus.add_targets("inference", [server.address])
    await prometheus.wait_for_scrape(server.address, time.time())
    stage.servers[candidate.name] = server.address
    return server


async def _register(api: aiohttp.ClientSession, candidate: Candidate, stage: Stage) -> None:
    chat = candidate.task == CHAT
    task = {
        "task_name": candidate.task,
        "server": candidate.kind,
        "optimization": {"objective": "minimize_latency" if chat else "maximize_throughput"},
        "slo": _CHAT_SLO if chat else _BATCH_SLO,
        "baseline": "first",
    }
    selector = {"instance": stage.servers[candidate.name]}
    body = {"id": candidate.name, "task": task, "selector": selector}
    await api.post("/api/v1/experiments", json=body)


async def _finish(api: aiohttp.ClientSession, candidate: Candidate) -> None:
    await api.post(f"/api/v1/experiments/{candidate.name}/finish", json={})
    await api.get(f"/api/v1/experiments/{candidate.name}/score?wait=30")
