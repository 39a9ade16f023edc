"""A fixture of tests that look at experiments through Prometheus; such a test names it as a plugin of pytest."""

import contextlib
from collections.abc import Iterator

import pytest
from tests.integration.dashboards import Shown, show
from tests.integration.service import Deployments

from sloscore.simulate.prometheus import PrometheusProcess

pytest_plugins = ["tests.integration.service_fixtures"]


@pytest.fixture(scope="module")
def shown(
    deployments: Deployments,
    prometheus: PrometheusProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Shown]:
    """A live service with an experiment of each kind, all of which Prometheus has seen."""
    stack = contextlib.AsyncExitStack()
    place = tmp_path_factory.mktemp("shown")
    try:
        yield deployments.run(show(stack, deployments, prometheus, place))
    finally:
        deployments.run(stack.aclose())
