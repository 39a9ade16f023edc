"""Raw samples of a target, decoded from an answer of Prometheus."""

from collections.abc import Iterable

import pytest
from tests.unit.answer_rows import (
    MODEL,
    ONE,
    TTFT,
    Row,
    alive,
    body,
    time_of,
    ttft,
)
from tests.unit.decoded_answers import only, snapshot

from sloscore.core.samples import InstanceSample, Labels, Target
from sloscore.errors import SourceError
from sloscore.sources.decode import (
    SamplesAnswer,
    decode_samples,
)


def ranged(name: str, points: dict[float, float | str], **labels: str) -> Row:
    metric = {"__name__": name, "job": "j", "instance": "h:1", **labels}
    return {"metric": metric, "values": [[time, str(value)] for time, value in points.items()]}


def ttft_range(counts: dict[float, float | str], **labels: str) -> list[Row]:
    return [
        ranged("a:ttft_bucket", counts, le="+Inf", **labels),
        ranged("a:ttft_sum", {t: "NaN" if n == "NaN" else 1 for t, n in counts.items()}, **labels),
        ranged("a:ttft_count", counts, **labels),
    ]


def samples(
    rows: Iterable[Row],
    after: float,
    until: float,
    hidden: Iterable[Row] | None = None,
    selector: Labels = ONE,
) -> list[InstanceSample]:
    answer = SamplesAnswer(body(rows, "matrix"))
    if hidden is not None:
        names = frozenset({("j", "h:1")})
        answer = SamplesAnswer(answer.body, names, body(hidden, "matrix"))
    return list(decode_samples(answer, Target("k", selector, (TTFT,)), after, until))


def test_raw_samples_come_as_one_sample_for_each_scrape_in_order() -> None:
    rows = [
        *ttft_range({10.001: 1, 20.001: 2, 30.001: 3}),
        ranged("up", {10.001: 1, 20.001: 1, 30.001: 1, 40.001: 0}),
        ranged("process_start_time_seconds", {10.001: 5, 20.001: 5, 30.001: 25}),
    ]

    found = samples(rows, 0, 50)

    assert [(s.time, s.up, s.process_start) for s in found] == [
        (10.001, True, 5.0),
        (20.001, True, 5.0),
        (30.001, True, 25.0),
        (40.001, False, None),
    ]
    assert [[h.count for h in s.histograms.values()] for s in found] == [[1], [2], [3], []]


def test_samples_of_several_instances_are_ordered_by_time() -> None:
    rows = [
        ranged("up", {10: 1, 20: 1}),
        ranged("up", {15: 1, 25: 1}, instance="h:0"),
    ]

    assert [s.time for s in samples(rows, 0, 50)] == [10, 15, 20, 25]


def test_the_range_is_open_at_its_start_and_closed_at_its_end_to_the_millisecond() -> None:
    times = [1795538387.485, 1795538387.486, 1795538397.485, 1795538397.486]
    rows = [ranged("up", dict.fromkeys(times, 1))]

    found = samples(rows, times[0], times[2])

    assert [s.time for s in found] == times[1:3]


def test_scrapes_that_the_earlier_query_for_up_does_not_know_are_left_out() -> None:
    rows = ttft_range({10: 1, 20: 2, 30: 3}, model="m")
    hidden = [
        ranged("up", {10: 1, 20: 1}),
        ranged("process_start_time_seconds", {10: 5, 20: 5}),
        ranged("up", {10: 1, 20: 1}, instance="other:1"),
    ]

    found = samples(rows, 0, 50, hidden, MODEL)

    assert [(s.instance[1], s.time, s.process_start) for s in found] == [
        ("h:1", 10.0, 5.0),
        ("h:1", 20.0, 5.0),
    ]


def test_hidden_instances_without_any_up_keep_their_samples() -> None:
    found = samples(ttft_range({10: 1}, model="m"), 0, 50, [], MODEL)

    assert [(s.time, s.up) for s in found] == [(10.0, None)]


def test_the_order_of_rows_and_points_does_not_matter_nor_does_a_repetition() -> None:
    rows = ttft_range({10: 1, 20: 2, 30: 4})
    shuffled = ttft_range({30: 4, 10: 1, 20: 2})[::-1]

    assert samples([*shuffled, *rows[1:]], 0, 50) == samples(rows, 0, 50)
    assert only(snapshot([*ttft(990), *ttft(990)[::-1]])) == only(snapshot(ttft(990)))


def test_raw_samples_of_a_time_with_two_values_are_an_error() -> None:
    rows = [*ttft_range({10: 1, 20: 2}), ranged("a:ttft_count", {20: 3})]

    with pytest.raises(SourceError, match="there twice, with 2 and with 3"):
        samples(rows, 0, 50)


def test_the_marks_of_ended_series_of_victoria_metrics_are_no_samples() -> None:
    down = [*ttft_range({10: 1, 20: "NaN", 30: 3}), ranged("up", {10: 1, 20: 0, 30: 1})]
    assert [(s.time, s.up, len(s.histograms)) for s in samples(down, 0, 50)] == [
        (10, True, 1),
        (20, False, 0),
        (30, True, 1),
    ]
    gone = [*ttft_range({10: 1, 20: "NaN"}), ranged("up", {10: 1, 20: "NaN"})]
    assert [(s.time, s.up) for s in samples(gone, 0, 50)] == [(10, True)]


def test_a_child_that_ended_leaves_its_siblings_in_the_scrape() -> None:
    rows = [*ttft_range({10: 1, 20: "NaN"}, model="a"), *ttft_range({10: 1, 20: 2}, model="b")]
    assert [len(s.histograms) for s in samples(rows, 0, 50)] == [2, 1]


def test_a_process_start_that_is_no_number_is_none() -> None:
    start = ranged("process_start_time_seconds", {10: "NaN", 20: "+Inf"})

    assert [s.process_start for s in samples([*ttft_range({10: 1, 20: 2}), start], 0, 50)] == [
        None
    ] * 2
    assert only(snapshot([*alive(990, start=float("nan")), *ttft(990)])).process_start is None


@pytest.mark.parametrize("time", ["+Inf", "NaN"])
def test_a_scrape_at_no_time_is_an_error(time: str) -> None:
    with pytest.raises(SourceError, match="cannot be read") as raised:
        snapshot([*ttft(990)[:4], time_of("a:ttft_count", float(time))])

    assert raised.value.kind == "decode"


def test_a_torn_histogram_among_raw_samples_is_an_error() -> None:
    rows = [*ttft_range({10: 1, 20: 2})[:2], ranged("a:ttft_count", {10: 1, 20: 3})]

    with pytest.raises(SourceError, match="its _count 3") as raised:
        samples(rows, 0, 50)

    assert raised.value.kind == "decode"
