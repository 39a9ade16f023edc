"""Phases of a real load that changes, held against the log of the server that it is sent to."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.integration.pages import held_ports
from tests.integration.processes import kill, started
from tests.integration.service import (
    EXPERIMENTS,
    Api,
    Json,
    requests_between,
    task_of,
    unix,
)

from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.simulate.requests import Deployment, Workload
from sloscore.simulate.server import SimulatedServer

pytestmark = pytest.mark.prometheus

DEPLOYMENT = Deployment(max_num_seqs=8)
LIGHT, HEAVY = Workload(rate=3.0, output_tokens=32.0), Workload(rate=3.0, output_tokens=512.0)


@pytest.fixture(scope="module")
def port(prometheus: PrometheusProcess) -> Iterator[int]:
    with held_ports(prometheus, {"phases": 1}) as ports:
        yield ports["phases"][0]


@pytest.fixture
async def server(port: int, prometheus: PrometheusProcess) -> AsyncIterator[SimulatedServer]:
    async with SimulatedServer("vllm", port=port, speed=20.0) as server:
        await prometheus.wait_for_scrape(server.address, time.time())
        yield server


async def scraped(server: SimulatedServer, more: int) -> None:
    """Return after that many more scrapes."""
    wanted = len(server.scrapes) + more
    async with asyncio.timeout(30):
        while len(server.scrapes) < wanted:  # noqa: ASYNC110  it tells nobody
            await asyncio.sleep(0.01)


async def under(server: SimulatedServer, workload: Workload) -> None:
    await server.stop_load()
    server.start_load(DEPLOYMENT, workload, seed=1)


def task(score: Json) -> Json:
    limit = {"threshold": 0.6, "weight": 0.1, "hard_fail": True, "fail_ratio": 1000.0}
    slo = {"latency": {"p90": limit}, "steepness": 100.0}
    return task_of(slo={**slo, "phases": {"score": score, "ignore": ["blink"]}})


def check(phase: Json, server: SimulatedServer) -> None:
    """A phase counted what the log says that finished between two scrapes within it."""
    window = phase["window"]
    latencies = sorted(each.latency for each in requests_between(server, window))
    assert window["requests"] == len(latencies) >= 10
    assert phase["base_score"] == pytest.approx(sum(latencies) / len(latencies), rel=1e-9)
    (sli,) = phase["slis"]
    p90 = latencies[math.ceil(0.9 * len(latencies)) - 1]
    assert sli["lower"] <= p90 <= float(sli["upper"])


async def start(api: Api, name: str, **more: Json) -> Json:
    answer = await api.post(f"{EXPERIMENTS}/one/phases", {"name": name, **more})
    assert answer.status == 200, answer.text
    return answer.json["phases"][-1]["start"]


async def test_each_phase_counts_its_own_requests_though_the_service_was_killed(
    server: SimulatedServer, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    async with started(tmp_path, prometheus.url) as (process, api):
        await api.register("one", task("worst"), selector={"instance": server.address})
        await under(server, LIGHT)
        await start(api, "light")
        await scraped(server, 4)
        before = await api.score_until(
            "one", lambda report: report["phases"][0]["window"]["requests"] > 0
        )
        assert (before["scored_phase"], before["phases"][0]["status"]) == ("light", "RUNNING")
        await under(server, HEAVY)
        begun = await start(api, "heavy")
        # It was answered, so it is there.
        await kill(process)
    await scraped(server, 4)
    async with started(tmp_path, prometheus.url) as (_, api):
        first, second = (await api.show("one"))["phases"]
        assert (first["end"], second["start"], second["end"]) == (begun, begun, None)
        live = await api.score_until("one", lambda report: report["phases"][1]["score"] is not None)
        check(live["phases"][0], server)
        await scraped(server, 1)
        # Two marks so close to each other that no two scrapes lie between them.
        blink = unix(await start(api, "blink"))
        await start(api, "rest", start=blink + 0.1)
        await scraped(server, 4)
        await api.finish("one")
        final = await api.final("one")
        shown = await api.show("one")
    phases = {phase["name"]: phase for phase in final["phases"]}
    for name in ("light", "heavy", "rest"):
        check(phases[name], server)
    assert [p["end"] for p in shown["phases"]] == [p["end"] for p in final["phases"]]
    assert shown["phases"][-1]["end"] == shown["end"]
    # No request is in two phases: each ends before the next one is counted.
    bounds = [
        unix(phases[name]["window"][bound])
        for name in ("light", "heavy", "rest")
        for bound in ("observed_start", "observed_end")
    ]
    assert bounds == sorted(bounds)
    assert unix(phases["heavy"]["window"]["observed_start"]) >= unix(begun)
    assert (phases["blink"]["status"], phases["blink"]["counts"]) == ("NO_DATA", False)
    assert "of the phase's 0.1 s" in phases["blink"]["reason"]
    assert final["status"] == "SUCCESS"
    worst = max(("light", "heavy", "rest"), key=lambda name: phases[name]["score"])
    assert (final["scored_phase"], final["score"]) == (worst, phases[worst]["score"])
    assert worst != "light"
    assert final["whole"]["window"] == final["window"]
    assert final["whole"]["score"] < final["score"]
    check(final["whole"], server)
