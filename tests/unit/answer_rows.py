"""Answers of Prometheus' query API, put together row by row."""

from collections.abc import Iterable
from typing import Any

import orjson

from sloscore.core.samples import Family, FamilyKind, Labels, Target
from sloscore.sources.promql import PART_LABEL, Chunk

TTFT = Family("ttft", FamilyKind.HISTOGRAM, ("a:ttft", "a_ttft"))
TOKENS = Family("tokens", FamilyKind.COUNTER, ("a:tokens_total",))
ONE: Labels = (("instance", "h:1"),)
TWO: Labels = (("instance", "h:2"),)
MODEL: Labels = (("model", "m"),)

Row = dict[str, Any]


def body(rows: Iterable[Row], kind: str = "vector", **more: object) -> bytes:
    data = {"resultType": kind, "result": list(rows)}
    return orjson.dumps({"status": "success", "data": data, **more})


def row(name: str | None, value: float | str, instance: str = "h:1", **labels: str) -> Row:
    metric = {"job": "j", "instance": instance, **labels}
    if name is not None:
        metric["__name__"] = name
    # In Prometheus' order.
    metric = dict(sorted(metric.items()))
    return {"metric": metric, "value": [1000.0, str(value)]}


def time_of(name: str, time: float, instance: str = "h:1", **labels: str) -> Row:
    return row(None, time, instance, **{PART_LABEL: f"time:{name}"}, **labels)


def alive(
    time: float, instance: str = "h:1", up: int = 1, start: float | None = 500.5, **labels: str
) -> list[Row]:
    mark = {PART_LABEL: "target", **labels}
    rows = [row("up", up, instance, **mark), time_of("up", time, instance, **labels)]
    if start is not None:
        rows += [
            row("process_start_time_seconds", start, instance, **mark),
            time_of("process_start_time_seconds", time, instance, **labels),
        ]
    return rows


def ttft(
    time: float, instance: str = "h:1", name: str = "a:ttft", count: float = 3, **labels: str
) -> list[Row]:
    return [
        row(f"{name}_bucket", 1, instance, le="0.5", **labels),
        row(f"{name}_bucket", count, instance, le="+Inf", **labels),
        row(f"{name}_sum", 4.5, instance, **labels),
        row(f"{name}_count", count, instance, **labels),
        time_of(f"{name}_count", time, instance, **labels),
    ]


def chunk(*selectors: Labels, families: tuple[Family, ...] = (TTFT, TOKENS)) -> Chunk:
    return Chunk(families, tuple(Target(str(s), s, families) for s in selectors))
