"""A service that is killed while it scrapes servers itself, and started again."""

import asyncio
import bisect
import contextlib
import statistics
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.processes import kill, started
from tests.integration.service import Json, has_requests, task_of, unix

from sloscore.simulate.requests import Deployment, Workload
from sloscore.simulate.server import SimulatedServer


@contextlib.asynccontextmanager
async def under_load() -> AsyncIterator[SimulatedServer]:
    async with SimulatedServer("vllm", speed=20) as server:
        server.start_load(Deployment(max_num_seqs=8), Workload(rate=4.0, output_tokens=32.0), 1)
        await finished(server, 5)
        yield server


async def finished(server: SimulatedServer, more: int) -> None:
    """Return when so many more requests have finished."""
    wanted = len(server.log) + more
    async with asyncio.timeout(30):
        while len(server.log) < wanted:  # noqa: ASYNC110  it tells nobody
            await asyncio.sleep(0.01)


def target(server: SimulatedServer) -> Json:
    return {"target": f"http://{server.address}/metrics", "scrape_interval": "200ms"}


def check_counts(report: Json, server: SimulatedServer) -> None:
    """What was counted is the log from the first scrape of all to the closing one."""
    window = report["window"]
    # The service looks at its clock before it asks.
    closing = unix(window["observed_end"]) - 0.001
    last = server.scrapes[bisect.bisect_left(server.scrapes, closing, key=lambda s: s.at)]
    log = [each.request for each in server.log[server.scrapes[0].finished : last.finished]]
    assert report["status"] == "SUCCESS", report["reason"]
    assert window["requests"] == len(log) > 0
    assert report["base_score"] == pytest.approx(statistics.fmean(r.latency for r in log), rel=1e-9)
    assert (window["resets"], window["unseen_head"], window["unseen_tail"]) == (0, 0, 0)


async def test_a_window_counts_the_same_though_its_service_was_killed(tmp_path: Path) -> None:
    async with under_load() as server:
        async with started(tmp_path, None) as (process, api):
            registered = await api.register("one", task_of(), **target(server))
            before = await api.score_until("one", has_requests(5))
            await kill(process)
        # Load goes on while no service runs.
        await finished(server, 20)
        async with started(tmp_path, None) as (_, api):
            live = await api.score_until("one", has_requests(before["window"]["requests"] + 20))
            assert live["window"]["observed_start"] == before["window"]["observed_start"]
            await api.finish("one")
            report = await api.final("one")
    assert report["window"]["start"] == registered.json["start"]
    assert report["window"]["observed_start"] == before["window"]["observed_start"]
    check_counts(report, server)


async def test_a_window_that_has_ended_needs_neither_its_service_nor_its_server(
    tmp_path: Path,
) -> None:
    async with started(tmp_path, None) as (process, api), under_load() as server:
        await api.register("one", task_of(), **target(server))
        await finished(server, 20)
        ended = await api.finish("one")
        await kill(process)
    async with started(tmp_path, None) as (_, api):
        report = await api.final("one")
    assert report["window"]["end"] == ended.json["end"]
    check_counts(report, server)


async def test_a_server_that_is_gone_when_the_service_is_back_is_no_data(tmp_path: Path) -> None:
    async with started(tmp_path, None) as (process, api), under_load() as server:
        await api.register("one", task_of(), **target(server))
        await api.score_until("one", has_requests(5))
        await kill(process)
    async with started(tmp_path, None) as (_, api):
        await api.finish("one")
        report = await api.final("one")
        assert (await api.show("one"))["state"] == "no_data"
    assert (report["status"], report["score"]) == ("NO_DATA", None)
    assert "no scrape showed the server after the window's start" in report["reason"]
    # The service has a target already.
    assert "needs a target" not in report["reason"]
