"""Windows of seconds, whose servers the service scrapes itself."""

import asyncio
import bisect
import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from tests.integration.pages import HOST, Engine, PageServer, page_of
from tests.integration.service import (
    Api,
    Json,
    has_requests,
    serving,
    settings,
    task_of,
    unix,
    until,
)

from sloscore.settings import Settings
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.simulate.requests import Deployment, Workload
from sloscore.simulate.server import SimulatedServer

DEPLOYMENT = Deployment(max_num_seqs=8)
WORKLOAD = Workload(rate=4.0, output_tokens=32.0)
NO_PROMETHEUS = {"enabled": False}


def url_of(server: SimulatedServer | PageServer) -> str:
    return f"http://{server.address}/metrics"


async def loaded(server: SimulatedServer, seconds: float) -> None:
    """Return when a request finishes after so many seconds from now."""
    end = time.time() + seconds
    async with asyncio.timeout(seconds + 30):
        while not server.log or server.log[-1].at < end:  # noqa: ASYNC110  it tells nobody
            await asyncio.sleep(0.01)


def shown_at(server: SimulatedServer, time_of_scrape: str) -> int:
    """How many requests a scrape of the service showed: it looks at its clock before it asks."""
    place = bisect.bisect_left(server.scrapes, unix(time_of_scrape) - 0.001, key=lambda s: s.at)
    return server.scrapes[place].finished


def check_counts(report: Json, server: SimulatedServer, *, lost: int = 0) -> None:
    """The report counts what the server's log holds between the scrapes that it names."""
    window = report["window"]
    first, last = (shown_at(server, window[name]) for name in ("observed_start", "observed_end"))
    requests = [finished.request for finished in server.log[first:last]]
    assert report["status"] == "SUCCESS", report["reason"]
    assert window["requests"] == len(requests) - lost > 0
    if not lost:
        mean = statistics.fmean(request.latency for request in requests)
        assert report["base_score"] == pytest.approx(mean, rel=1e-9)
    assert (window["unseen_head"], window["unseen_tail"], window["instances"]) == (0, 0, 1)


@pytest.fixture
async def server() -> AsyncIterator[SimulatedServer]:
    """A vLLM under load."""
    async with SimulatedServer("vllm", speed=20) as server:
        server.start_load(DEPLOYMENT, WORKLOAD, seed=1)
        yield server


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """A service without a Prometheus."""
    async with serving(settings(tmp_path, prometheus=NO_PROMETHEUS)) as api:
        yield api


async def score_3_seconds(given: Settings) -> None:
    # In this order: the server is gone before the report is asked for.
    async with serving(given) as api:
        async with SimulatedServer("vllm", speed=20) as server:
            server.start_load(DEPLOYMENT, WORKLOAD, seed=1)
            await loaded(server, 0.5)
            target = {"target": url_of(server), "scrape_interval": "500ms"}
            registered = await api.register("short", task_of(), **target)
            assert (registered.status, registered.json["state"]) == (201, "running")
            baseline = server.scrapes[0]
            await loaded(server, 3.0)
            assert (await api.finish("short")).status == 200
        report = await api.final("short")
    window = report["window"]
    check_counts(report, server)
    assert shown_at(server, window["observed_start"]) == baseline.finished > 0
    assert unix(window["observed_start"]) <= unix(window["start"]) <= baseline.at + 1
    assert unix(window["end"]) <= unix(window["observed_end"])
    assert unix(window["end"]) - unix(window["start"]) >= 3.0
    assert window["resets"] == 0


async def test_a_window_of_3_seconds_counts_as_the_log_does_without_a_prometheus(
    tmp_path: Path,
) -> None:
    await score_3_seconds(settings(tmp_path, prometheus=NO_PROMETHEUS))


@pytest.mark.prometheus
async def test_a_window_of_3_seconds_counts_as_the_log_does_beside_a_slow_prometheus(
    prometheus_binary: Path, tmp_path: Path
) -> None:
    with PrometheusProcess(prometheus_binary, tmp_path / "prometheus", 15.0) as slow:
        await score_3_seconds(settings(tmp_path, slow.url))


async def test_live_reports_follow_the_scrapes(api: Api, server: SimulatedServer) -> None:
    target = {"target": url_of(server), "scrape_interval": "100ms"}
    await api.register("live", task_of(), **target)
    early = await api.score_until("live", has_requests(5))
    later = await api.score_until("live", has_requests(early["window"]["requests"] + 1))
    for report in (early, later):
        assert (report["status"], report["window"]["end"]) == ("RUNNING", None)
        window = report["window"]
        first, last = (shown_at(server, window[n]) for n in ("observed_start", "observed_end"))
        assert window["requests"] == last - first


async def test_a_server_born_in_the_window_counts_from_zero(api: Api, tmp_path: Path) -> None:
    async with PageServer(Engine().answer) as place:
        url, port = url_of(place), int(place.address.split(":")[1])
    registered = await api.register("born", task_of(), target=url, scrape_interval="100ms")
    assert registered.status == 201
    # A burst before the first scrape that anybody answers.
    engine = Engine()
    engine.finish(0.75, times=40)
    async with PageServer(engine.answer, port) as server:
        await server.asked_again()
        engine.finish(0.25, times=10)
        await api.finish("born")
        report = await api.final("born")
    window = report["window"]
    assert (report["status"], window["requests"]) == ("SUCCESS", 50)
    assert report["base_score"] == pytest.approx(statistics.fmean(engine.log))
    assert (window["unseen_head"], window["unseen_tail"], window["resets"]) == (0, 0, 0)


async def test_a_restart_in_the_window_costs_only_what_no_scrape_saw(
    api: Api, server: SimulatedServer
) -> None:
    await api.register("restarts", task_of(), target=url_of(server), scrape_interval="100ms")
    await loaded(server, 1.0)
    lost = len(server.log) - server.scrapes[-1].finished
    server.restart_process()
    await loaded(server, 1.0)
    await api.finish("restarts")
    report = await api.final("restarts")
    assert report["window"]["resets"] == 1
    check_counts(report, server, lost=lost)


async def test_a_target_that_never_answers_is_no_data_with_its_reason(api: Api) -> None:
    nowhere = f"http://{HOST}:1/metrics"
    registered = await api.register("nobody", task_of(), target=nowhere, scrape_interval="100ms")
    assert registered.status == 201
    running = await api.score_until("nobody", lambda report: "metric source" in report["reason"])
    await api.finish("nobody")
    report = await api.final("nobody")
    for told in (running, report):
        assert (
            "the metric source failed: cannot scrape http://127.0.0.1:1/metrics" in told["reason"]
        )
        assert (told["score"], told["base_score"], told["window"]["requests"]) == (None, None, 0)
    assert report["status"] == "NO_DATA"
    assert (await api.show("nobody"))["state"] == "no_data"


async def test_a_server_that_is_gone_before_the_end_leaves_its_tail_unseen(api: Api) -> None:
    engine = Engine()
    async with PageServer(engine.answer) as server:
        await api.register("gone", task_of(), target=url_of(server), scrape_interval="100ms")
        engine.finish(0.75, times=20)
        await server.asked_again(2)
        engine.finish(0.75, times=5)
    await api.finish("gone")
    report = await api.final("gone")
    window = report["window"]
    shown = engine.shown[-1]
    assert window["requests"] == shown.requests == 20
    assert unix(window["observed_end"]) == pytest.approx(shown.at, abs=0.1)
    assert window["unseen_tail"] == pytest.approx(
        unix(window["end"]) - unix(window["observed_end"]), abs=0.002
    )
    assert window["unseen_tail"] > 0


async def test_a_server_that_hides_what_it_has_shown_leaves_its_tail_unseen(api: Api) -> None:
    async def hide(_: web.Request) -> web.Response:
        return page_of("process_start_time_seconds 1.6e9\n")

    engine = Engine(born=1.6e9)
    async with PageServer(engine.answer) as server:
        await api.register("hides", task_of(), target=url_of(server), scrape_interval="100ms")
        engine.finish(0.75, times=20)
        await server.asked_again(2)
        server.answer = hide
        await server.asked_again(12)
        await api.finish("hides")
        report = await api.final("hides")
    assert report["window"]["requests"] == 20
    assert (report["status"], report["certain"]) == ("NO_DATA", False)
    assert "nothing was seen of the server in the last" in report["reason"]


async def test_a_server_that_nobody_asked_anything_of_is_no_data(api: Api) -> None:
    async with PageServer(Engine().answer) as server:
        await api.register("idle", task_of(), target=url_of(server), scrape_interval="100ms")
        await server.asked_again(2)
        await api.finish("idle")
        report = await api.final("idle")
    assert (report["status"], report["score"]) == ("NO_DATA", None)
    assert "no requests finished in the window" in report["reason"]
    assert report["window"]["instances"] == 1


async def test_a_warm_up_is_cut_off(api: Api) -> None:
    slo = {"latency": {"p50": {"threshold": 1.0}}, "warmup": "500ms"}
    engine = Engine()
    async with PageServer(engine.answer) as server:
        target = {"target": url_of(server), "scrape_interval": "100ms"}
        registered = await api.register("warm", task_of(slo=slo), **target)
        engine.finish(1.5, times=30)
        start = unix(registered.json["start"]) + 0.5
        await until(lambda: api.score("warm"), lambda r: r["window"]["observed_start"])
        await server.asked_again()
        engine.finish(0.75, times=10)
        await api.finish("warm")
        report = await api.final("warm")
    window = report["window"]
    assert unix(window["start"]) == pytest.approx(start, abs=0.001)
    assert unix(window["observed_start"]) <= start
    assert (window["requests"], report["base_score"]) == (10, pytest.approx(0.75))


async def test_an_experiment_that_nobody_ends_is_closed_by_the_next_scrape(
    tmp_path: Path, server: SimulatedServer
) -> None:
    given = settings(tmp_path, prometheus=NO_PROMETHEUS, evaluation={"max_window": "1s"})
    async with serving(given) as api:
        target = {"target": url_of(server), "scrape_interval": "100ms"}
        await api.register("forgotten", task_of(), **target)
        report = await api.final("forgotten")
    check_counts(report, server)
    assert unix(report["window"]["end"]) - unix(report["window"]["start"]) == pytest.approx(
        1.0, abs=0.002
    )


async def test_the_tuner_may_say_when_its_load_ended(api: Api) -> None:
    engine = Engine()
    async with PageServer(engine.answer) as server:
        await api.register("past", task_of(), target=url_of(server), scrape_interval="100ms")
        engine.finish(0.75, times=20)
        await server.asked_again(2)
        end = time.time()
        await server.asked_again(2)
        engine.finish(0.75, times=7)
        await server.asked_again(2)
        await api.finish("past", end=end)
        report = await api.final("past")
    assert report["window"]["requests"] == 20
    assert 0 <= unix(report["window"]["observed_end"]) - unix(report["window"]["end"]) < 1


class Busy:
    """An engine whose server answers nobody while it is busy."""

    def __init__(self) -> None:
        self.engine = Engine(born=1.6e9)
        self.idle = asyncio.Event()
        self.idle.set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        await self.idle.wait()
        return await self.engine.answer(request)


@pytest.fixture
async def impatient(tmp_path: Path) -> AsyncIterator[Api]:
    """A service that gives up a scrape soon."""
    given = settings(tmp_path, prometheus=NO_PROMETHEUS, scrape={"timeout": "100ms"})
    async with serving(given) as api:
        yield api


async def test_a_server_that_is_too_busy_at_the_start_leaves_its_head_unseen(
    impatient: Api,
) -> None:
    busy = Busy()
    busy.engine.finish(0.75, times=100)
    async with PageServer(busy.answer) as server:
        busy.idle.clear()
        target = {"target": url_of(server), "scrape_interval": "100ms"}
        await impatient.register("busy", task_of(), **target)
        busy.engine.finish(0.75, times=5)
        busy.idle.set()
        await impatient.score_until("busy", lambda report: report["window"]["observed_start"])
        busy.engine.finish(0.75, times=20)
        await impatient.finish("busy")
        report = await impatient.final("busy")
    window = report["window"]
    # What it had counted by its first answer is not the window's.
    assert (report["status"], window["requests"], window["resets"]) == ("SUCCESS", 20, 0)
    assert window["unseen_head"] == pytest.approx(
        unix(window["observed_start"]) - unix(window["start"]), abs=0.002
    )
    assert window["unseen_head"] > 0


async def test_a_server_that_is_too_busy_at_the_end_is_scraped_once_more(impatient: Api) -> None:
    busy = Busy()
    async with PageServer(busy.answer) as server:
        target = {"target": url_of(server), "scrape_interval": "100ms"}
        await impatient.register("busy", task_of(), **target)
        busy.engine.finish(0.75, times=20)
        await server.asked_again(2)
        busy.engine.finish(0.75, times=5)
        busy.idle.clear()
        await impatient.finish("busy")
        # Those that follow get no answer, either.
        await server.asked_again(2)
        busy.idle.set()
        report = await impatient.final("busy")
    window = report["window"]
    assert (report["status"], window["requests"]) == ("SUCCESS", 25)
    assert (window["unseen_head"], window["unseen_tail"], window["resets"]) == (0, 0, 0)
