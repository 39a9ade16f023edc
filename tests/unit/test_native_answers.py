"""Native histograms in answers of Prometheus' HTTP API: alone, beside classic ones, and left over."""

import math
from collections.abc import Iterable
from typing import Any

import orjson
import pytest

from sloscore.core.histogram import Histogram, Layout
from sloscore.core.samples import Child, Family, FamilyKind, InstanceSample, Labels, Target
from sloscore.errors import SourceError
from sloscore.experiments.window import WindowAccumulator
from sloscore.sources.decode import SamplesAnswer, decode_samples, decode_snapshot
from sloscore.sources.promql import PART_LABEL, Chunk

TTFT = Family("ttft", FamilyKind.HISTOGRAM, ("a:ttft", "a_ttft"), scale=0.25)
TOKENS = Family("tokens", FamilyKind.COUNTER, ("a:tokens_sum", "a:tokens_total"))
TARGET = Target("e", (("instance", "h:1"),), (TTFT, TOKENS))
CLASSIC = Histogram((0.125, math.inf), (1, 3), 1.125)
NATIVE = Histogram((0.25, 0.5, math.inf), (0, 7, 7), 2.25, Layout.CUSTOM)

Row = dict[str, Any]


def row(name: str | None, value: float, **labels: str) -> Row:
    metric = {"job": "j", "instance": "h:1", **labels}
    if name is not None:
        metric["__name__"] = name
    return {"metric": metric, "value": [1000.0, str(value)]}


def time_of(name: str, time: float, **labels: str) -> Row:
    return row(None, time, **{PART_LABEL: f"time:{name}"}, **labels)


def up(time: float) -> list[Row]:
    return [row("up", 1, **{PART_LABEL: "target"}), time_of("up", time)]


def classic(time: float, name: str = "a:ttft", **labels: str) -> list[Row]:
    return [
        row(f"{name}_bucket", 1, le="0.5", **labels),
        row(f"{name}_bucket", 3, le="+Inf", **labels),
        row(f"{name}_sum", 4.5, **labels),
        row(f"{name}_count", 3, **labels),
        time_of(f"{name}_count", time, **labels),
    ]


def spelled(count: int = 7, total: float = 9.0) -> Row:
    return {"count": str(count), "sum": str(total), "buckets": [[0, "1", "2", str(count)]]}


def native(time: float, name: str = "a:ttft", **labels: str) -> list[Row]:
    found = row(name, 0, **labels)
    del found["value"]
    return [{**found, "histogram": [1000.0, spelled()]}, time_of(name, time, **labels)]


def snapshot(rows: Iterable[Row]) -> InstanceSample:
    answer = {"resultType": "vector", "result": list(rows)}
    body = orjson.dumps({"status": "success", "data": answer})
    found = decode_snapshot(body, Chunk(TARGET.families, (TARGET,)), {})
    samples = found.samples[TARGET.selector]
    assert not isinstance(samples, SourceError), samples
    (sample,) = samples
    return sample


SNAPSHOTS: dict[str, tuple[list[Row], dict[Labels, Histogram]]] = {
    "a native one alone is read, in the unit of its family": (native(990), {(): NATIVE}),
    "the classic one beside it counts, and once": ([*native(990), *classic(990)], {(): CLASSIC}),
    "a child that is only native counts beside its classic siblings": (
        [*native(990, engine="0"), *classic(990, engine="0"), *native(990, engine="1")],
        {(("engine", "0"),): CLASSIC, (("engine", "1"),): NATIVE},
    ),
    "a classic one under another spelling counts before a native one": (
        [*native(990), *classic(990, "a_ttft")], {(): CLASSIC},
    ),
    "of two native spellings the first counts": (
        [*native(990), *native(990, "a_ttft", engine="1")], {(): NATIVE},
    ),
    "a classic one that is left over from before is not read": (
        [*up(990), *classic(975), *native(990)], {(): NATIVE},
    ),
    "a native one that is left over from before is not read": (
        [*up(990), *native(975), *classic(990)], {(): CLASSIC},
    ),
    "a native one alone that is left over is nothing": ([*up(990), *native(975)], {}),
    "a number under the bare name is none": ([*up(990), row("a:ttft", 3)], {}),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "expected"), SNAPSHOTS.values(), ids=SNAPSHOTS.keys())
def test_snapshot(rows: list[Row], expected: dict[Labels, Histogram]) -> None:
    sample = snapshot([*up(990), *rows])

    assert sample.time == 990
    assert sample.histograms == {
        Child("ttft", labels): histogram for labels, histogram in expected.items()
    }


@pytest.mark.parametrize(
    ("rows", "tokens"),
    [
        (native(990, "a:tokens"), 9),
        ([*native(990, "a:tokens"), row("a:tokens_sum", 5), time_of("a:tokens_sum", 990)], 5),
        ([*native(990, "a:tokens"), row("a:tokens_total", 4), time_of("a:tokens_total", 990)], 4),
    ],
    ids=["alone", "beside the classic sum", "beside a counter of another name"],
)
def test_the_sum_of_a_native_histogram_is_a_counter(rows: list[Row], tokens: float) -> None:
    assert snapshot([*up(990), *rows]).counters == {Child("tokens", ()): tokens}


def test_the_count_of_a_native_histogram_is_a_counter() -> None:
    requests = Family("requests", FamilyKind.COUNTER, ("a:ttft_count",))
    row = {"metric": {"__name__": "a:ttft", "job": "j", "instance": "h:1"},
           "histograms": [[990, spelled()]]}  # fmt: skip
    (sample,) = history([row], requests)

    assert sample.counters == {Child("requests", ()): 7}


def history(rows: list[Row], *families: Family) -> list[InstanceSample]:
    answer = {"resultType": "matrix", "result": rows}
    body = orjson.dumps({"status": "success", "data": answer})
    target = Target("e", TARGET.selector, families)
    return list(decode_samples(SamplesAnswer(body), target, 900, 1000))


def test_a_number_under_the_bare_name_is_none_in_a_past_window_either() -> None:
    row = {"metric": {"__name__": "a:ttft", "job": "j", "instance": "h:1"},
           "values": [[990, "3"]]}  # fmt: skip
    (sample,) = history([row], TTFT)

    assert sample.histograms == {}


def test_a_window_goes_on_where_prometheus_begins_to_convert_classic_histograms() -> None:
    def values(name: str, *points: tuple[float, float], **labels: str) -> Row:
        metric = {"__name__": name, "job": "j", "instance": "h:1", **labels}
        return {"metric": metric, "values": [[time, str(value)] for time, value in points]}

    converted = {"metric": {"__name__": "a:ttft", "job": "j", "instance": "h:1"}, "histograms": [
        [930, {"count": "9", "sum": "8", "buckets": [[3, "-Inf", "1", "3"], [0, "1", "2", "6"]]}],
        [940, {"count": "12", "sum": "9", "buckets": [[3, "-Inf", "1", "3"], [0, "1", "2", "9"]]}],
    ]}  # fmt: skip
    rows = [
        values("a:ttft_bucket", (910, 1), (920, 2), le="1.0"),
        values("a:ttft_bucket", (910, 3), (920, 5), le="2.0"),
        values("a:ttft_bucket", (910, 3), (920, 5), le="5.0"),
        values("a:ttft_bucket", (910, 3), (920, 5), le="+Inf"),
        values("a:ttft_sum", (910, 1), (920, 2)),
        values("a:ttft_count", (910, 3), (920, 5)),
        converted,
    ]
    ttft = Family("ttft", FamilyKind.HISTOGRAM, ("a:ttft",))
    window = WindowAccumulator(910, 940)
    window.feed(history(rows, ttft))
    counts = window.counts()

    assert (counts.resets, counts.observed_end) == (0, 940)
    found = counts.histograms["ttft"]
    assert [found.count_at_or_under(at) for at in (1, 1.5, 2, 5, math.inf)] == [2, None, 9, 9, 9]
    assert found.sum == 8


def test_an_unreadable_one_is_named() -> None:
    torn = {"metric": {"__name__": "a:ttft", "job": "j", "instance": "h:1", "engine": "0"},
            "histograms": [[990, {**spelled(), "count": "8"}]]}  # fmt: skip

    with pytest.raises(SourceError, match=r'a:ttft\{engine="0"\} of h:1 is torn') as raised:
        history([torn], TTFT)

    assert raised.value.kind == "decode"
