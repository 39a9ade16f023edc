"""What a tick of the evaluation costs, by how many experiments run and by how long their windows are.

A real Prometheus holds the histograms of up to 5,000 servers (tick_data.py). Each client is a process
of its own; the processor time and the bytes of Prometheus are those that it tells of itself. The
other clients need packages that are installed into .cache/bench at the first run.

    python bench/bench_tick.py [--short] [--write docs/benchmarks.md]
"""

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from document import part_options, publish
from tick_data import ROLES, Servers, instance_of, metric_of, write
from tick_service import QUANTILES

from sloscore.simulate.fetch import ensure_prometheus
from sloscore.simulate.prometheus import PrometheusProcess

HERE = Path(__file__).resolve().parent
TICKS = 3
WINDOW = 240
# Without a pause for compaction, and with room for samples of six hours ago beside those of now.
FLAGS = (
    "--web.enable-remote-write-receiver",
    "--storage.tsdb.min-block-duration=1d",
    "--storage.tsdb.max-block-duration=1d",
)
PACKAGES = ("prometheus-api-client==0.7.2", "slo-generator[prometheus]==2.6.0", "pandas<4")
OTHERS = ("api-client", "slo-generator")
NAMES = {
    "floor": "sloscore's HTTP calls alone",
    "sloscore": "sloscore",
    "unchanged": "sloscore, no new scrape",
    "grouped": "12 grouped queries",
    "api-client": "prometheus-api-client",
    "slo-generator": "slo-generator",
}


@dataclass(frozen=True)
class Size:
    """How much is measured: numbers of experiments, and windows (s) of so many experiments.

    Clients that send a query for each experiment and quantile are measured on ``sample`` experiments.
    """

    numbers: tuple[int, ...]
    windows: tuple[int, ...]
    aged: int
    replayed: int
    sample: int = 200


FULL = Size((10, 100, 1000, 5000), (30, 300, 3600, 6 * 3600), 100, 1000)
SHORT = Size((10, 100, 500), (30, 300, 3600), 10, 200, 50)


@dataclass(frozen=True)
class Cost:
    """Of one tick: seconds, seconds of processors, bytes of answers; ``share`` of it was measured."""

    wall: float
    cpu: float
    prometheus: float
    wire: float
    rss: float
    held: float | None
    share: float = 1.0


Costs = dict[tuple[str, int], Cost]
"""By client and number of experiments."""


class Lab:
    """A Prometheus with data up to ``end`` (Unix seconds), and clients that ask it."""

    def __init__(self, url: str, end: float, sample: int) -> None:
        self.url = url
        self.end = end
        self.sample = sample

    def cost(self, client: str, experiments: int, window: int, ticks: int = TICKS) -> Cost:
        """The median tick of a client."""
        asked = min(experiments, self.sample) if client in OTHERS else experiments
        share = asked / experiments
        given = {"url": self.url, "end": self.end, "window": window, "experiments": asked}
        given |= {"ticks": ticks, "queries": queries(asked, window) if client in OTHERS else []}
        found: list[Mapping[str, float]] = []
        with client_process(client, given) as process:
            for _ in range(ticks):
                before = self._counters()
                answer = asked_of(process)
                after = self._counters()
                found.append({**answer, **{key: after[key] - before[key] for key in before}})

        def median(key: str) -> float:
            return statistics.median(run[key] for run in found) / share

        return Cost(
            median("wall"),
            median("cpu"),
            median("process_cpu_seconds_total"),
            median("wire"),
            max(run["rss"] for run in found),
            max(run["held"] for run in found) if "held" in found[0] else None,
            share,
        )

    def _counters(self) -> dict[str, float]:
        with urllib.request.urlopen(f"{self.url}/metrics") as answer:  # noqa: S310  loopback
            text = answer.read().decode()
        sizes = r'^prometheus_http_response_size_bytes_sum{handler="/api/v1/query"} (\S+)'
        name = "process_cpu_seconds_total"
        cpu = re.search(rf"^{name} (\S+)", text, re.MULTILINE)
        wire = re.search(sizes, text, re.MULTILINE)
        assert cpu is not None
        return {name: float(cpu[1]), "wire": float(wire[1]) if wire else 0.0}


def queries(experiments: int, window: int) -> list[str]:
    """What a client asks that knows one experiment and one quantile at a time."""
    return [
        f"histogram_quantile({quantile}, sum by (le) (increase("
        f'{metric_of(role)}_bucket{{instance="{instance_of(number)}"}}[{window}s])))'
        for number in range(experiments)
        for role in ROLES
        for quantile in QUANTILES.values()
    ]


@contextmanager
def client_process(client: str, given: Mapping[str, Any]) -> Iterator[subprocess.Popen[str]]:
    """A client that is ready for its first tick."""
    if client in OTHERS:
        command = [str(other_python()), str(HERE / "tick_others.py"), client]
    else:
        command = [sys.executable, str(HERE / "tick_service.py"), client]
    with subprocess.Popen(  # noqa: S603  our own scripts
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(given) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n", f"{client} failed"
        yield process
        process.stdin.close()


def asked_of(process: subprocess.Popen[str]) -> dict[str, float]:
    """What a client tells of its next tick."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    answer: dict[str, float] = json.loads(process.stdout.readline())
    return answer


def other_python() -> Path:
    """A Python that has the other clients, whose packages do not fit beside ours."""
    place = HERE.parent / ".cache" / "bench"
    python = place / "bin" / "python"
    if not (place / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)  # noqa: S603  ours
        install = [str(python), "-m", "pip", "install", "--quiet", *PACKAGES]
        subprocess.run(install, check=True)  # noqa: S603  as above
        (place / "installed").touch()
    return python


@contextmanager
def lab(size: Size) -> Iterator[Lab]:
    """A Prometheus with the data of so many servers, the first of them with a longer history."""
    with tempfile.TemporaryDirectory() as place:
        server = PrometheusProcess(ensure_prometheus(), Path(place), 15, flags=FLAGS)
        with server:
            # Some clients can ask for what is now only.
            end = float(int(time.time())) + 400
            edges = (0, size.aged, size.replayed, size.numbers[-1])
            ages = (max(size.windows), 3600, WINDOW)
            for first, last, age in zip(edges, edges[1:], ages, strict=False):
                if first < last:
                    write(server.url, Servers(first, last, age + 120.0), end)
            yield Lab(server.url, end, size.sample)


def by_number(lab: Lab, numbers: Sequence[int], found: Costs) -> Iterator[str]:
    """The table of ticks by how many experiments run, as they are measured."""
    yield (
        "| experiments | client | wall | / calls | its CPU | Prometheus CPU | / sloscore | answers | memory |"
    )
    yield "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for number in numbers:
        costs = {
            client: lab.cost(client, number, WINDOW, ticks_of(client, number)) for client in NAMES
        }
        found.update({(client, number): cost for client, cost in costs.items()})
        floor, ours = costs["floor"], costs["sloscore"]
        for client, cost in costs.items():
            name = NAMES[client] + (f" ({cost.share:.0%} measured)" if cost.share < 1 else "")
            yield (
                f"| {number:,} | {name} | {cost.wall:.3f} s | {cost.wall / floor.wall:.2f} | "
                f"{cost.cpu:.3f} s | {cost.prometheus:.2f} s | "
                f"{cost.prometheus / max(ours.prometheus, 0.01):.1f} | "
                f"{cost.wire / 1e6:.2f} MB | {cost.rss / 2**20:.0f} MiB |"
            )


def ticks_of(client: str, number: int) -> int:
    """How many ticks are measured: few where each takes long."""
    if client in OTHERS:
        return 1
    return TICKS if number <= 1000 else 2


def by_window(found: Mapping[int, Mapping[str, Cost]], experiments: int) -> Iterator[str]:
    """The table of ticks by how long the windows are."""
    yield (
        f"| window of {experiments} experiments | sloscore, wall | Prometheus CPU | "
        "12 grouped queries, wall | Prometheus CPU |"
    )
    yield "| ---: | ---: | ---: | ---: | ---: |"
    for window, costs in found.items():
        cells = " | ".join(
            f"{cost.wall:.3f} s | {cost.prometheus:.2f} s" for cost in costs.values()
        )
        yield f"| {window:,} s | {cells} |"


def held(found: Costs) -> Iterator[str]:
    """The table of the longest time in which the event loop did not turn."""
    yield "| experiments | sloscore | its HTTP calls alone |"
    yield "| ---: | ---: | ---: |"
    for number in dict.fromkeys(number for _, number in found):
        cells = (found[client, number].held or 0.0 for client in ("sloscore", "floor"))
        yield f"| {number:,} | {' | '.join(f'{cell * 1000:.0f} ms' for cell in cells)} |"


def replayed(costs: Sequence[tuple[int, Cost]]) -> Iterator[str]:
    """The table of restarts."""
    yield "| one-hour windows taken up after a restart | wall | its CPU | Prometheus CPU | wire |"
    yield "| ---: | ---: | ---: | ---: | ---: |"
    for number, cost in costs:
        yield (
            f"| {number:,} | {cost.wall:.1f} s | {cost.cpu:.1f} s | {cost.prometheus:.1f} s | "
            f"{cost.wire / 1e6:.0f} MB |"
        )


def main() -> None:
    given = part_options(__doc__)
    size = SHORT if given.short else FULL
    with lab(size) as prometheus:
        found: Costs = {}
        publish(by_number(prometheus, size.numbers, found), "tick", given.write)
        publish(held(found), "event loop", given.write)
        windows = {
            window: {
                client: prometheus.cost(client, size.aged, window)
                for client in ("sloscore", "grouped")
            }
            for window in size.windows
        }
        publish(by_window(windows, size.aged), "windows", given.write)
        restart = prometheus.cost("replay", size.replayed, 3540, 1)
        publish(replayed([(size.replayed, restart)]), "restart", given.write)


if __name__ == "__main__":
    main()
