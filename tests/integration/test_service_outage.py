"""A source that goes away, stalls, or refuses: what is told meanwhile, and what is counted later."""

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Histogram, start_http_server
from tests.conftest import SCRAPE_INTERVAL
from tests.integration.bad_disk import no_room
from tests.integration.outages import check_counts, check_outage, gauges
from tests.integration.processes import kill, started
from tests.integration.service import (
    Deployments,
    has_requests,
    serving,
    settings,
    task_of,
    unix,
    until,
)

from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.simulate.server import SimulatedServer

pytestmark = pytest.mark.prometheus

HUGE_CHILDREN = 40


class Source(PrometheusProcess):
    """A Prometheus of this module's own, with further ``flags``."""

    flags: tuple[str, ...] = ()

    def _command(self) -> list[str]:
        return [*super()._command(), *self.flags]

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)


@dataclass(frozen=True)
class Exporter:
    """A server of few series, until it grows more than a service of ours wants to read."""

    address: str
    latency: Histogram

    def grow(self) -> None:
        for number in range(HUGE_CHILDREN):
            self.latency.labels(f"model-{number}").observe(1.0)


@pytest.fixture(scope="module")
def huge() -> Iterator[Exporter]:
    registry = CollectorRegistry()
    latency = Histogram(
        "sglang:e2e_request_latency_seconds", "-", ["model_name"], registry=registry
    )
    latency.labels("model-0").observe(1.0)
    server, thread = start_http_server(0, "127.0.0.1", registry)
    yield Exporter(f"127.0.0.1:{server.server_port}", latency)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def own() -> Iterator[Deployments]:
    """Deployments that only this module's source scrapes."""
    with Deployments() as running:
        yield running


@pytest.fixture(scope="module")
def source(
    prometheus_binary: Path,
    tmp_path_factory: pytest.TempPathFactory,
    own: Deployments,
    huge: Exporter,
) -> Iterator[Source]:
    place = tmp_path_factory.mktemp("source")
    with Source(prometheus_binary, place, SCRAPE_INTERVAL) as process:
        process.set_targets({"serving": [*own.addresses, huge.address]})
        for address in (*own.addresses, huge.address):
            own.run(process.wait_for_scrape(address, 0))
        yield process


async def test_a_source_that_goes_away_is_told_and_costs_no_request_once_it_is_back(
    own: Deployments, source: Source, tmp_path: Path
) -> None:
    async with serving(settings(tmp_path, source.url)) as api:
        await api.register("one", task_of(), selector={"instance": own.quick.address})
        before = await api.score_until("one", has_requests(10))
        source.stop()
        words = f"cannot reach Prometheus at {source.url}"
        gone = await api.score_until("one", lambda report: report["score"] is None)
        check_outage(gone, words)
        ready = await api.get("/-/ready")
        assert (ready.status, words in ready.text) == (200, True)
        shown = await gauges(api, experiment="one")
        assert (shown["sloscore_sli_no_data"], shown["sloscore_experiment_no_data"]) == (1, 1)
        assert "sloscore_sli_value_seconds" not in shown
        assert "sloscore_experiment_requests" not in shown
        errors = await gauges(api, kind="unreachable")
        assert errors["sloscore_evaluation_errors_total"] > 0
        source.restart()
        seen = before["window"]["requests"]
        back = await api.score_until("one", has_requests(seen + 1))
        check_counts(back, own.quick)
        assert (await api.get("/-/ready")).status == 200
        await api.finish("one")
        final = await api.final("one")
    assert final["status"] == "SUCCESS"
    check_counts(final, own.quick)
    assert unix(final["window"]["observed_end"]) >= unix(final["window"]["end"])
    assert final["window"]["observed_start"] == before["window"]["observed_start"]


async def test_a_load_that_ends_while_the_source_stalls_is_closed_by_the_first_scrape_after_it(
    own: Deployments, source: Source, tmp_path: Path
) -> None:
    given = settings(
        tmp_path,
        source.url,
        evaluation={"closing_wait": "2s"},
        prometheus={"timeout": "300ms"},
    )
    async with serving(given) as api:
        await api.register("one", task_of(), selector={"instance": own.quick.address})
        await api.score_until("one", has_requests(10))
        source.signal(signal.SIGSTOP)
        try:
            await api.score_until("one", lambda report: report["score"] is None)
            end = unix((await api.finish("one")).json["end"])
            # The source stays silent for longer than the service waits for a closing scrape.
            later = own.run(after_finished(own.quick, end + 2.5))
        finally:
            source.signal(signal.SIGCONT)
        final = await api.final("one")
    assert final["window"]["unseen_tail"] == 0
    assert unix(final["window"]["observed_end"]) >= int(later * 1000) / 1000
    check_counts(final, own.quick)


async def after_finished(server: SimulatedServer, moment: float) -> float:
    """When a request had finished that was running at this Unix time."""

    async def last() -> float:
        return server.log[-1].at

    return await until(last, lambda at: at > moment)


async def test_one_target_that_cannot_be_read_holds_up_nobody_else(
    own: Deployments, source: Source, huge: Exporter, tmp_path: Path
) -> None:
    given = settings(
        tmp_path,
        source.url,
        evaluation={"source_wait": "500ms"},
        prometheus={"max_answer_bytes": 65536},
    )
    async with serving(given) as api:
        task = task_of(server="sglang")
        await api.register("huge", task, selector={"instance": huge.address})
        await api.register("one", task, selector={"instance": own.slow.address})
        before = await api.score_until("one", has_requests(10))
        # Both are read by the same query until now.
        await api.score_until("huge", lambda report: report["window"]["instances"] == 1)
        huge.grow()
        words = "prometheus.max_answer_bytes"
        check_outage(
            await api.score_until("huge", lambda report: words in str(report["reason"])), words
        )
        more = has_requests(before["window"]["requests"] + 10)
        check_counts(await api.score_until("one", more), own.slow)
        assert (await gauges(api, kind="too_large"))["sloscore_evaluation_errors_total"] > 0
        for name in ("huge", "one"):
            await api.finish(name)
        check_counts(await api.final("one"), own.slow)
        nothing = await api.final("huge")
        assert (await api.show("huge"))["state"] == "no_data"
    assert nothing["status"] == "NO_DATA"
    assert "is larger than 65536 bytes" in nothing["reason"]


async def test_what_prometheus_refuses_is_told_in_its_own_words(
    own: Deployments, source: Source, tmp_path: Path
) -> None:
    end = await source.wait_for_scrape(own.quick.address, 0)
    source.flags = ("--query.max-samples=1",)
    source.restart()
    selector = {"instance": own.quick.address}
    words = "query processing would load too many samples into memory"
    window = {"start": end - 1, "end": end}
    async with serving(settings(tmp_path, source.url)) as api:
        past = {"selector": selector, "server": "vllm", "window": window}
        answer = await api.post("/api/v1/score", past)
        await api.register("one", task_of(), selector=selector)
        check_outage(await api.score_until("one", lambda r: words in str(r["reason"])), words)
    assert (answer.status, answer.type) == (502, "application/problem+json")
    assert f"Prometheus at {source.url} answered HTTP 422" in answer.json["detail"]
    assert words in answer.json["detail"]


async def test_a_score_that_finds_no_room_on_the_disk_is_stored_once_there_is_some(
    own: Deployments, source: Source, tmp_path: Path
) -> None:
    source.flags = ()
    source.restart()
    full = contextlib.ExitStack()
    async with started(tmp_path, source.url) as (process, api):
        await api.register("one", task_of(), selector={"instance": own.quick.address})
        await api.score_until("one", has_requests(10))
        # The score cannot come before the disk is full.
        source.signal(signal.SIGSTOP)
        try:
            assert (await api.finish("one")).json["state"] == "settling"
            full.enter_context(no_room(process.pid))
        finally:
            source.signal(signal.SIGCONT)
        with full:
            failed = "sloscore_evaluation_errors_total"
            await until(lambda: gauges(api, kind="store"), lambda found: found.get(failed, 0) >= 2)
            assert (await api.score("one"))["status"] == "RUNNING"
            assert (await api.show("one"))["state"] == "settling"
            assert "cannot be written" in (await api.get("/-/ready")).json["detail"]
        final = await api.final("one")
        assert (await api.get("/-/ready")).status == 200
        await kill(process)
    assert final["window"]["requests"] > 0
    async with started(tmp_path, source.url) as (_, api):
        assert await api.score("one") == final
