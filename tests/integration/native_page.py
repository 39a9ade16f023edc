"""A page of native histograms: they are only exposed as protobuf, which is written here by hand.

Field numbers are those of io.prometheus.client.MetricFamily (client_model, metrics.proto).
"""

import math
import struct
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT_TYPE = (
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
)
HISTOGRAM = 4


@dataclass
class NativeHistogram:
    """What a Go client keeps: counts by index of the exponential buckets of a schema.

    The bucket with index i reaches from ``2 ** ((i - 1) / 2 ** schema)`` to ``2 ** (i / 2 **
    schema)``, those of ``negative`` from minus one to minus the other. ``classic`` are upper bounds
    of a classic histogram beside it.
    """

    schema: int = 3
    zero_threshold: float = 2.0**-128
    classic: tuple[float, ...] = ()
    zeros: int = 0
    sum: float = 0.0
    positive: Counter[int] = field(default_factory=Counter)
    negative: Counter[int] = field(default_factory=Counter)
    at_or_under: Counter[float] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        return self.zeros + self.positive.total() + self.negative.total()

    def observe(self, value: float) -> None:
        self.sum += value
        self.at_or_under.update(bound for bound in self.classic if value <= bound)
        if abs(value) <= self.zero_threshold:
            self.zeros += 1
        else:
            side = self.positive if value > 0 else self.negative
            side[math.ceil(math.log2(abs(value)) * 2.0**self.schema)] += 1

    def halve_resolution(self) -> None:
        """Make each two neighbours one bucket, as a client does that has too many of them."""
        self.schema -= 1
        for side in (self.positive, self.negative):
            finer = dict(side)
            side.clear()
            for index, count in finer.items():
                side[(index + 1) // 2] += count


@dataclass
class NativePage:
    """What is served: histograms under one name, by the value of their label ``case``."""

    name: str
    cases: dict[str, NativeHistogram] = field(default_factory=dict)
    address: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def observe(self, values: Iterable[float], drops: int = 0) -> None:
        """Count values in case ``a``, after its resolution dropped so often; no scrape between."""
        with self._lock:
            for _ in range(drops):
                self.cases["a"].halve_resolution()
            for value in values:
                self.cases["a"].observe(value)

    def body(self) -> bytes:
        with self._lock:
            metrics = [
                _labelled({"case": case}) + _part(7, _histogram(histogram))
                for case, histogram in self.cases.items()
            ]
        return _family(self.name, HISTOGRAM, metrics)


@contextmanager
def served(page: NativePage) -> Iterator[NativePage]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = page.body()
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    page.address = f"127.0.0.1:{server.server_port}"
    try:
        yield page
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _histogram(histogram: NativeHistogram) -> bytes:
    written = [
        _number(1, histogram.count),
        _double(2, histogram.sum),
        *(
            _part(3, _number(1, histogram.at_or_under[bound]) + _double(2, bound))
            for bound in histogram.classic
        ),
        _number(5, _zigzag(histogram.schema)),
        _double(6, histogram.zero_threshold),
        _number(7, histogram.zeros),
        *_spans(9, 10, histogram.negative),
        *_spans(12, 13, histogram.positive),
    ]
    return b"".join(written)


def _spans(span: int, delta: int, counts: Mapping[int, int]) -> Iterator[bytes]:
    """One span of one bucket for each index; each count as what it is more than the last."""
    following = last = 0
    for index in sorted(counts):
        yield _part(span, _number(1, _zigzag(index - following)) + _number(2, 1))
        yield _number(delta, _zigzag(counts[index] - last))
        following, last = index + 1, counts[index]
    if not counts:
        # It says that the histogram is a native one, though nothing is in it.
        yield _part(span, _number(1, 0) + _number(2, 0))


def _family(name: str, kind: int, metrics: Iterable[bytes]) -> bytes:
    body = _text(1, name) + _text(2, "Made by hand.") + _number(3, kind)
    body += b"".join(_part(4, metric) for metric in metrics)
    return _varint(len(body)) + body


def _labelled(labels: Mapping[str, str]) -> bytes:
    return b"".join(_part(1, _text(1, name) + _text(2, value)) for name, value in labels.items())


def _text(field_number: int, text: str) -> bytes:
    return _part(field_number, text.encode())


def _part(field_number: int, body: bytes) -> bytes:
    return _varint(field_number << 3 | 2) + _varint(len(body)) + body


def _number(field_number: int, number: int) -> bytes:
    return _varint(field_number << 3) + _varint(number)


def _double(field_number: int, number: float) -> bytes:
    return _varint(field_number << 3 | 1) + struct.pack("<d", number)


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)
