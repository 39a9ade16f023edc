"""Ports that a real Prometheus scrapes; a test of traps names this module as a plugin of pytest."""

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.integration.pages import HOST, held_ports
from tests.integration.traps import JOBS, TWICE, Ports

from sloscore.settings import PrometheusSettings
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.sources.prometheus import PrometheusSource


@pytest.fixture(scope="session")
def ports(prometheus: PrometheusProcess) -> Iterator[Ports]:
    """Ports by job, which are scraped from before a server listens there until the end."""
    with held_ports(prometheus, JOBS) as ports:
        for job in TWICE:
            prometheus.add_targets(f"{job}-again", [f"{HOST}:{port}" for port in ports[job]])
        yield ports


@pytest.fixture
async def source(prometheus: PrometheusProcess) -> AsyncIterator[PrometheusSource]:
    source = PrometheusSource(PrometheusSettings(url=prometheus.url))
    yield source
    await source.close()
