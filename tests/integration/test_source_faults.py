"""Each fault of a source between a running service and a real Prometheus: told, survived, mended."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.certificates import issue_expired, server_context
from tests.integration.fault_proxy import FaultProxy, passed_on
from tests.integration.outages import check_counts, check_outage, gauges
from tests.integration.page_reader import read
from tests.integration.service import (
    Api,
    Deployments,
    Json,
    has_requests,
    serving,
    settings,
    task_of,
    unix,
    until,
)
from tests.integration.source_faults import FAULTS, HARMLESS, SourceFault

from sloscore.settings import Settings
from sloscore.simulate.prometheus import PrometheusProcess

pytestmark = pytest.mark.prometheus
pytest_plugins = ["tests.integration.service_fixtures", "tests.integration.tls_fixtures"]

# Evaluations without a score, once a fault has ended.
MOST_TICKS = 2
NAMES = ("one", "gone", "other", "direct")


@pytest.fixture(params=FAULTS)
def fault(request: pytest.FixtureRequest) -> SourceFault:
    return FAULTS[request.param]


@pytest.fixture(scope="module")
def expired(certificates: Path) -> Path:
    """The certificates, of which one has expired."""
    issue_expired(certificates)
    return certificates


@pytest.fixture
async def proxy(
    prometheus: PrometheusProcess, fault: SourceFault, expired: Path
) -> AsyncIterator[FaultProxy]:
    certificate = server_context(expired) if fault.tls else None
    async with FaultProxy(prometheus.url, certificate) as proxy:
        yield proxy


class Scene:
    """A service that scores four experiments while a fault begins and ends.

    ``one`` and ``gone`` read a server that every fault hits, ``other`` reads another, and
    ``direct`` needs no Prometheus.
    """

    def __init__(
        self, given: Settings, proxy: FaultProxy, fault: SourceFault, certificates: Path
    ) -> None:
        self._given = given
        self._proxy = proxy
        self._fault = fault
        self._certificates = certificates
        self._stack = contextlib.AsyncExitStack()
        self.api: Api

    async def serve(self, url: str) -> None:
        """Start the service, or start it anew with another Prometheus."""
        await self._stack.aclose()
        source = self._given.prometheus.model_copy(update={"url": url})
        given = self._given.model_copy(update={"prometheus": source})
        self.api = await self._stack.enter_async_context(serving(given))

    async def close(self) -> None:
        await self._stack.aclose()

    async def begin(self) -> None:
        proxy, fault = self._proxy, self._fault
        proxy.healed.clear()
        proxy.fault = fault.answer
        await fault.begin(proxy)
        await self._show("expired")
        if fault.url is not None:
            await self.serve(fault.url)

    async def end(self) -> None:
        proxy, fault = self._proxy, self._fault
        proxy.fault = passed_on
        proxy.healed.set()
        await fault.end(proxy)
        await self._show("server")
        if fault.url is not None:
            await self.serve(proxy.url)

    async def _show(self, name: str) -> None:
        if self._fault.tls:
            await self._proxy.hang_up()
            self._proxy.certificate = server_context(self._certificates, name)
            await self._proxy.listen()


@pytest.fixture
async def scene(
    tmp_path: Path,
    proxy: FaultProxy,
    fault: SourceFault,
    expired: Path,
    deployments: Deployments,
) -> AsyncIterator[Scene]:
    given = settings(
        tmp_path,
        evaluation={"source_wait": "500ms", "closing_wait": "2s"},
        prometheus={"tls": {"ca_file": expired / "ca.pem"}, **fault.settings},
    )
    scene = Scene(given, proxy, fault, expired)
    await scene.serve(proxy.url)
    slow = deployments.slow.address
    for name in ("one", "gone"):
        await register(scene.api, name, deployments)
    sglang = task_of(server="sglang")
    await scene.api.register("other", sglang, selector={"instance": slow})
    scraped = {"target": f"http://{slow}/metrics", "scrape_interval": 0.2}
    await scene.api.register("direct", sglang, **scraped)
    await asyncio.gather(*(scene.api.score_until(name, has_requests(1)) for name in NAMES))
    yield scene
    proxy.healed.set()
    await scene.close()


async def register(api: Api, name: str, deployments: Deployments) -> None:
    answer = await api.register(name, task_of(), selector={"instance": deployments.quick.address})
    assert answer.status == 201, answer.text


async def test_a_fault_is_told_costs_no_request_and_makes_no_pass(
    scene: Scene, fault: SourceFault, deployments: Deployments
) -> None:
    counted = {name: (await scene.api.score(name))["window"]["requests"] for name in NAMES}
    await scene.begin()
    told = await scene.api.score_until("one", lambda report: fault.words in str(report["reason"]))
    check_outage(told, fault.words)
    await register(scene.api, "late", deployments)
    await scene.api.finish("gone")
    check_no_pass(await scene.api.final("gone"), fault.final or fault.words)
    await check_told(scene.api, fault)
    unharmed = ["direct"] if not fault.only else ["direct", "other"]
    for name in unharmed:
        report = await scene.api.score_until(name, has_requests(counted[name] + 1))
        assert report["score"] is not None

    await scene.end()
    await check_back(scene.api)
    check_counts(await scene.api.score("one"), deployments.quick)
    await scene.api.score_until("late", has_requests(1))
    for name in ("one", "late", "other", "direct"):
        await scene.api.finish(name)
    for name in ("one", "late"):
        final = await scene.api.final(name)
        assert final["status"] == "SUCCESS"
        check_counts(final, deployments.quick)
    # Their server is scraped by both sources, so that its log does not tell whose scrape one was.
    for name in ("other", "direct"):
        assert (await scene.api.final(name))["status"] == "SUCCESS"


def check_no_pass(report: Json, words: str) -> None:
    assert (report["status"], report["score"], report["base_score"]) == ("NO_DATA", None, None)
    assert words in report["reason"]
    assert {sli["verdict"] for sli in report["slis"]} == {"no_data"}


async def check_told(api: Api, fault: SourceFault) -> None:
    """Gauges, status and its page tell what has failed, and so does readiness where all has."""
    shown = await gauges(api, experiment="one")
    assert (shown["sloscore_sli_no_data"], shown["sloscore_experiment_no_data"]) == (1, 1)
    assert {"sloscore_sli_value_seconds", "sloscore_experiment_score"}.isdisjoint(shown)
    status = (await api.get("/api/v1/status")).json
    (trouble,) = [one["trouble"] for one in status["followed"] if one["experiment"] == "one"]
    assert fault.words in trouble
    if fault.kind is not None:
        assert status["evaluation_errors"][fault.kind] > 0
        errors = await gauges(api, kind=fault.kind)
        assert errors["sloscore_evaluation_errors_total"] > 0
    if fault.offset:
        assert status["clock_offset"] == pytest.approx(fault.offset, abs=1.0)
        offset = (await gauges(api))["sloscore_source_clock_offset_seconds"]
        assert offset == pytest.approx(fault.offset, abs=1.0)
    # The page may be of a later round, whose answer broke off elsewhere.
    assert " ".join(fault.words.split()) in " ".join((await read(api, "/status")).text.split())
    assert (fault.words in (await api.get("/-/ready")).text) is not bool(fault.only)


async def check_back(api: Api) -> None:
    """The evaluations that began after this moment have a score again, all but the first few."""
    since = unix((await api.get("/api/v1/status")).json["now"])
    silent: set[float] = set()

    def is_back(report: Json) -> bool:
        at = unix(report["evaluated_at"])
        if report["score"] is None and at > since:
            silent.add(at)
        return report["score"] is not None and at > since

    await until(lambda: api.score("one"), is_back)
    assert len(silent) <= MOST_TICKS


@pytest.mark.parametrize("answer", HARMLESS.values(), ids=HARMLESS)
async def test_what_does_not_matter_in_an_answer_changes_no_count(
    answer: SourceFault, prometheus: PrometheusProcess, deployments: Deployments, tmp_path: Path
) -> None:
    async with FaultProxy(prometheus.url) as proxy, serving(settings(tmp_path, proxy.url)) as api:
        proxy.fault = answer.answer
        await register(api, "one", deployments)
        check_counts(await api.score_until("one", has_requests(10)), deployments.quick)
        await api.finish("one")
        final = await api.final("one")
    assert final["status"] == "SUCCESS"
    check_counts(final, deployments.quick)
