"""What the tests share: a real Prometheus."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.integration.victoria_metrics import engine_process

from sloscore.simulate.fetch import ensure_prometheus
from sloscore.simulate.prometheus import PrometheusProcess

# A busy machine is no failure. In CI the same examples each time: new ones are looked for by people who can act on them.
settings.register_profile(
    "sloscore",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("sloscore")

SCRAPE_INTERVAL = 0.5


@pytest.fixture(scope="session")
def prometheus_binary() -> Path:
    """The Prometheus of this machine, or of SLOSCORE_PROMETHEUS, or one that apt downloads."""
    return ensure_prometheus()


@pytest.fixture(scope="session")
def promtool(prometheus_binary: Path) -> Path:
    """The promtool that comes with the Prometheus under test: promtool-3.5 with prometheus-3.5."""
    places = (prometheus_binary, prometheus_binary.resolve())
    beside = [path.with_name(path.name.replace("prometheus", "promtool")) for path in places]
    found = next((path for path in beside if path.exists()), shutil.which("promtool"))
    if found is None:
        pytest.skip("this Prometheus came without a promtool: apt install promtool")
    return Path(found)


@pytest.fixture(scope="session")
def prometheus(
    prometheus_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrometheusProcess]:
    """A Prometheus that scrapes twice a second what tests add to its targets.

    It is a VictoriaMetrics where SLOSCORE_PROMETHEUS names one.
    """
    place = tmp_path_factory.mktemp("prometheus")
    with engine_process(prometheus_binary, place, SCRAPE_INTERVAL) as process:
        yield process
