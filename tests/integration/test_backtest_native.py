"""The PromQL of an SLI on a Prometheus 3 that keeps native histograms only."""

import math
import time

import aiohttp
import pytest
from tests.integration.service import until

from sloscore.analysis.expressions import expression
from sloscore.core.objective import Signal
from sloscore.core.samples import Family, FamilyKind, Target
from sloscore.core.sli import Sli
from sloscore.simulate.prometheus import PrometheusProcess

pytestmark = pytest.mark.prometheus
pytest_plugins = ["tests.integration.native_fixtures"]

SELF = "prometheus_http_request_duration_seconds"


@pytest.mark.parametrize("job", ["self-native", "self-classic"])
async def test_a_quantile_has_one_figure_whichever_histogram_there_is(
    native_prometheus: PrometheusProcess, job: str
) -> None:
    family = Family("latency", FamilyKind.HISTOGRAM, (SELF,))
    target = Target("self", (("job", job),), (family,))
    query = expression(Sli("latency_p90", Signal.LATENCY, "p90"), target, 60.0)
    assert query is not None

    async def figures() -> list[float]:
        # Every question is a request that the next scrape shows.
        form = {"query": query, "time": repr(time.time())}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{native_prometheus.url}/api/v1/query", data=form) as reply,
        ):
            rows = (await reply.json())["data"]["result"]
        return [float(row["value"][1]) for row in rows]

    (figure,) = await until(figures, lambda found: any(map(math.isfinite, found)))
    assert 0 < figure < 60
