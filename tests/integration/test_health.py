"""Probes: alive is who evaluates, ready is who takes work."""

import asyncio
import signal
import socket
import time
from pathlib import Path

import aiohttp
import pytest
from tests.cli.command import Process, running
from tests.integration.processes import kill, started
from tests.integration.service import NOWHERE, PROBLEM, Api, serving, settings, task_of, until

TASK = task_of(selector={"instance": "x"})


async def test_a_source_that_is_away_is_told_and_keeps_nobody_from_registering(
    tmp_path: Path,
) -> None:
    async with serving(settings(tmp_path)) as api:
        ready = await api.get("/-/ready")
        assert (await api.register("one", TASK)).status == 201
    assert ready.status == 200
    assert ready.text.startswith("sloscore is ready, but scores nothing for now: cannot reach")


async def test_it_is_alive_while_rounds_of_evaluations_begin_and_not_long_after(
    tmp_path: Path,
) -> None:
    ahead = 0.0
    given = settings(tmp_path, evaluation={"interval": "1m"})
    async with serving(given, lambda: time.time() + ahead) as api:
        alive = await api.get("/-/healthy")
        ahead = 630.0
        late = await api.get("/-/healthy")
        ahead = 700.0
        stalled = await api.get("/-/healthy")
    assert (alive.status, late.status, stalled.status) == (200, 200, 503)
    assert stalled.type == PROBLEM
    assert "No round of evaluations began for 70" in stalled.json["detail"]


async def test_it_is_not_ready_until_the_running_experiments_are_taken_up(tmp_path: Path) -> None:
    async with started(tmp_path) as (process, api):
        for name in ("one", "two"):
            await api.register(name, TASK)
        await kill(process)
    # Accepts connections and answers nothing: the first evaluation takes as long as it may.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        given = settings(tmp_path, url, prometheus={"timeout": "5s"})
        async with serving(given) as api:
            early = await api.get("/-/ready")
            alive = await api.get("/-/healthy")
            silent.close()
            await until(lambda: api.get("/-/ready"), lambda answer: answer.status == 200)
            assert (await api.score("one"))["status"] == "RUNNING"
    assert (early.status, early.type, alive.status) == (503, PROBLEM, 200)
    assert "2 experiments are still taken up" in early.json["detail"]


@pytest.fixture
def drained(tmp_path: Path) -> tuple[str, ...]:
    path = tmp_path / "c.yaml"
    path.write_text("listen: {port: 0, drain: 10m}\n")
    store = ("--store", str(tmp_path / "s.db"))
    return ("serve", "--config", str(path), "--prometheus", NOWHERE, *store)


async def stop_when_unready(process: Process, api: Api) -> None:
    process.send(signal.SIGTERM)
    unready = await until(lambda: api.get("/-/ready"), lambda answer: answer.status == 503)
    assert unready.json["detail"] == "The service stops."


async def test_it_drains_before_it_stops_and_a_second_signal_ends_that(
    drained: tuple[str, ...],
) -> None:
    asked = asyncio.Event()

    async def on_sent(_: object, __: object, params: aiohttp.TraceRequestHeadersSentParams) -> None:
        if params.url.path.endswith("/score"):
            asked.set()

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(on_sent)
    async with (
        running(*drained) as process,
        aiohttp.ClientSession(trace_configs=[trace]) as session,
    ):
        api = Api(session, (await process.line()).split()[-1])
        await stop_when_unready(process, api)
        # It works as before.
        assert (await api.register("one", TASK)).status == 201
        assert (await api.get("/-/healthy")).status == 200
        waiting = asyncio.create_task(api.score("one", 60))
        await asked.wait()
        # Whatever arrived before this is being answered once this is.
        assert (await api.get("/-/healthy")).status == 200
        process.send(signal.SIGTERM)
        assert (await process.end()).code == 0
        assert (await waiting)["status"] == "RUNNING"
