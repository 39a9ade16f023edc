"""Deployments that a real Prometheus scrapes, each with something to find in its set-up."""

import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import islice
from threading import Thread

from sloscore.simulate.exposition import Exposition
from sloscore.simulate.kinds import KINDS
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.simulate.requests import Deployment, Workload, serve_requests

Page = Callable[[int], bytes | None]
"""What the scrape of this number (from 0) gets; None is a failure."""

LATENCY = "vllm:e2e_request_latency_seconds"
TTFT = "vllm:time_to_first_token_seconds"


def loaded(
    kind: str = "vllm",
    *,
    model: str = "m",
    latency: Sequence[float] | None = None,
    requests: int = 50,
    leave_out: str | None = None,
) -> Page:
    """A server that finishes so many requests between scrapes; ``latency`` are its bounds.

    Lines in which ``leave_out`` matches are not on its page.
    """
    exposition = Exposition(KINDS[kind], model, {"latency": latency} if latency else None)
    arriving = serve_requests(Deployment(), Workload(), seed=1)

    def page(_scrape: int) -> bytes:
        for request in islice(arriving, requests):
            exposition.admit(request)
            exposition.give_first_token(request)
            exposition.finish(request)
        text = exposition.render("")[0]
        return text if leave_out is None else _without(text, leave_out)

    return page


def _without(page: bytes, pattern: str) -> bytes:
    lines = page.decode().splitlines(keepends=True)
    return "".join(line for line in lines if not re.search(pattern, line)).encode()


def fixed(page: bytes) -> Page:
    return lambda _scrape: page


def up_to(scrapes: int, page: Page) -> Page:
    """The page for the first scrapes, and failures after them."""
    return lambda scrape: page(scrape) if scrape < scrapes else None


def failing_at(scrapes: Collection[int], page: Page) -> Page:
    """The page but for failures at the scrapes of these numbers."""
    return lambda scrape: None if scrape in scrapes else page(scrape)


def both(page: Page, text: bytes) -> Page:
    """The page with some more text."""
    return lambda scrape: (page(scrape) or b"") + text


@contextmanager
def served(pages: Iterable[Page]) -> Iterator[list[str]]:
    """The addresses of servers that answer with these pages, each in a thread."""
    with ExitStack() as stack:
        yield [stack.enter_context(_server(page)) for page in pages]


@contextmanager
def _server(page: Page) -> Iterator[str]:
    scrapes = iter(range(1_000_000))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = page(next(scrapes))
            # On a busy machine Prometheus may have given up already.
            with suppress(ConnectionError):
                self.send_response(500 if body is None else 200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def scraped_times(prometheus: PrometheusProcess, jobs: str, targets: int, scrapes: int) -> None:
    """Return when so many targets of the jobs (a regex) were scraped so often."""
    query = f'count(count_over_time(up{{job=~"{jobs}"}}[1m]) >= {scrapes})'
    data = urllib.parse.urlencode({"query": query}).encode()
    deadline = time.monotonic() + 30
    while True:
        with urllib.request.urlopen(f"{prometheus.url}/api/v1/query", data) as reply:
            result = json.load(reply)["data"]["result"]
        if result and float(result[0]["value"][1]) == targets:
            return
        assert time.monotonic() < deadline, result
        time.sleep(0.1)


SUMMARY = f"# TYPE {LATENCY} summary\n{LATENCY}_sum 1\n{LATENCY}_count 1\n".encode()
BROKEN = b"no exposition\n"
# The pages of the instances of each job.
JOBS: Mapping[str, Sequence[Page]] = {
    "healthy": [loaded()],
    "replicas": [loaded(), loaded()],
    "half-down": [loaded(), fixed(BROKEN)],
    "all-down": [fixed(BROKEN)],
    "ended": [up_to(2, loaded(model="ended"))],
    "differing": [loaded(), loaded(latency=[1.0, 4.0, 5.0, 6.0, 10.0])],
    "models": [loaded(), loaded(model="n")],
    "no-ttft": [loaded(leave_out=TTFT)],
    "part-ttft": [loaded(), loaded(leave_out=TTFT)],
    "summary": [both(loaded(leave_out=LATENCY), SUMMARY)],
    "no-sum": [loaded(leave_out=f"^{LATENCY}_sum")],
    "empty": [fixed(b"")],
    "sglang": [loaded("sglang")],
    "gateway": [loaded(), loaded("sglang")],
    "flaky": [failing_at({1, 2}, loaded())],
    "idle": [loaded(requests=0)],
    "slow": [loaded(requests=1)],
    "twice": [loaded()],
    "north": [loaded(model="shared")],
    "south": [loaded(model="shared")],
}
