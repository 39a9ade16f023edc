"""Fixtures of the tests of the service; such a test names this module as a plugin of pytest."""

import time
from collections.abc import Iterator

import pytest
from tests.integration.service import Deployments

from sloscore.simulate.prometheus import PrometheusProcess


@pytest.fixture(scope="session")
def deployments(prometheus: PrometheusProcess) -> Iterator[Deployments]:
    """Two deployments that the shared Prometheus scrapes already."""
    with Deployments() as running:
        prometheus.add_targets("serving", running.addresses)
        for address in running.addresses:
            running.run(prometheus.wait_for_scrape(address, time.time()))
        yield running
        prometheus.remove_targets(running.addresses)
