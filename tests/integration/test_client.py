"""The tuner's client against a real service that scrapes a real exporter, and against its fake."""

import asyncio
import math
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.integration.service import Deployments

from sloscore import AsyncSLOClient, SLOClient
from sloscore.client.errors import (
    Conflict,
    ExperimentAborted,
    InvalidRequest,
    NotRegistered,
    ResultTimeout,
    ServiceFailed,
    ServiceUnreachable,
    Unauthorized,
)
from sloscore.client.report import Report
from sloscore.client.testing import FakeService
from sloscore.simulate.process import ChildProcess

TOKEN = "a-token-of-this-test"
NOWHERE = "http://127.0.0.1:1"
MET = {"latency": {"p50": {"threshold": 5000.0}}}


@dataclass(frozen=True)
class Service:
    """Where a service listens, and the metrics page that it can scrape."""

    url: str
    target: str


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    with Deployments() as running:
        yield f"http://{running.quick.address}/metrics"


@pytest.fixture(scope="module")
def real(page: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    place = tmp_path_factory.mktemp("service")
    command = [sys.executable, "-u", "-m", "sloscore", "serve", "--no-prometheus", "--port", "0"]
    command += ["--store", str(place / "s.db"), "--interval", "200ms"]
    process = ChildProcess("serve", command, place / "log", {"SLOSCORE_TOKEN": TOKEN})

    def url() -> str | None:
        match = re.search(r"listens on (http://\S+)", process.output())
        return None if match is None else match[1]

    yield Service(process.wait_until(url), page)
    process.stop()


@pytest.fixture(scope="module")
def fake() -> Iterator[Service]:
    with FakeService(token=TOKEN) as service:
        yield Service(service.url, "http://127.0.0.1:8000/metrics")


@pytest.fixture(params=["real", "fake"])
def service(request: pytest.FixtureRequest) -> Service:
    given: Service = request.getfixturevalue(request.param)
    return given


@pytest.fixture
def client(service: Service) -> SLOClient:
    return SLOClient(service.url, token=TOKEN)


def test_a_block_registers_finishes_and_gives_the_final_score(
    client: SLOClient, service: Service
) -> None:
    with client.experiment(
        "block", task="tune", slo=MET, server="vllm", target=service.target, scrape_interval="100ms"
    ) as running:
        while (report := running.score()).score is None:
            pass
        assert not report.is_final
        assert not running.should_stop()
    final = running.result(timeout=30)
    assert final.is_final
    assert (final.status, final.slo_violation, final.experiment, final.task) == (
        "SUCCESS", False, "block", "tune",
    )  # fmt: skip
    assert final.score is not None
    assert final.score == client.score("block").score
    assert final.decision.action == "stop"


def test_a_block_that_raises_aborts_and_lets_the_error_through(
    client: SLOClient, service: Service
) -> None:
    experiment = client.experiment("raises", task="tune", server="vllm", target=service.target)
    with pytest.raises(ZeroDivisionError), experiment:
        raise ZeroDivisionError
    with pytest.raises(ExperimentAborted, match="raises: Experiment aborted"):
        experiment.result()
    with pytest.raises(Conflict):
        experiment.finish()


def test_phases_are_marked_as_blocks_or_alone(client: SLOClient, service: Service) -> None:
    with client.experiment(
        "phased", task="tune", slo=MET, server="vllm", target=service.target, scrape_interval="1h"
    ) as running:
        with running.phase("c=1") as phase:
            assert phase.name == "c=1"
        running.phase("c=8")
        last = running.phase("c=16")
        assert last.name == "c=16"
        with pytest.raises(Conflict, match="phase 'c=8' has ended"):
            running.phase("c=8")
        with pytest.raises(LookupError), running.phase("c=32"):
            raise LookupError
        last.end()
    for name in ("c=1", "c=64"):
        with pytest.raises(Conflict):
            running.phase(name)
    last.end()
    assert running.result(timeout=30).is_final


def has_counted(report: Report, phase: str, requests: int) -> bool:
    """Whether a report knows of the phase, with this many requests at least."""
    return any(one.name == phase and (one.requests or 0) >= requests for one in report.phases)


def test_each_phase_of_a_real_service_has_its_result(real: Service) -> None:
    slo = {**MET, "phases": {"score": "worst", "ignore": ["c=1"]}}
    with SLOClient(real.url, token=TOKEN).experiment(
        "results", task="tune", slo=slo, server="vllm", target=real.target, scrape_interval="100ms"
    ) as running:
        for name in ("c=1", "c=8"):
            with running.phase(name):
                while not has_counted(running.score(), name, 10):
                    pass
    report = running.result(timeout=30)
    assert [(p.name, p.counts, p.status) for p in report.phases] == [
        ("c=1", False, "SUCCESS"), ("c=8", True, "SUCCESS"),
    ]  # fmt: skip
    assert (report.scored_phase, report.score) == ("c=8", report.phases[1].score)
    assert [len(phase.slis) for phase in report.phases] == [1, 1]


def test_a_fake_knows_which_phases_go_on() -> None:
    with FakeService() as own:
        experiment = SLOClient(own.url).experiment("phased", task="t")
        experiment.start()
        experiment.phase("c=1")
        with experiment.phase("c=8"):
            assert own.phases["phased"] == {"c=1": "ended", "c=8": "running"}
        experiment.phase("c=16")
        experiment.finish()
        assert list(own.phases["phased"].values()) == ["ended"] * 3


def test_registering_the_same_twice_is_one_experiment_and_another_body_a_conflict(
    client: SLOClient, service: Service
) -> None:
    first = client.experiment("twice", task="tune", server="vllm", target=service.target)
    first.start()
    first.start()
    with pytest.raises(Conflict, match="already registered"):
        client.experiment("twice", task="other", server="vllm", target=service.target).start()


def test_an_experiment_that_has_ended_is_not_started_again(
    client: SLOClient, service: Service
) -> None:
    aborted = client.experiment("over", task="tune", server="vllm", target=service.target)
    aborted.start()
    aborted.abort()
    with pytest.raises(Conflict, match=r"^over is already aborted: choose another id$"):
        aborted.start()
    with client.experiment(
        "done", task="tune", slo=MET, server="vllm", target=service.target, scrape_interval="100ms"
    ) as experiment:
        while experiment.score().score is None:
            pass
    final = experiment.result(timeout=30)
    entered = False
    with pytest.raises(Conflict, match=r"^done is already scored: choose another id$"), experiment:
        entered = True
    assert not entered
    assert client.score("done").score == final.score


def test_a_final_score_that_does_not_come_in_time_leaves_the_experiment_running(
    client: SLOClient, service: Service
) -> None:
    experiment = client.experiment("slow", task="tune", server="vllm", target=service.target)
    experiment.start()
    with pytest.raises(ResultTimeout, match=r"slow has no final score after 0\.2 s"):
        experiment.result(timeout=0.2)
    experiment.finish()
    assert experiment.result(timeout=30).is_final


def test_refusals_are_told_apart(client: SLOClient, service: Service) -> None:
    with pytest.raises(NotRegistered, match="'nobody' is not registered"):
        client.score("nobody")
    with pytest.raises(Unauthorized, match="token"):
        SLOClient(service.url).experiment("x", task="t", target=service.target).start()


def test_what_is_wrong_with_a_request_is_told_in_sentences(real: Service) -> None:
    client = SLOClient(real.url, token=TOKEN)
    slo = {"latency": {"p50": {"threshold": -1}, "p0": {"threshold": 1}}}
    with pytest.raises(InvalidRequest) as raised:
        client.experiment("bad", task="t", slo=slo, target=real.target).start()
    assert raised.value.status == 422
    assert len(raised.value.errors) == 2
    assert "task.slo.latency.p50.threshold: must be above 0, got -1" in str(raised.value)


def test_failures_and_lost_connections_are_tried_again_and_then_told() -> None:
    with FakeService() as fake:
        client = SLOClient(fake.url, retries=2)
        experiment = client.experiment("again", task="t")
        fake.will_fail(2)
        experiment.start()
        fake.will_fail(3)
        with pytest.raises(ServiceFailed, match="HTTP 503: told to fail"):
            experiment.score()
    with pytest.raises(
        ServiceUnreachable, match=r"no answer from http://127.0.0.1:1: Connection refused;"
    ):
        SLOClient(NOWHERE, retries=1).score("x")


def test_should_stop_asks_at_most_once_in_its_time_and_sees_the_decision() -> None:
    with FakeService() as fake:
        experiment = SLOClient(fake.url).experiment("stop", task="t")
        experiment.start()
        assert not experiment.should_stop(every=3600)
        stop = {"action": "stop", "reason": "It is certain to fail.", "confidence": 0.99}
        fake.will_report("stop", decision=stop)
        assert not experiment.should_stop(every=3600)
        assert experiment.should_stop(every=0)


def test_an_infinite_score_is_a_float_and_a_hard_violation_told() -> None:
    with FakeService() as fake:
        fake.will_report(
            "hard", score="Infinity", status="FAILED", slo_violation=True, finite_score=99.5,
            reason="Hard SLO violation", constraints={"latency_p90": 0.3},
        )  # fmt: skip
        with SLOClient(fake.url).experiment("hard", task="t") as experiment:
            pass
        report = experiment.result()
    assert (report.score, report.slo_violation, report.finite_score) == (math.inf, True, 99.5)
    assert report.constraints == {"latency_p90": 0.3}


async def test_both_clients_read_what_was_counted(real: Service, fake: Service) -> None:
    client = SLOClient(real.url, token=TOKEN)
    with client.experiment("counted", task="tune", server="vllm", target=real.target) as running:
        pass
    final = running.result(timeout=30)
    counts = running.counts()
    assert counts["histograms"]["latency"]["counts"][-1] == final.requests
    async with AsyncSLOClient(real.url, token=TOKEN) as other:
        assert await other.counts("counted") == counts
        with pytest.raises(NotRegistered, match="'nobody' is not registered"):
            await other.experiment("nobody", task="tune").counts()
    with SLOClient(fake.url, token=TOKEN).experiment("counted", task="tune") as told:
        pass
    with pytest.raises(NotRegistered, match="has no counts in a fake"):
        told.counts()


async def test_the_asynchronous_client_does_the_same(service: Service) -> None:
    async with AsyncSLOClient(service.url, token=TOKEN) as client:
        async with client.experiment(
            "async", task="tune", slo=MET, server="vllm", target=service.target,
            scrape_interval="100ms",
        ) as running:  # fmt: skip
            while (await running.score()).score is None:
                pass
            assert not await running.should_stop()
            async with running.phase("c=1") as phase:
                assert phase.name == "c=1"
            await running.phase("c=8")
            with pytest.raises(Conflict, match="phase 'c=1' has ended"):
                await running.phase("c=1")
            with pytest.raises(LookupError):
                async with running.phase("c=16"):
                    raise LookupError
            with pytest.raises(Conflict, match="phase 'c=16' has ended"):
                await running.phase("c=16")
        assert (await running.result(timeout=30)).status == "SUCCESS"
        experiment = client.experiment("cut", task="tune", server="vllm", target=service.target)
        with pytest.raises(ZeroDivisionError):
            async with experiment:
                raise ZeroDivisionError
        with pytest.raises(ExperimentAborted):
            await experiment.result()
        with pytest.raises(NotRegistered):
            await client.score("nobody")
        with pytest.raises(Conflict, match="cut is already aborted"):
            await experiment.start()
        late = client.experiment("late", task="t", server="vllm", target=service.target)
        await late.start()
        with pytest.raises(ResultTimeout):
            await late.result(timeout=0.2)


async def test_a_cancelled_block_is_aborted(fake: Service) -> None:
    entered = asyncio.Event()

    async def load() -> None:
        async with (
            AsyncSLOClient(fake.url, token=TOKEN) as client,
            client.experiment("cancelled", task="t"),
        ):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(load())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ExperimentAborted):
        SLOClient(fake.url).result("cancelled")


async def test_the_asynchronous_client_tries_again_too() -> None:
    with FakeService() as fake:
        async with AsyncSLOClient(fake.url, retries=1) as client:
            experiment = client.experiment("again", task="t")
            fake.will_fail(1)
            await experiment.start()
            fake.will_fail(2)
            with pytest.raises(ServiceFailed):
                await experiment.score()
    async with AsyncSLOClient(NOWHERE, retries=0) as client:
        with pytest.raises(ServiceUnreachable) as raised:
            await client.score("x")
    assert str(raised.value) == (
        "no answer from http://127.0.0.1:1: Connect call failed ('127.0.0.1', 1); "
        "is the service running, is the address right?"
    )


def test_importing_the_package_imports_neither_pydantic_nor_aiohttp(tmp_path: Path) -> None:
    script = "import sys, sloscore; sloscore.SLOClient; print({'pydantic', 'aiohttp'} & set(sys.modules))"
    process = ChildProcess("import", [sys.executable, "-c", script], tmp_path / "log")
    assert process.wait(30) == 0
    assert process.output() == "set()\n"
