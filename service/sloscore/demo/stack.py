"""The processes of the demo, started one after the other and all ended together."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sloscore.demo.candidates import CANDIDATES
from sloscore.errors import SloscoreError
from sloscore.simulate.fetch import ensure_prometheus
from sloscore.simulate.process import ChildProcess
from sloscore.simulate.prometheus import PrometheusProcess

SCRAPE_SECONDS: Final = 1.0
_SERVER_URL: Final = re.compile(r"listens on http://(\S+)/metrics")
_SERVICE_URL: Final = re.compile(r"listens on (http://\S+)")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stack:
    """Addresses of what runs: servers by their candidate's name, and the service's URL.

    ``prometheus`` is None where none can be had: the service then scrapes the servers itself.
    """

    servers: dict[str, str]
    prometheus: PrometheusProcess | None
    service: str


@contextmanager
def running_stack(place: Path, say: Say) -> Iterator[Stack]:
    """Start servers, Prometheus and service with their files in ``place``; end them afterwards.

    ``say`` gets a line for each step. Raises SloscoreError where one cannot start.
    """
    say("Finding a Prometheus")
    binary = _find_prometheus(say)
    with ExitStack() as stack:
        say(f"Starting {len(CANDIDATES)} simulated inference servers under load")
        servers = {}
        for candidate in CANDIDATES:
            command = _sloscore("simulate", "--kind", candidate.kind, "--port", "0")
            process = ChildProcess(
                candidate.name, [*command, *candidate.flags], place / f"{candidate.name}.log"
            )
            stack.callback(process.stop)
            servers[candidate.name] = _announced(process, _SERVER_URL)
            say(f"  {servers[candidate.name]}  {candidate.name}: {candidate.story}")
        prometheus = None
        if binary is not None:
            say(f"Starting Prometheus ({binary}), which scrapes them every {SCRAPE_SECONDS:g} s")
            prometheus = PrometheusProcess(binary, place / "prometheus", SCRAPE_SECONDS)
            prometheus.add_targets("inference", list(servers.values()))
            prometheus.start()
            stack.callback(prometheus.stop)
        say("Starting the service")
        command = _sloscore("serve", "--port", "0", "--interval", "1s")
        command += ["--prometheus", prometheus.url] if prometheus else ["--no-prometheus"]
        process = ChildProcess(
            "sloscore serve",
            [*command, "--store", str(place / "sloscore.db")],
            place / "service.log",
        )
        stack.callback(process.stop)
        service = _announced(process, _SERVICE_URL)
        if prometheus is not None:
            prometheus.add_targets("sloscore", [service.removeprefix("http://")])
        yield Stack(servers, prometheus, service)


def _find_prometheus(say: Say) -> Path | None:
    try:
        return ensure_prometheus(say=lambda line: say(f"  {line}"))
    except SloscoreError as error:
        say(f"  {error}")
        say("Going on without one: the service scrapes the servers itself")
        return None


def _sloscore(*arguments: str) -> list[str]:
    return [sys.executable, "-u", "-m", "sloscore", *arguments]


def _announced(process: ChildProcess, pattern: re.Pattern[str]) -> str:
    def find() -> str | None:
        match = pattern.search(process.output())
        return None if match is None else match[1]

    return process.wait_until(find)
