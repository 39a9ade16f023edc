"""Pages that the tests of the source over Prometheus write, and what a source shows of them."""

import asyncio
import itertools
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from sloscore.core.samples import Family, FamilyKind, InstanceSample, Target
from sloscore.errors import SourceError
from sloscore.sources.base import Snapshot
from sloscore.sources.prometheus import PrometheusSource

TTFT = Family("ttft", FamilyKind.HISTOGRAM, ("lab:ttft_seconds", "lab_ttft_seconds"))
E2E = Family("e2e", FamilyKind.HISTOGRAM, ("lab:e2e_seconds",))
TOKENS = Family("tokens", FamilyKind.COUNTER, ("lab:tokens_total",))
FAMILIES = (TTFT, E2E, TOKENS)

NASTY = (
    'double "quotes"',
    "single 'quotes'",
    "back\\slash",
    "\\",
    "trailing\\",
    '\\"',
    "new\nline",
    "carriage\rreturn\ttab",
    ".*",
    ".+",
    "a",
    "b",
    "A",
    "a|b",
    "a.b",
    "axb",
    "a\\.b",
    "(a)",
    "[ab]",
    "a{2}",
    "}",
    '"} or up{x="',
    "^a$",
    "#no comment",
    "ünï©ode 😀",
    " a ",
    "$1",
    "\\x41",
)

Page = Callable[[int], bytes | None]


def exposed(
    *, start: float | None = 100.0, names: tuple[str, ...] = ("lab:ttft_seconds",), **counts: int
) -> bytes:
    """A page whose histogram children have these counts, by model name."""
    registry = CollectorRegistry()
    if start is not None:
        Gauge("process_start_time_seconds", "-", registry=registry).set(start)
    for name in names:
        histogram = Histogram(name, "-", ["model_name"], buckets=[0.5, 1, 2], registry=registry)
        for model, count in counts.items():
            for _ in range(count):
                histogram.labels(model).observe(0.75)
    return generate_latest(registry)


def nasty(_scrape: int) -> bytes:
    registry = CollectorRegistry()
    ttft = Histogram("lab:ttft_seconds", "-", ["model_name"], registry=registry)
    e2e = Histogram("lab:e2e_seconds", "-", ["model_name"], registry=registry)
    tokens = Counter("lab:tokens", "-", ["model_name"], registry=registry)
    for number, value in enumerate(NASTY, start=1):
        tokens.labels(value).inc(number)
        for _ in range(number):
            ttft.labels(value).observe(0.1)
            e2e.labels(value).observe(1.0)
    return generate_latest(registry)


def restarting(scrape: int) -> bytes | None:
    if scrape < 4:
        return exposed(start=100.0, m=5 + scrape)
    return None if scrape < 6 else exposed(start=200.0, m=scrape)


PAGES: dict[str, Page] = {
    "nasty": nasty,
    "counting": lambda scrape: exposed(m=scrape),
    "fresh": lambda _: exposed(),
    "down": lambda _: None,
    "restarting": restarting,
    "vanishing": lambda scrape: exposed(a=1, b=1) if scrape < 3 else exposed(b=1),
    "underscored": lambda _: exposed(names=("lab_ttft_seconds",), m=2),
    "both": lambda _: exposed(names=("lab:ttft_seconds", "lab_ttft_seconds"), m=2),
    "torn": lambda _: exposed(t=2).replace(
        b'_count{model_name="t"} 2', b'_count{model_name="t"} 3'
    ),
}


class Pages:
    """The pages behind loopback servers of their own; each knows how often it was scraped."""

    def __init__(self) -> None:
        self._servers = {
            name: ThreadingHTTPServer(("127.0.0.1", 0), handler_of(page))
            for name, page in PAGES.items()
        }
        self._threads = [
            Thread(target=each.serve_forever, args=[0.05]) for each in self._servers.values()
        ]
        for thread in self._threads:
            thread.start()

    @property
    def jobs(self) -> dict[str, list[str]]:
        """The address of each page under its name."""
        return {name: [f"127.0.0.1:{each.server_port}"] for name, each in self._servers.items()}

    def close(self) -> None:
        for server in self._servers.values():
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()


def handler_of(page: Page) -> type[BaseHTTPRequestHandler]:
    scrapes = itertools.count(1)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = page(next(scrapes))
            self.send_response(500 if text is None else 200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.end_headers()
            self.wfile.write(text or b"")

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def page(name: str, families: tuple[Family, ...] = FAMILIES) -> Target:
    return Target(name, (("job", name),), families)


def model(name: str) -> Target:
    return Target(name, (("model_name", name),), FAMILIES)


async def once(
    source: PrometheusSource, target: Target, holds: Callable[[Snapshot], bool]
) -> Snapshot:
    """The target's snapshot as soon as the condition holds for it."""
    async with asyncio.timeout(30):
        while True:
            try:
                snapshot = (await source.snapshot([target], time.time()))[target.key]
            except SourceError:
                snapshot = []
            if not isinstance(snapshot, SourceError) and holds(snapshot):
                return snapshot
            await asyncio.sleep(0.05)


async def history(source: PrometheusSource, target: Target, scrapes: int) -> Snapshot:
    """All raw samples of a page that was scraped at least this often."""
    began = time.time() - 600
    async with asyncio.timeout(60):
        while True:
            samples = await source.samples(target, began, time.time())
            if len(samples) >= scrapes:
                return samples
            await asyncio.sleep(0.1)


def seen(snapshot: Snapshot | SourceError) -> list[InstanceSample]:
    assert not isinstance(snapshot, SourceError), snapshot
    return list(snapshot)


def counts(sample: InstanceSample) -> dict[str, float]:
    """Requests of each TTFT child, by its model name."""
    found = {child: histogram.count for child, histogram in sample.histograms.items()}
    return {dict(c.labels)["model_name"]: n for c, n in found.items() if c.role == "ttft"}
