"""A Prometheus 3 that scrapes native histograms; its tests name this module as a plugin of pytest."""

import re
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.integration.native_lab import PAGES, SELF_JOBS, SETTINGS
from tests.integration.native_page import NativePage, served

from sloscore.settings import PrometheusSettings
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.sources.prometheus import PrometheusSource


@pytest.fixture(scope="module")
def binary_of_3(prometheus_binary: Path) -> Path:
    told = subprocess.run(
        [prometheus_binary, "--version"], capture_output=True, text=True, check=True
    )
    version = re.search(r"version (\d+)\.\S+", told.stdout + told.stderr)
    assert version is not None, told
    if int(version[1]) < 3:
        pytest.skip(f"native histograms need Prometheus 3; this is {version[0]}")
    return prometheus_binary


@pytest.fixture(scope="module")
def native_pages() -> Iterator[Mapping[str, NativePage]]:
    """The PAGES, each scraped by the job of its name."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(served(page)) for name, page in PAGES.items()}


@pytest.fixture(scope="module")
def native_port() -> Iterator[int]:
    """A port that is scraped from before a server listens there."""
    with socket.socket() as held:
        # Bound but not listening it keeps others away, and lets a server of ours listen.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture(scope="module")
def native_prometheus(
    binary_of_3: Path,
    native_pages: Mapping[str, NativePage],
    native_port: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[PrometheusProcess]:
    process = PrometheusProcess(
        binary_of_3,
        tmp_path_factory.mktemp("native"),
        0.5,
        features=["native-histograms"],
        scrape_settings=SETTINGS,
    )
    process.set_targets(
        {
            **{name: [page.address] for name, page in native_pages.items()},
            "classic": [f"127.0.0.1:{native_port}"],
            "nhcb": [f"127.0.0.1:{native_port}"],
        }
    )
    with process:
        own = process.url.removeprefix("http://")
        for job in SELF_JOBS:
            process.add_targets(job, [own])
        yield process


@pytest.fixture
async def native_source(native_prometheus: PrometheusProcess) -> AsyncIterator[PrometheusSource]:
    source = PrometheusSource(PrometheusSettings(url=native_prometheus.url))
    yield source
    await source.close()
