"""Faults of a source, a row each of docs/faults.md: how to cause one, and what is told of it."""

import contextlib
import functools
import gzip
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from tests.integration.fault_proxy import TIME, Call, Document, Fault, FaultProxy, passed_on

from sloscore.sources.promql import PART_LABEL, PART_TIME_PREFIX

Row = dict[str, Any]
Change = Callable[[FaultProxy], Awaitable[None]]

MEGABYTE = b" " * 2**20
HUGE_MEGABYTES = 200
SKEW = 300.0
NOWHERE = "http://prometheus.invalid:9090"


async def nothing(proxy: FaultProxy) -> None:
    del proxy


@dataclass(frozen=True, kw_only=True)
class SourceFault:
    """``words`` are told of it everywhere, and errors are counted as of this ``kind`` (None: none).

    The ``fault`` answers in place of Prometheus; ``begin`` and ``end`` do what is done to the proxy
    itself. ``only`` is what a query has to hold for the fault to hit it, so that experiments of
    another server go on. ``final`` are the words of a report that ends meanwhile, as a rule the same.
    ``url`` replaces that of Prometheus for as long; ``settings`` are those of the service's source.
    ``offset`` is how many seconds the clock of Prometheus is ahead.
    """

    words: str
    kind: str | None
    fault: Fault = passed_on
    begin: Change = nothing
    end: Change = nothing
    only: str = ""
    final: str | None = None
    url: str | None = None
    tls: bool = False
    offset: float = 0.0
    settings: Mapping[str, object] = field(default_factory=dict)

    async def answer(self, call: Call) -> web.StreamResponse:
        """The answer to one query while the fault lasts."""
        return await (self.fault if self.only in call.query else passed_on)(call)


def answering(status: int, text: str, content_type: str = "text/plain", **headers: str) -> Fault:
    async def fault(_: Call) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=text, content_type=content_type, headers=named)

    return fault


def refusing(status: int, error_type: str, words: str) -> Fault:
    said = {"status": "error", "errorType": error_type, "error": words}
    return answering(status, orjson.dumps(said).decode(), "application/json")


def changing(change: Callable[[Document], None]) -> Fault:
    """Prometheus' own answers, each changed in some way."""

    async def fault(call: Call) -> web.StreamResponse:
        document = await call.forward()
        change(document)
        return web.json_response(body=orjson.dumps(document))

    return fault


def rows_of(document: Document) -> list[Row]:
    rows: list[Row] = document["data"]["result"]
    return rows


def points_of(row: Row) -> Iterable[list[Any]]:
    return row["values"] if "values" in row else [row["value"]]


def of_server(document: Document) -> list[Row]:
    """Rows with values of the server's own metrics."""
    return [r for r in rows_of(document) if r["metric"].get("__name__", "").startswith("vllm:")]


async def reset_before(call: Call) -> web.StreamResponse:
    call.drop()
    return web.Response()


async def reset_in_middle(call: Call) -> web.StreamResponse:
    body = orjson.dumps(await call.forward())
    response = web.StreamResponse(headers={"Content-Length": str(len(body))})
    await response.prepare(call.request)
    await response.write(body[: len(body) // 2])
    call.drop()
    return response


async def truncated(call: Call) -> web.StreamResponse:
    body = orjson.dumps(await call.forward())
    return web.Response(body=body[: len(body) // 2], content_type="application/json")


async def late(call: Call) -> web.StreamResponse:
    await call.proxy.healed.wait()
    return await passed_on(call)


def partial(document: Document) -> None:
    document["warnings"] = ["the store of zone b is away"]


def empty(document: Document) -> None:
    rows_of(document).clear()


def without_numbers(document: Document) -> None:
    for row in of_server(document):
        for point in points_of(row):
            point[1] = "NaN"


def disordered(document: Document) -> None:
    rows = rows_of(document)
    rows.reverse()
    for row in rows:
        if "values" in row:
            row["values"].reverse()
    rows.extend(orjson.loads(orjson.dumps(rows)))


def contradictory(document: Document) -> None:
    again: list[Row] = orjson.loads(orjson.dumps(of_server(document)))
    for row in again:
        for point in points_of(row):
            point[1] = str(float(point[1]) + 1)
    rows_of(document).extend(again)


@functools.cache
def huge_body(*, zipped: bool) -> Iterable[bytes]:
    """A valid answer of so many megabytes in parts: one by one as it is, or all as small as it gets."""
    head, tail = b'{"status":"success","data":{"resultType":"vector","result":[', b"]}}"
    parts = [head, *[MEGABYTE] * HUGE_MEGABYTES, tail]
    return [gzip.compress(b"".join(parts))] if zipped else parts


def huge(*, zipped: bool) -> Fault:
    async def fault(call: Call) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        if zipped:
            response.headers["Content-Encoding"] = "gzip"
        await response.prepare(call.request)
        # The service hangs up once it has read enough.
        with contextlib.suppress(ConnectionError):
            for part in huge_body(zipped=zipped):
                await response.write(part)
        return response

    return fault


def skewed(seconds: float) -> Fault:
    """A Prometheus whose clock is ahead: what it stamps is, and what it is asked for is to it."""

    async def fault(call: Call) -> web.StreamResponse:
        form = dict(call.form)
        if "time" in form:
            form["time"] = f"{float(form['time']) - seconds:.3f}"
        document = await call.forward(form)
        for row in rows_of(document):
            part = row["metric"].get(PART_LABEL, "")
            tells_time = part.startswith(PART_TIME_PREFIX) or call.query == TIME
            for point in points_of(row):
                point[0] += seconds
                if tells_time:
                    point[1] = str(float(point[1]) + seconds)
        return web.json_response(body=orjson.dumps(document))

    return fault


async def hang_up(proxy: FaultProxy) -> None:
    await proxy.hang_up()


async def listen(proxy: FaultProxy) -> None:
    await proxy.listen()


LOGIN = "<html><head><title>Log in</title></head><body><h1>Who are you?</h1></body></html>"

FAULTS: Mapping[str, SourceFault] = {
    "Prometheus is down": SourceFault(
        words="cannot reach Prometheus at", kind="unreachable", begin=hang_up, end=listen
    ),
    "the connection is dropped before the answer": SourceFault(
        words="cannot reach Prometheus at", kind="unreachable", fault=reset_before
    ),
    "the connection is dropped in the middle of the answer": SourceFault(
        words="broke off", kind="http", fault=reset_in_middle
    ),
    "Prometheus is slower than the deadline": SourceFault(
        words="did not answer within 0.3 s (prometheus.timeout)",
        kind="timeout",
        fault=late,
        settings={"timeout": "300ms"},
    ),
    "HTTP 500": SourceFault(
        words="answered HTTP 500: internal: the disk is gone",
        kind="http",
        fault=refusing(500, "internal", "the disk is gone"),
    ),
    "HTTP 503": SourceFault(
        words="answered HTTP 503: Service Unavailable",
        kind="http",
        fault=answering(503, "Service Unavailable"),
    ),
    "HTTP 429 with Retry-After": SourceFault(
        words="answered HTTP 429: slow down (Retry-After: 3600)",
        kind="http",
        fault=answering(429, "slow down", Retry_After="3600"),
    ),
    "HTTP 502 with a proxy's page": SourceFault(
        words="answered HTTP 502: Log in Who are you?",
        kind="http",
        fault=answering(502, LOGIN, "text/html"),
    ),
    "the answer is cut short": SourceFault(
        words="the answer is not JSON", kind="decode", fault=truncated
    ),
    "a login page with HTTP 200": SourceFault(
        words="but says: Log in Who are you?; is the address right?",
        kind="decode",
        fault=answering(200, LOGIN, "text/html"),
    ),
    "a partial answer with warnings": SourceFault(
        words="the answer may be partial: the store of zone b is away",
        kind="partial",
        fault=changing(partial),
        only="vllm:",
    ),
    "an empty result": SourceFault(
        words="the metric source shows nothing any more",
        final="no series",
        kind=None,
        fault=changing(empty),
        only="vllm:",
    ),
    "NaN values": SourceFault(
        words="is nan", kind="decode", fault=changing(without_numbers), only="vllm:"
    ),
    "a series twice with different values": SourceFault(
        words="is there twice", kind="decode", fault=changing(contradictory), only="vllm:"
    ),
    "an answer of 200 MB": SourceFault(
        words="is larger than 1000000 bytes (prometheus.max_answer_bytes)",
        kind="too_large",
        fault=huge(zipped=False),
        only="vllm:",
        settings={"max_answer_bytes": 1_000_000},
    ),
    "a compressed answer of 200 MB": SourceFault(
        words="is larger than 1000000 bytes (prometheus.max_answer_bytes)",
        kind="too_large",
        fault=huge(zipped=True),
        only="vllm:",
        settings={"max_answer_bytes": 1_000_000},
    ),
    "Prometheus' clock is 5 minutes ahead": SourceFault(
        # How far apart varies by a tenth from one reading to the next: the offset is checked.
        words=" s ahead of this machine's, so that windows would hold requests of another time",
        kind="clock",
        fault=skewed(SKEW),
        offset=SKEW,
    ),
    "Prometheus' clock is 5 minutes behind": SourceFault(
        words=" s behind this machine's, so that windows would hold requests of another time",
        kind="clock",
        fault=skewed(-SKEW),
        offset=-SKEW,
    ),
    "the name of the host is not known": SourceFault(
        words=f"cannot reach Prometheus at {NOWHERE}", kind="unreachable", url=NOWHERE
    ),
    "the certificate has expired": SourceFault(
        words="is not trusted: certificate has expired", kind="unreachable", tls=True
    ),
    "HTTP 401": SourceFault(
        words="refuses the credentials (HTTP 401): who are you?",
        kind="auth",
        fault=answering(401, "who are you?"),
    ),
    "HTTP 403": SourceFault(
        words="refuses the credentials (HTTP 403): not for you",
        kind="auth",
        fault=answering(403, "not for you"),
    ),
}
HARMLESS: Mapping[str, SourceFault] = {
    "rows and samples out of order, and repeated": SourceFault(
        words="", kind=None, fault=changing(disordered), only="vllm:"
    ),
}
