import math

import orjson
import pytest
from tests.unit.answer_rows import (
    MODEL,
    ONE,
    TWO,
    Row,
    alive,
    body,
    chunk,
    row,
    time_of,
    ttft,
)
from tests.unit.decoded_answers import failure, only, snapshot

from sloscore.core.histogram import Histogram
from sloscore.core.samples import Child, Family, FamilyKind, InstanceSample, Labels
from sloscore.errors import SourceError
from sloscore.sources.decode import (
    decode_snapshot,
    result_of,
)


def test_a_snapshot_holds_the_histograms_and_counters_of_one_scrape() -> None:
    rows = [
        *alive(990.25),
        *ttft(990.25, model="m", engine="0"),
        row("a:tokens_total", 70, model="m"),
        time_of("a:tokens_total", 990.25, model="m"),
    ]

    assert only(snapshot(rows)) == InstanceSample(
        instance=("j", "h:1"),
        time=990.25,
        up=True,
        process_start=500.5,
        histograms={
            Child("ttft", (("engine", "0"), ("model", "m"))): Histogram(
                (0.5, math.inf), (1.0, 3.0), 4.5
            )
        },
        counters={Child("tokens", (("model", "m"),)): 70.0},
    )


@pytest.mark.parametrize("le", ["1", "1.0", "1e0", "1.000"])
def test_bucket_bounds_are_numbers_however_they_are_spelled(le: str) -> None:
    rows = [*alive(990), *ttft(990), row("a:ttft_bucket", 2, le=le)]

    (histogram,) = only(snapshot(rows)).histograms.values()

    assert histogram.bounds == (0.5, 1.0, math.inf)


def test_a_scale_converts_bounds_sums_and_counters() -> None:
    families = (
        Family("ttft", FamilyKind.HISTOGRAM, ("a:ttft",), scale=0.5),
        Family("tokens", FamilyKind.COUNTER, ("a:tokens_total",), scale=1000),
    )
    rows = [*ttft(990), row("a:tokens_total", 7), time_of("a:tokens_total", 990)]

    sample = only(decode_snapshot(body(rows), chunk(ONE, families=families), {}))

    assert list(sample.histograms.values()) == [Histogram((0.25, math.inf), (1.0, 3.0), 2.25)]
    assert list(sample.counters.values()) == [7000.0]


def test_an_instance_without_series_yet_shows_that_it_is_up() -> None:
    sample = only(snapshot(alive(990)))

    assert (sample.time, sample.up, sample.process_start) == (990.0, True, 500.5)
    assert sample.histograms == {}


def test_an_instance_that_is_down_shows_that_it_is() -> None:
    assert only(snapshot(alive(990, up=0, start=None))).up is False


def test_a_target_without_any_series_has_an_empty_snapshot() -> None:
    assert snapshot([], ONE, TWO).samples == {ONE: [], TWO: []}


def test_a_child_that_vanished_before_the_newest_scrape_is_left_out() -> None:
    rows = [*alive(990), *ttft(975, engine="0"), *ttft(990, engine="1")]

    sample = only(snapshot(rows))

    assert [child.labels for child in sample.histograms] == [(("engine", "1"),)]
    assert sample.time == 990


def test_series_of_a_server_that_is_down_by_now_are_left_out() -> None:
    sample = only(snapshot([*alive(990, up=0, start=None), *ttft(975)]))

    assert (sample.up, sample.time, sample.histograms) == (False, 990.0, {})


def test_the_mere_time_of_a_series_that_has_ended_is_no_torn_histogram() -> None:
    sample = only(snapshot([*alive(990, up=0, start=None), time_of("a:ttft_count", 990)]))

    assert (sample.up, sample.histograms) == (False, {})


def test_up_and_process_start_of_an_older_scrape_are_not_of_this_one() -> None:
    sample = only(snapshot([*alive(975), *ttft(990)]))

    assert (sample.time, sample.up, sample.process_start) == (990.0, None, None)


def test_the_first_name_with_data_counts_and_the_other_spelling_is_not_added() -> None:
    both = [*alive(990), *ttft(990, name="a_ttft", count=8), *ttft(990, name="a:ttft", count=3)]
    second = [*alive(990), *ttft(990, name="a_ttft", count=8)]

    assert [h.count for h in only(snapshot(both)).histograms.values()] == [3]
    assert [h.count for h in only(snapshot(second)).histograms.values()] == [8]


def test_a_spelling_that_vanished_does_not_hide_the_one_that_is_there() -> None:
    rows = [*alive(990), *ttft(975, name="a:ttft", count=3), *ttft(990, name="a_ttft", count=8)]

    assert [h.count for h in only(snapshot(rows)).histograms.values()] == [8]


def test_rows_go_to_the_selector_whose_every_label_they_carry() -> None:
    a1: Labels = (("instance", "h:1"), ("model", "a"))
    b2: Labels = (("instance", "h:2"), ("model", "b"))
    rows = [
        *ttft(990, "h:1", model="a"),
        *ttft(990, "h:1", model="b"),  # asked for by neither, yet matched by both alternations
        *ttft(990, "h:2", model="b"),
    ]

    answer = snapshot(rows, a1, b2)

    assert only(answer, a1).instance == ("j", "h:1")
    assert list(only(answer, a1).histograms) == [Child("ttft", (("model", "a"),))]
    assert only(answer, b2).instance == ("j", "h:2")


def test_instances_whose_up_does_not_carry_the_selector_are_reported_as_hidden() -> None:
    answer = snapshot(ttft(990, model="m"), MODEL)

    assert answer.hidden == {MODEL: {("j", "h:1")}}
    assert only(answer, MODEL).up is None


def test_a_hidden_instance_that_was_asked_for_shows_its_up_even_when_it_is_down() -> None:
    rows = [
        *ttft(990, "h:1", model="m"),
        *alive(990, "h:1"),
        *alive(990, "h:2", up=0, start=None),
        *alive(990, "h:3"),
    ]
    known = {MODEL: {("j", "h:1"), ("j", "h:2"), ("j", "gone:1")}}

    answer = decode_snapshot(body(rows), chunk(MODEL), known)

    samples = answer.samples[MODEL]
    assert not isinstance(samples, SourceError)
    assert [(s.instance[1], s.up) for s in samples] == [("h:1", True), ("h:2", False)]
    assert answer.hidden == {MODEL: {("j", "h:1"), ("j", "h:2")}}


def test_the_newest_up_of_two_replicas_counts() -> None:
    rows = [*alive(975, up=0, start=None, replica="a"), *alive(990, replica="b")]

    assert only(snapshot(rows)).up is True


TORN = {
    "no +Inf bucket": [r for r in ttft(990) if r["metric"].get("le") != "+Inf"],
    "its +Inf bucket says 3, its _count 4": [
        *ttft(990)[:3],
        row("a:ttft_count", 4),
        time_of("a:ttft_count", 990),
    ],
    "_sum is missing": [r for r in ttft(990) if r["metric"].get("__name__") != "a:ttft_sum"],
    "_sum is nan": [*ttft(990)[:2], *ttft(990)[3:], row("a:ttft_sum", "NaN")],
    "there twice, with 3 and with 2": [*ttft(990), row("a:ttft_bucket", 2, le="+Inf")],
    "there twice, with 4.5 and with nan": [*ttft(990), row("a:ttft_sum", "NaN")],
    "le is 'many'": [*ttft(990), row("a:ttft_bucket", 1, le="many")],
    "a:tokens_total{} of h:1 is nan": [
        row("a:tokens_total", "NaN"),
        time_of("a:tokens_total", 990),
    ],
}


@pytest.mark.parametrize(("words", "rows"), TORN.items(), ids=TORN)
def test_an_unreadable_series_is_the_error_of_its_own_target(words: str, rows: list[Row]) -> None:
    answer = snapshot([*rows, *ttft(990, "h:2")], ONE, TWO)

    error = failure(answer)
    assert error.kind == "decode"
    assert words in str(error)
    assert "a:t" in str(error)
    assert "h:1" in str(error)
    assert only(answer, TWO).instance == ("j", "h:2")


def native(name: str) -> Row:
    return {
        "metric": {"__name__": name, "job": "j", "instance": "h:1"},
        "histogram": [1000.0, {"count": "3", "sum": "4.5", "buckets": [[0, "0", "1", "3"]]}],
    }


def test_a_native_histogram_beside_the_classic_one_does_no_harm() -> None:
    sample = only(snapshot([*alive(990), native("a:ttft"), *ttft(990)]))

    assert [h.count for h in sample.histograms.values()] == [3]


def test_warnings_make_an_answer_partial_and_are_quoted() -> None:
    with pytest.raises(SourceError, match="store 7 is gone; and 8") as raised:
        result_of(body([], warnings=["store 7 is gone", "and 8"]), "vector")

    assert raised.value.kind == "partial"


def test_infos_do_no_harm() -> None:
    assert result_of(body([], infos=["might not be a counter"]), "vector") == []


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b'{"status":"succ',
        b"[]",
        b"null",
        b'{"status":"error"}',
        b'{"status":"success"}',
        b'{"status":"success","data":[]}',
        b'{"status":"success","data":{"resultType":"vector"}}',
        body([], "matrix"),
        body([{}]),
        body([{"metric": {"__name__": "up", "instance": "h:1"}}]),
        body([{"metric": [], "value": [1, "1"]}]),
        body([row("a:ttft_count", "many")]),
        orjson.dumps(
            {"status": "success", "data": {"resultType": "vector", "result": ["x", None]}}
        ),
    ],
)
def test_what_is_no_answer_of_the_query_api_is_a_decode_error(answer: bytes) -> None:
    with pytest.raises(SourceError) as raised:
        decode_snapshot(answer, chunk(ONE), {})

    assert raised.value.kind == "decode"
