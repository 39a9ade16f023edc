"""What bench_tick.py measures on: inference servers' histograms in a Prometheus, put there by remote write.

Prometheus keeps what is written as it keeps what it scrapes: the same series, samples and times. Each
server shows vLLM's four histograms (95 series), ``up`` and its process start, every 15 s.
"""

import struct
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sloscore.spec.metric import Role
from sloscore.spec.preset import load_preset

SCRAPE = 15.0
ROLES: tuple[Role, ...] = ("latency", "ttft", "tpot", "queue")
# Requests that a server finishes between two scrapes.
_FINISHED = 75
_SERVERS_A_REQUEST = 10
_LITERAL_BYTES = 65536

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Servers:
    """Servers number ``first`` to before ``last`` with scrapes over ``seconds`` up to a common end."""

    first: int
    last: int
    seconds: float


def instance_of(number: int) -> str:
    """The address of a server."""
    return f"10.1.{number // 250}.{number % 250 + 1}:8000"


def metric_of(role: Role) -> str:
    """The name of a histogram."""
    return load_preset("vllm").metrics[role].names[0]


def bounds_of(role: Role) -> tuple[float, ...]:
    """The bounds of a histogram in seconds, without +Inf."""
    return tuple(load_preset("vllm").metrics[role].buckets or ())


def write(url: str, servers: Servers, end: float) -> int:
    """Write all scrapes up to ``end`` (Unix seconds); how many samples that were."""
    steps = np.arange(round(servers.seconds / SCRAPE), -1, -1, dtype=np.float64)
    times = end - SCRAPE * steps
    labels = _labels_of_series()
    for first in range(servers.first, servers.last, _SERVERS_A_REQUEST):
        numbers = range(first, min(first + _SERVERS_A_REQUEST, servers.last))
        _send(url, b"".join(_messages(number, labels, times) for number in numbers))
    return (servers.last - servers.first) * len(labels) * len(times)


def _labels_of_series() -> list[tuple[bytes, bytes]]:
    """The labels of each series of a server, before and after the one with its address."""
    own = {"instance": "", "job": "inference"}
    model = {**own, "engine": "0", "model_name": "llama-3.3-70b"}
    found: list[dict[str, str]] = []
    for role in ROLES:
        name = metric_of(role)
        les = [*(repr(float(bound)) for bound in bounds_of(role)), "+Inf"]
        found += [{"__name__": f"{name}_bucket", **model, "le": le} for le in les]
        found += [{"__name__": f"{name}_{part}", **model} for part in ("sum", "count")]
    found += [{"__name__": name, **own} for name in ("up", "process_start_time_seconds")]
    return [
        (
            b"".join(_label(key, labels[key]) for key in sorted(labels) if key < "instance"),
            b"".join(_label(key, labels[key]) for key in sorted(labels) if key > "instance"),
        )
        for labels in found
    ]


def _values(number: int, times: Floats) -> Floats:
    """What a server shows: a row for each series, a column for each scrape."""
    chance = np.random.default_rng(number)
    found: list[Floats] = []
    for role in ROLES:
        bounds = bounds_of(role)
        # A latency about the middle of the bounds.
        middle = len(bounds) / 2
        within = 1 / (1 + np.exp(middle - np.arange(len(bounds))))
        shares = np.diff(within, prepend=0.0, append=1.0)
        finished = chance.multinomial(_FINISHED, shares, size=len(times))
        cumulative = np.cumsum(np.cumsum(finished, axis=0), axis=1).T.astype(np.float64)
        sums = np.cumsum(finished @ np.array([*bounds, bounds[-1]])) * 0.87
        found += [*cumulative, sums, cumulative[-1]]
    found += [np.ones(len(times)), np.full(len(times), float(int(times[0])) - 3600.0)]
    return np.array(found)


def _messages(number: int, labels: list[tuple[bytes, bytes]], times: Floats) -> bytes:
    """The TimeSeries of Prometheus' remote write of a server, as fields of the request."""
    values = _values(number, times)
    rows = np.zeros((*values.shape, 18), dtype=np.uint8)
    # Field 2, 16 bytes long: field 1, a double; field 2, a varint of six bytes.
    rows[..., 0], rows[..., 1], rows[..., 2], rows[..., 11] = 0x12, 16, 0x09, 0x10
    rows[..., 3:11] = values.astype("<f8").view(np.uint8).reshape(*values.shape, 8)
    left = np.round(times * 1000).astype(np.int64)
    for place in range(12, 18):
        rows[..., place] = (left & 0x7F) | (0x80 if place < 17 else 0)
        left >>= 7
    instance = _label("instance", instance_of(number))
    return b"".join(
        _field(1, before + instance + after + row.tobytes())
        for (before, after), row in zip(labels, rows, strict=True)
    )


def _label(name: str, value: str) -> bytes:
    return _field(1, _field(1, name.encode()) + _field(2, value.encode()))


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _send(url: str, body: bytes) -> None:
    request = urllib.request.Request(  # noqa: S310  http by construction
        f"{url}/api/v1/write",
        data=b"".join(_snappy(body)),
        headers={
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "snappy",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        },
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  as above
        assert answer.status in {200, 204}


def _snappy(body: bytes) -> Iterator[bytes]:
    """The block format with literals only: the content is what counts, not its size on the way."""
    yield _varint(len(body))
    for start in range(0, len(body), _LITERAL_BYTES):
        part = body[start : start + _LITERAL_BYTES]
        yield struct.pack("<BH", 61 << 2, len(part) - 1) + part
