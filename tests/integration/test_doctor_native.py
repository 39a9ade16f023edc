"""What the doctor says of native histograms that a real Prometheus 3 has scraped."""

import pytest
from tests.integration.native_lab import PAGES
from tests.integration.service import until

from sloscore.advice.doctor import Doctor
from sloscore.advice.findings import Check, Finding, Severity
from sloscore.settings import PrometheusSettings
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.spec.loader import validate
from sloscore.spec.model import TaskSpec

pytestmark = pytest.mark.prometheus
pytest_plugins = ["tests.integration.native_fixtures"]


async def examine(prometheus: PrometheusProcess, job: str) -> tuple[Finding, ...]:
    """What is found of a job with a P90 against 4 s, once its histogram is read."""
    data = {
        "task_name": "t",
        "metrics": {"latency": {"names": [PAGES[job].name], "unit": "s"}},
        "selector": {"job": job},
        "slo": {"latency": {"p90": {"threshold": 4.0}}},
    }
    settings = PrometheusSettings(url=prometheus.url)

    async def ask() -> tuple[Finding, ...]:
        task = validate(TaskSpec, data)
        found = await Doctor(task, settings, window=300.0, closing_wait=60.0).examine()
        return found.findings

    return await until(ask, lambda found: any(one.check is Check.INSTANCES for one in found))


async def test_a_native_histogram_alone_is_an_info_with_the_width_of_its_buckets(
    native_prometheus: PrometheusProcess,
) -> None:
    found = await examine(native_prometheus, "alone")
    (finding,) = [one for one in found if one.check is Check.NATIVE]
    assert finding.severity is Severity.INFO
    # Schema 3: bounds grow by a factor of 2 ** (1 / 8).
    words = "lab_alone_seconds is a native histogram only, with buckets 9.1 % wide."
    assert finding.found == words
    assert [one for one in found if one.check in {Check.LIMITS, Check.BUCKETS}] == []


async def test_a_native_histogram_beside_its_classic_one_is_read_by_that(
    native_prometheus: PrometheusProcess,
) -> None:
    found = await examine(native_prometheus, "twin")
    assert [one for one in found if one.check is Check.NATIVE] == []
    (finding,) = [one for one in found if one.check is Check.LIMITS]
    assert "inside the bucket (1, 5]." in finding.found
    assert finding.command == ""
