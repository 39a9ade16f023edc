"""Engines that ask for a tenant or a parameter with each query, as Mimir and Thanos do.

A proxy that refuses a query without them stands in front of a real Prometheus.
"""

import time
from collections.abc import Mapping

import orjson
import pytest
from aiohttp import web
from tests.integration.fault_proxy import Call, FaultProxy, passed_on
from tests.integration.pages import FAMILIES, Engine, PageServer, page_of

from sloscore.core.samples import Target
from sloscore.errors import SourceError, SpecError
from sloscore.settings import PrometheusSettings
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.sources.prometheus import PrometheusSource
from sloscore.spec.loader import validate

pytestmark = pytest.mark.prometheus

JOB = "tenants"
CASES = [
    ({"X-Scope-OrgID": "team-a"}, {}),
    ({"THANOS-TENANT": "team-a"}, {}),
    ({"THANOS-TENANT": "team-a"}, {"dedup": "true", "partial_response": "false"}),
]


class Demanding:
    """Answers of the proxy to queries that lack what it demands are 401 or 400."""

    def __init__(self, headers: Mapping[str, str], parameters: Mapping[str, str]) -> None:
        self.headers = headers
        self.parameters = parameters
        self.passed = 0

    async def __call__(self, call: Call) -> web.StreamResponse:
        if any(call.request.headers.get(name) != value for name, value in self.headers.items()):
            return web.Response(status=401, text="no org id")
        if any(call.form.get(name) != value for name, value in self.parameters.items()):
            return web.Response(status=400, text="parameters")
        self.passed += 1
        own = {name: v for name, v in call.form.items() if name not in self.parameters}
        return web.json_response(body=orjson.dumps(await call.forward(own)))


@pytest.mark.parametrize(("headers", "parameters"), CASES)
async def test_a_window_is_read_through_a_door_that_asks_for_a_tenant(
    prometheus: PrometheusProcess, headers: dict[str, str], parameters: dict[str, str]
) -> None:
    engine, began = Engine(born=1.6e9), time.time()
    engine.finish(0.75, times=3)

    async def answer(_: web.Request) -> web.Response:
        return page_of(engine.render())

    demanding = Demanding(headers, parameters)
    async with PageServer(answer) as page, FaultProxy(prometheus.url) as proxy:
        proxy.fault = demanding
        prometheus.add_targets(JOB, [page.address])
        await prometheus.wait_for_scrape(page.address, began)
        given = {"url": proxy.url, "headers": headers, "parameters": parameters}
        source = PrometheusSource(PrometheusSettings.model_validate(given))
        target = Target("k", (("job", JOB), ("instance", page.address)), tuple(FAMILIES))
        found = (await source.snapshot([target], time.time()))["k"]
        history = await source.samples(target, began, time.time())
        await source.close()
        prometheus.remove_targets([page.address])
        assert not isinstance(found, SourceError), found
        counts = [[h.count for h in sample.histograms.values()] for sample in (*found, *history)]
        assert counts[0] == [3]
        assert len(counts) > 1
        assert demanding.passed >= 3

        bare = PrometheusSource(PrometheusSettings(url=proxy.url))
        refused = (await bare.snapshot([target], time.time()))["k"]
        await bare.close()
    assert isinstance(refused, SourceError)
    assert refused.kind == "auth"
    assert "check bearer_token, basic_auth and headers" in str(refused)


async def test_a_wrong_tenant_is_refused(prometheus: PrometheusProcess) -> None:
    async with FaultProxy(prometheus.url) as proxy:
        proxy.fault = Demanding({"X-Scope-OrgID": "team-a"}, {})
        given = {"url": proxy.url, "headers": {"X-Scope-OrgID": "team-b"}}
        source = PrometheusSource(PrometheusSettings.model_validate(given))
        with pytest.raises(SourceError) as error:
            await source.check()
        await source.close()
    assert error.value.kind == "auth"
    assert "team-b" not in str(error.value)


async def test_parameters_go_with_each_query_and_change_none_of_its_own(
    prometheus: PrometheusProcess,
) -> None:
    forms: list[Mapping[str, str]] = []

    async def noting(call: Call) -> web.StreamResponse:
        forms.append(call.form)
        return await passed_on(call)

    async with FaultProxy(prometheus.url) as proxy:
        proxy.fault = noting
        given = {"url": proxy.url, "parameters": {"max_source_resolution": "0s"}}
        source = PrometheusSource(PrometheusSettings.model_validate(given))
        await source.check()
        await source.close()
    (form,) = forms
    assert form["max_source_resolution"] == "0s"
    assert form["query"] == "vector(1)"


@pytest.mark.parametrize("name", ["query", "time", "timeout", "nocache", "a b", ""])
def test_a_parameter_of_the_query_itself_is_refused(name: str) -> None:
    with pytest.raises(SpecError) as error:
        validate(PrometheusSettings, {"parameters": {name: "1"}}, "settings")
    assert str(error.value).startswith("settings: parameters: ")
