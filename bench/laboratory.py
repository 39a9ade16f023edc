"""Real processes under load: servers' pages, Prometheus and the service, and what they take."""

import os
import platform
import re
import resource
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sloscore.simulate.fetch import ensure_prometheus
from sloscore.simulate.process import ChildProcess
from sloscore.simulate.prometheus import PrometheusProcess

MEBIBYTE = 2**20
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """What a process holds and has used: resident bytes, and seconds of a CPU."""

    rss: int
    cpu: float


def usage(pid: int) -> Usage:
    """Of this moment; Linux only."""
    resident = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    # The name of the program may hold anything but ends with the last bracket.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return Usage(resident * _PAGE, (int(fields[11]) + int(fields[12])) / _TICKS)


def machine() -> str:
    """What the figures were measured on."""
    models = re.findall(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    memory = os.sysconf("SC_PHYS_PAGES") * _PAGE / 2**30
    name = models[0] if models else platform.machine()
    return (
        f"{os.cpu_count()} CPUs ({name}), {memory:.0f} GiB, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}"
    )


@dataclass(frozen=True)
class Laboratory:
    """A running service, and the processes whose usage counts, by name."""

    url: str
    pids: Mapping[str, list[int]]
    log: Path

    def usage(self) -> dict[str, Usage]:
        """What the processes of each name use together."""
        found = {name: [usage(pid) for pid in pids] for name, pids in self.pids.items()}
        return {
            name: Usage(sum(one.rss for one in each), sum(one.cpu for one in each))
            for name, each in found.items()
        }


def announced(process: ChildProcess, pattern: str) -> str:
    """What a process says in its log once it runs."""

    def look() -> str | None:
        found = re.search(pattern, process.output())
        return found[1] if found else None

    return process.wait_until(look)


@contextmanager
def serving(place: Path, *arguments: str) -> Iterator[tuple[ChildProcess, str]]:
    """A service with its store at this place, and its URL."""
    command = [sys.executable, "-m", "sloscore", "serve", "--port", "0", *arguments]
    store = ("--store", str(place / "sloscore.db"))
    service = ChildProcess("sloscore", [*command, *store], place / "sloscore.log")
    try:
        yield service, announced(service, r"sloscore listens on (\S+)")
    finally:
        service.stop()


@contextmanager
def laboratory(
    servers: int, scrape_seconds: float, processes: int = 2, options: Sequence[str] = ()
) -> Iterator[Laboratory]:
    """A service, a Prometheus and so many servers; the instance of each is ``server-N``."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        place = Path(temporary)
        exporters = []
        for number in range(processes):
            command = [sys.executable, str(Path(__file__).with_name("page_server.py"))]
            exporter = ChildProcess("pages", command, place / f"pages-{number}.log")
            stack.callback(exporter.stop)
            exporters.append(exporter)
        addresses = [announced(exporter, r"pages at (\S+)") for exporter in exporters]
        prometheus = _prometheus(place, scrape_seconds)
        targets = [f"{addresses[number % processes]}/{number}" for number in range(servers)]
        prometheus.set_targets({"servers": targets})
        stack.enter_context(prometheus)
        service, url = stack.enter_context(serving(place, "--prometheus", prometheus.url, *options))
        pids = {
            "service": [service.pid],
            "Prometheus": [prometheus.pid],
            "servers' pages": [exporter.pid for exporter in exporters],
            "load generator": [os.getpid()],
        }
        yield Laboratory(url, pids, service.log)


def _prometheus(place: Path, scrape_seconds: float) -> PrometheusProcess:
    # A target is an address with the number of the server, which becomes path and instance.
    parts = (("__metrics_path__", "/$2"), ("instance", "server-$2"), ("__address__", "$1"))
    relabelled = [
        {
            "source_labels": ["__address__"],
            "regex": r"(.+)/(\d+)",
            "target_label": label,
            "replacement": value,
        }
        for label, value in parts
    ]
    return PrometheusProcess(
        ensure_prometheus(say=print),
        place / "prometheus",
        scrape_seconds,
        scrape_settings={"servers": {"relabel_configs": relabelled}},
    )
