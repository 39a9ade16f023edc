"""Rulers that evaluate rule files on what they scrape: Prometheus, and vmalert on VictoriaMetrics.

SLOSCORE_STACK names a directory with the binaries of more than the Prometheus that is there anyway.
"""

import json
import os
import socket
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

import pytest
import yaml

from sloscore.simulate.process import ChildProcess
from sloscore.simulate.prometheus import PrometheusProcess

T = TypeVar("T")

ENGINES = ("prometheus", "prometheus-2.42", "prometheus-3.5", "victoria-metrics")
JOB = "lab"
SCRAPE_INTERVAL = 0.5
PATIENCE = 60.0


class Row(NamedTuple):
    """One series of an answer: its labels, and its samples as (Unix time, value)."""

    labels: dict[str, str]
    samples: list[tuple[float, float]]


class Engine:
    """A ruler that runs.

    One that ``extrapolates`` counts more or less by when its last scrape was. A rule of one that
    ``lags`` sees what another one recorded an evaluation later.
    """

    def __init__(self, url: str, *, extrapolates: bool, lags: bool) -> None:
        self.url = url
        self.extrapolates = extrapolates
        self.lags = lags

    def ask(self, query: str, at: float | None = None) -> list[Row]:
        """The answer to an instant query, now or at a Unix time."""
        form = {"query": query} if at is None else {"query": query, "time": repr(at)}
        data = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(f"{self.url}/api/v1/query", data, timeout=30) as reply:
            answer = json.load(reply)
        return [
            Row(row["metric"], [(t, float(v)) for t, v in row.get("values", [row.get("value")])])
            for row in answer["data"]["result"]
        ]

    def now(self) -> float:
        """The engine's Unix time."""
        (row,) = self.ask("vector(time())")
        return row.samples[0][1]

    def value(self, query: str, at: float) -> float | None:
        """The value of the only series that a query gives, or None where it gives none."""
        rows = self.ask(query, at)
        assert len(rows) <= 1, rows
        return rows[0].samples[0][1] if rows else None


def until(condition: Callable[[], T | None]) -> T:
    """What the condition gives once it gives something; fails where it takes too long."""
    deadline = time.monotonic() + PATIENCE
    while (found := condition()) is None:
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)
    return found


def binary_of(engine: str, default: Path) -> Path:
    """The binary of an engine; skips where the stack is not there."""
    if engine == "prometheus":
        return default
    stack = os.environ.get("SLOSCORE_STACK")
    if stack is None:
        pytest.skip(f"{engine} is not here: SLOSCORE_STACK=DIR names where its binaries are")
    path = Path(stack) / engine
    if not path.exists():
        pytest.skip(f"SLOSCORE_STACK has no {engine}")
    return path


@contextmanager
def running(
    engine: str, binary: Path, place: Path, rules: Sequence[Path], address: str
) -> Iterator[Engine]:
    """An engine that scrapes an address and evaluates the rules."""
    run = _victoria_metrics if engine == "victoria-metrics" else _prometheus
    with run(binary, place, rules, address) as found:
        yield found


@contextmanager
def _prometheus(binary: Path, place: Path, rules: Sequence[Path], address: str) -> Iterator[Engine]:
    process = PrometheusProcess(binary, place, SCRAPE_INTERVAL, rule_files=rules)
    process.add_targets(JOB, [address])
    with process:
        yield Engine(process.url, extrapolates=True, lags=False)


@contextmanager
def _victoria_metrics(
    binary: Path, place: Path, rules: Sequence[Path], address: str
) -> Iterator[Engine]:
    job = {"job_name": JOB, "static_configs": [{"targets": [address]}]}
    interval = f"{round(SCRAPE_INTERVAL * 1000)}ms"
    config = {"global": {"scrape_interval": interval}, "scrape_configs": [job]}
    (place / "scrape.yml").write_text(yaml.safe_dump(config))
    here, alerts = (f"127.0.0.1:{_free_port()}" for _ in range(2))
    engine = Engine(f"http://{here}", extrapolates=False, lags=True)
    with ExitStack() as stack:

        def start(name: str, *command: str) -> ChildProcess:
            process = ChildProcess(name, command, place / f"{name}.log")
            stack.callback(process.stop)
            return process

        store = start(
            "victoria-metrics", str(binary), f"-httpListenAddr={here}",
            f"-storageDataPath={place / 'data'}", f"-promscrape.config={place / 'scrape.yml'}",
            "-search.latencyOffset=0s",
        )  # fmt: skip
        store.wait_until(lambda: _answers(f"http://{here}/health"))
        ruler = start(
            "vmalert", str(binary.with_name("vmalert")), f"-httpListenAddr={alerts}",
            *(f"-rule={path}" for path in rules), f"-datasource.url=http://{here}",
            f"-remoteWrite.url=http://{here}", "-notifier.blackhole", "-rule.evalDelay=0s",
            "-remoteWrite.flushInterval=200ms",
        )  # fmt: skip
        ruler.wait_until(lambda: _answers(f"http://{alerts}/health"))
        yield engine


def _answers(url: str) -> bool | None:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return True if answer.status == 200 else None
    except OSError:
        return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
