"""Load on an HTTP server of this machine, from a process of its own.

``hammer`` sends as many requests as are answered: with wrk where that is installed (Debian's package
``wrk``), with this file as a script elsewhere. ``probe`` sends a request every few milliseconds,
whatever becomes of those before, and so sees how long the server is away.

    python bench/http_load.py hammer|probe URL SECONDS [BODY_FILE]
"""

import asyncio
import functools
import json
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

CONNECTIONS = 16
PROBE_SECONDS = 0.005
_LUA = """
wrk.method = "{method}"
wrk.headers["Content-Type"] = "application/json"
wrk.body = {body}
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\n{{"requests": %d, "seconds": %f, "errors": %d, "p50": %f, "p99": %f, "longest": %f}}\\n',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1e6, latency:percentile(99) / 1e6, latency.max / 1e6))
end
"""


@dataclass(frozen=True)
class Load:
    """What became of requests; latencies in seconds."""

    requests: int
    seconds: float
    errors: int
    p50: float
    p99: float
    longest: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def hammer(url: str, seconds: float, body: Path | None = None) -> Load:
    """Requests one after the other on each of 16 connections; a POST where there is a body."""
    if shutil.which("wrk") is None:
        return _script("hammer", url, seconds, body)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        text = "nil" if body is None else json.dumps(body.read_text(encoding="utf-8"))
        script.write(_LUA.format(method="GET" if body is None else "POST", body=text))
        script.flush()
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "-s", script.name, url]
        return _read(command)


def probe(url: str, seconds: float) -> subprocess.Popen[str]:
    """Start to ask every 5 ms for so many seconds; ``result_of`` waits for its end."""
    command = [sys.executable, __file__, "probe", url, f"{seconds:g}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603  this script


def result_of(process: subprocess.Popen[str]) -> Load:
    """What a probe has seen."""
    output, _ = process.communicate()
    return Load(**json.loads(output))


def load_of(latencies: Sequence[float], seconds: float, errors: int = 0) -> Load:
    """The figures of single latencies, of which there is at least one."""
    ordered = sorted(latencies)
    p50, p99, longest = (ordered[int((len(ordered) - 1) * share)] for share in (0.5, 0.99, 1.0))
    return Load(len(ordered), seconds, errors, p50, p99, longest)


def _script(kind: str, url: str, seconds: float, body: Path | None) -> Load:
    command = [sys.executable, __file__, kind, url, f"{seconds:g}"]
    return _read([*command, *([] if body is None else [str(body)])])


def _read(command: Sequence[str]) -> Load:
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  ours
    return Load(**json.loads(done.stdout.splitlines()[-1]))


class _Client(asyncio.Protocol):
    """One connection, which counts the time of an answer from that at which its request was due."""

    def __init__(self, request: bytes, *, again: bool) -> None:
        self.latencies: list[float] = []
        self.errors = 0
        self._request = request
        self._again = again
        self._due = deque[float]()
        self.answered = asyncio.Event()
        self._received = bytearray()
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send(self, due: float) -> None:
        self._due.append(due)
        self.answered.clear()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (length := self._answer_length()) is not None:
            self.errors += not self._received.startswith(b"HTTP/1.1 200")
            del self._received[:length]
            now = self._loop.time()
            self.latencies.append(now - self._due.popleft())
            if self._again:
                self.send(now)
        if not self._due:
            self.answered.set()

    def _answer_length(self) -> int | None:
        """Bytes of the first answer, once all of it has come."""
        head = self._received.find(b"\r\n\r\n")
        if head < 0:
            return None
        _, _, rest = bytes(self._received[:head]).lower().partition(b"content-length:")
        length = head + 4 + int(rest.split(b"\r\n")[0])
        return length if len(self._received) >= length else None


async def _run(kind: str, url: str, seconds: float, body: bytes | None) -> Load:
    parts, loop = urlsplit(url), asyncio.get_running_loop()
    host, port = parts.hostname or "", parts.port or 80
    method, content = ("GET", b"") if body is None else ("POST", body)
    head = f"{method} {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    clients = []
    for _ in range(CONNECTIONS if kind == "hammer" else 1):
        again = kind == "hammer"
        make = functools.partial(_Client, f"{head}\r\n".encode() + content, again=again)
        _, client = await loop.create_connection(make, host, port)
        clients.append(client)
    began = loop.time()
    for client in clients:
        client.send(began)
    due = began
    while (due := due + PROBE_SECONDS) < began + seconds:
        await asyncio.sleep(max(0.0, due - loop.time()))
        if kind == "probe":
            clients[0].send(due)
    if kind == "probe":
        await clients[0].answered.wait()
    latencies = [latency for client in clients for latency in client.latencies]
    return load_of(latencies, loop.time() - began, sum(client.errors for client in clients))


if __name__ == "__main__":
    what, target, duration, *files = sys.argv[1:]
    content = Path(files[0]).read_bytes() if files else None
    print(json.dumps(asdict(asyncio.run(_run(what, target, float(duration), content)))))
