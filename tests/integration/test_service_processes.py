"""The service as a process of its own: killed, started again, and stopped while clients wait."""

import asyncio
import signal
import statistics
import time
from pathlib import Path

import aiohttp
import pytest
from tests.cli.command import running
from tests.integration.processes import kill, started
from tests.integration.service import (
    Deployments,
    Json,
    has_requests,
    is_closed_in_time,
    requests_between,
    serving,
    settings,
    task_of,
)

from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.simulate.server import SimulatedServer

pytest_plugins = ["tests.integration.service_fixtures"]

# SIGTERM must end the service within this many seconds, whatever its clients do.
SHUTDOWN_SECONDS = 5.0


def check_counts(report: Json, server: SimulatedServer) -> None:
    requests = requests_between(server, report["window"])
    assert report["window"]["requests"] == len(requests) > 0
    mean = statistics.fmean(request.latency for request in requests)
    assert report["base_score"] == pytest.approx(mean, rel=1e-9)


@pytest.mark.prometheus
async def test_a_killed_service_takes_up_its_experiments_and_keeps_its_scores(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    selector = {"instance": deployments.quick.address}
    async with started(tmp_path, prometheus.url) as (process, api):
        for name in ("ended", "ending", "live"):
            await api.register(name, task_of(), selector=selector)
        await api.score_until("live", has_requests(10))
        await api.finish("ended")
        score = await api.final("ended")
        before = await api.score("live")
        end = (await api.finish("ending")).json["end"]
        await kill(process)
    # Load and scrapes go on while no service runs.
    await prometheus.wait_for_scrape(deployments.quick.address, time.time() + 0.5)
    async with started(tmp_path, prometheus.url) as (process, api):
        assert await api.score("ended") == score
        assert 'sloscore_experiment_score{experiment="ended"' in (await api.get("/metrics")).text
        assert (await api.show("live"))["state"] == "running"
        ending = await api.final("ending")
        assert ending["window"]["end"] == end
        check_counts(ending, deployments.quick)
        # The scrape that closed this window came while nobody ran, and later ones count no more.
        assert is_closed_in_time(deployments.quick, ending["window"])
        live = await api.score_until("live", has_requests(before["window"]["requests"] + 1))
        assert live["window"]["start"] == before["window"]["start"]
        check_counts(live, deployments.quick)
        await api.finish("live")
        final = await api.final("live")
        check_counts(final, deployments.quick)
        ranking = (await api.get("/api/v1/tasks/chat")).json
        assert {one["id"] for one in ranking["ranking"]} == {"ended", "ending", "live"}
        await kill(process)
    async with started(tmp_path, prometheus.url) as (_, api):
        for name, report in (("ended", score), ("ending", ending), ("live", final)):
            assert await api.score(name) == report


@pytest.mark.prometheus
async def test_a_server_that_restarts_while_no_service_runs_costs_only_what_no_scrape_saw(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    server = deployments.slow

    async def restart() -> tuple[int, int]:
        """Finished requests that the last scrape had shown, and those there were, at a restart."""
        server.restart_process()
        return server.scrapes[-1].finished, len(server.log)

    task = task_of(server="sglang", selector={"instance": server.address})
    async with started(tmp_path, prometheus.url) as (process, api):
        await api.register("one", task)
        await api.score_until("one", has_requests(10))
        await kill(process)
    shown, lost = deployments.run(restart())
    await prometheus.wait_for_scrape(server.address, time.time())
    async with started(tmp_path, prometheus.url) as (_, api):
        await api.finish("one")
        report = await api.final("one")
    window = report["window"]
    assert (report["status"], window["resets"]) == ("SUCCESS", 1)
    assert window["requests"] == len(requests_between(server, window)) - (lost - shown)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_service_that_is_stopped_answers_who_waits_and_ends_by_itself(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with started(tmp_path) as (process, api):
        await api.register("one", task_of(), selector={"instance": "x"})
        polls = [asyncio.create_task(api.score("one", 30)) for _ in range(3)]
        # Answered after the polls were sent, so that they are known to be open.
        await asyncio.sleep(0)
        await api.score("one", 0.1)
        process.send(number)
        assert (await process.end(SHUTDOWN_SECONDS)).code == 0
        for report in await asyncio.gather(*polls):
            assert (report["status"], report["score"]) == ("RUNNING", None)
    async with started(tmp_path) as (_, api):
        assert (await api.show("one"))["state"] == "running"


async def test_a_source_that_never_answers_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    connected: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
    silent = await asyncio.start_server(lambda _, writer: connected.put_nowait(writer), "127.0.0.1")
    url = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}"
    async with silent:
        async with started(tmp_path, url) as (process, api):
            past = {"start": 1, "end": 2}
            body = {"selector": {"a": "b"}, "server": "vllm", "window": past}
            asking = asyncio.create_task(api.post("/api/v1/score", body))
            # The request asks first; the evaluation waits for the same answer.
            writer = await asyncio.wait_for(connected.get(), 30)
            await api.register("one", task_of(), selector={"instance": "x"})
            process.send(signal.SIGTERM)
            assert (await process.end(SHUTDOWN_SECONDS)).code == 0
            with pytest.raises(aiohttp.ClientError):
                await asking
        writer.close()


async def test_a_client_that_stops_in_the_middle_of_its_body_does_not_hold_up_the_stop(
    tmp_path: Path,
) -> None:
    async with started(tmp_path) as (process, api):
        host, port = api.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"POST /api/v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
        await writer.drain()
        assert (await api.get("/-/healthy")).status == 200
        process.send(signal.SIGTERM)
        assert (await process.end(SHUTDOWN_SECONDS)).code == 0
        await reader.read()
        writer.close()


async def test_a_service_does_not_start_on_a_store_that_has_a_second_name(tmp_path: Path) -> None:
    async with started(tmp_path):
        other = tmp_path / "other.db"
        other.hardlink_to(tmp_path / "sloscore.db")
        async with running("serve", "--port", "0", "--store", str(other)) as process:
            second = await process.end()
    assert (second.code, second.out) == (1, "")
    assert "is a file with 2 names (hard links)" in second.err


async def test_a_second_service_on_a_store_does_not_start_until_the_first_is_gone(
    tmp_path: Path,
) -> None:
    store = tmp_path / "sloscore.db"
    link = tmp_path / "link.db"
    async with started(tmp_path) as (process, api):
        await api.register("one", task_of(), selector={"instance": "x"})
        link.symlink_to(store)
        for path in (store, link):
            async with running("serve", "--port", "0", "--store", str(path)) as other:
                second = await other.end()
            assert (second.code, second.out) == (1, "")
            assert second.err == (
                f"sloscore: the database {path} is in use by another service; "
                "stop that one, or give this one another store.path\n"
            )
        assert (await api.show("one"))["state"] == "running"
        await kill(process)
    async with started(tmp_path) as (_, api):
        assert (await api.show("one"))["state"] == "running"


async def test_a_service_that_ends_gives_its_port_and_its_store_back(tmp_path: Path) -> None:
    async with serving(settings(tmp_path)) as first:
        port = int(first.url.rsplit(":", 1)[1])
        await first.register("one", task_of(), selector={"instance": "x"})
    given = settings(tmp_path, listen={"port": port})
    async with serving(given) as second:
        assert second.url == first.url
        assert (await second.show("one"))["state"] == "running"
