"""The windows of a backtest: regular ones, those of a file, and what each of them must be."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sloscore.errors import SpecError
from sloscore.evaluation.backtest import MAX_WINDOWS, Schedule, Window, problem_of, windows_every
from sloscore.evaluation.windows import read_windows
from sloscore.wire import TimeRange


def schedule(start: object, end: object, every: object, length: object = None) -> Schedule:
    return Schedule.model_validate({"start": start, "end": end, "every": every, "length": length})


def spans(windows: Sequence[TimeRange]) -> list[tuple[float, float]]:
    return [(window.start, window.end) for window in windows]


@pytest.mark.parametrize(
    ("every", "length", "expected"),
    [
        ("10s", None, [(0, 10), (10, 20), (20, 30)]),
        ("15s", None, [(0, 15), (15, 30)]),
        ("12s", None, [(0, 12), (12, 24)]),
        ("10s", "5s", [(0, 5), (10, 15), (20, 25)]),
        ("10s", "20s", [(0, 20), (10, 30)]),
        ("10s", "30s", [(0, 30)]),
        ("30s", None, [(0, 30)]),
        ("7s500ms", "2500ms", [(0, 2.5), (7.5, 10), (15, 17.5), (22.5, 25)]),
    ],
)
def test_windows_lie_one_after_the_other_and_only_whole_ones_count(
    every: str, length: str | None, expected: list[tuple[float, float]]
) -> None:
    assert spans(windows_every(schedule(0, 30, every, length))) == expected


@given(
    st.integers(0, 10**9),
    st.integers(1, 10**7),
    st.integers(1, 10**6),
    st.integers(1, 10**6) | st.none(),
)
def test_windows_fill_a_schedule_and_never_leave_it(
    start: int, room: int, every: int, length: int | None
) -> None:
    size = every if length is None else length
    asked = schedule(
        start / 1000,
        (start + room) / 1000,
        every / 1000,
        None if length is None else length / 1000,
    )
    if size > room or (room - size) // every >= MAX_WINDOWS:
        with pytest.raises(SpecError):
            windows_every(asked)
        return
    found = [(round(a * 1000), round(b * 1000)) for a, b in spans(windows_every(asked))]
    assert found == [
        (begin, begin + size) for begin in range(start, start + room - size + 1, every)
    ]


@pytest.mark.parametrize(
    ("end", "every", "length", "sentence"),
    [
        (10_000, "1s", None, ""),
        (10_001, "1s", None, "every: makes 10001 windows; at most 10000 are allowed"),
        (10, "1s", "11s", "length: 11 s do not fit into 10 s"),
        (10, "11s", None, "length: 11 s do not fit into 10 s"),
    ],
)
def test_there_is_at_least_one_window_and_not_too_many(
    end: int, every: str, length: str | None, sentence: str
) -> None:
    if not sentence:
        assert len(windows_every(schedule(0, end, every, length))) == MAX_WINDOWS
        return
    with pytest.raises(SpecError) as caught:
        windows_every(schedule(0, end, every, length))
    assert caught.value.problems == [sentence]


@pytest.mark.parametrize(
    ("start", "end", "sentence"),
    [
        (900, 1000, None),
        (900, 1000.001, "end: lies in the future"),
        (899.999, 1000, "the window of 100.001 s is longer than the 100 s that are allowed"),
        (989.999, 1000, None),
        (990, 1000, "slo.warmup: 10 s leave nothing of the window of 10 s"),
    ],
)
def test_a_window_must_be_past_and_neither_too_long_nor_all_warm_up(
    start: float, end: float, sentence: str | None
) -> None:
    problem = problem_of(Window(start=start, end=end), longest=100, warmup=10, now=1000)
    assert problem is None if sentence is None else sentence in str(problem)


@pytest.mark.parametrize(
    ("window", "label"),
    [
        (Window(start=0, end=60), "1970-01-01T00:00:00Z +60s"),
        (Window(start=0.25, end=1.5), "1970-01-01T00:00:00.250Z +1.25s"),
        (Window(start=0, end=60, name="tp=2"), "tp=2"),
    ],
)
def test_a_window_is_called_by_its_name_else_by_its_time(window: Window, label: str) -> None:
    assert window.label == label


LISTED: list[dict[str, object]] = [
    {"start": 100, "end": 160.5, "name": "tp=1, batch 64"},
    {"start": "2026-01-31T12:00:00Z", "end": "2026-01-31T13:05:00+01:00", "name": None},
    {"start": 1769860800.25, "end": "2026-01-31T12:00:01.750Z"},
]
READ = [
    Window(start=100, end=160.5, name="tp=1, batch 64"),
    Window(start=1769860800, end=1769861100),
    Window(start=1769860800.25, end=1769860801.75),
]
CSV = """start,end,name
100,160.5,"tp=1, batch 64"
2026-01-31T12:00:00Z,2026-01-31T13:05:00+01:00,

1769860800.25,2026-01-31T12:00:01.750Z,
"""


def written(place: Path, name: str, text: str | bytes) -> Path:
    path = place / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def fine(_: Window) -> None:
    """Every window can be scored."""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("w.csv", CSV),
        ("W.CSV", CSV.replace("\n", "\r\n")),
        ("w.csv", "\ufeff" + CSV),
        ("w.csv", CSV.replace("start,end,name", "start,end,name,score").replace(",\n", ",,1\n")),
        ("w.json", json.dumps(LISTED)),
        ("w.json", json.dumps([{"score": 1, **window} for window in LISTED], indent=2)),
        ("w.yaml", yaml.safe_dump(LISTED)),
    ],
)
def test_csv_json_and_yaml_hold_the_same_windows_in_their_order(
    tmp_path: Path, name: str, text: str
) -> None:
    assert list(read_windows(written(tmp_path, name, text), fine)) == READ


@pytest.mark.parametrize(
    ("name", "text", "sentences"),
    [
        ("w.csv", "start,end\n1,2\n5,4\n", [":3: the end must be after the start"]),
        (
            "w.csv",
            "start,end\nnoon,2\n1,2\n3,\n",
            [":2: start: 'noon' is no time: write", ":4: end: is required"],
        ),
        ("w.csv", "start,end\nnan,2\n", [":2: start: nan is no Unix time"]),
        ("w.csv", "start,end\n1,2,3\n", [":2: has more fields than line 1 names columns"]),
        ("w.csv", 'start,end,name\n1,2,"a\n', [":2: is not valid CSV: unexpected end of data"]),
        ("w.csv", "start,end,name\n1,2,a\x07b\n", [":2: name: must be printable characters"]),
        ("w.csv", f"start,end,name\n1,2,{'n' * 129}\n", [":2: name: must be text of at most 128"]),
        ("w.csv", "begin,end\n1,2\n", [":1: must name the columns start, end and, if you like"]),
        ("w.csv", "start;end\n1;2\n", ["each once; it has 'start;end'"]),
        ("w.csv", "start,end,start\n1,2,3\n", ["it has 'start', 'end', 'start'"]),
        ("w.csv", "", [":1: must name the columns start, end and, if you like, name, each once"]),
        ("w.csv", "start,end\n", [": holds no windows"]),
        ("w.csv", b"start,end\n1,\xff\n", [":2: must be UTF-8 text"]),
        ("w.json", "[]", [": holds no windows"]),
        ("w.json", '{"start": 1, "end": 2}', [":1: must be a list of windows, each with start"]),
        ("w.json", "[\n[1, 2]]", [":2: must be a mapping with start, end and, if you like, name"]),
        ("w.json", '[\n{"start": 1,\n "end": true}]', [":2: end: a time is written"]),
        ("w.json", '[{"start": 1, "end": 2, "name": 7}]', [":1: name: must be text, got 7"]),
        ("w.json", '[{"start": 1,\n"end": }]', [":2:8: is not valid JSON"]),
        ("w.yaml", "- {start: 1, end: 2}\n- {end: 2}\n", [":2: start: is required"]),
    ],
)
def test_a_bad_row_has_its_line_and_a_sentence(
    tmp_path: Path, name: str, text: str | bytes, sentences: Sequence[str]
) -> None:
    path = written(tmp_path, name, text)
    with pytest.raises(SpecError) as caught:
        read_windows(path, fine)
    assert len(caught.value.problems) == len(sentences)
    for problem, sentence in zip(caught.value.problems, sentences, strict=True):
        assert problem.startswith(str(path))
        assert sentence in problem


def test_what_is_wrong_with_a_window_itself_has_its_line_too(tmp_path: Path) -> None:
    path = written(tmp_path, "w.csv", "start,end\n1,2\n1,900\n1,3\n")
    with pytest.raises(SpecError) as caught:
        read_windows(path, lambda window: problem_of(window, longest=10, warmup=1, now=2))
    first, second, third = caught.value.problems
    assert first == f"{path}:2: slo.warmup: 1 s leave nothing of the window of 1 s"
    assert second.startswith(f"{path}:3: end: lies in the future")
    assert third.startswith(f"{path}:4: end: lies in the future")


def test_a_file_holds_ten_thousand_windows_and_no_more(tmp_path: Path) -> None:
    rows = "".join(f"{start},{start + 1}\n" for start in range(MAX_WINDOWS))
    path = written(tmp_path, "w.csv", "start,end\n" + rows)
    assert len(read_windows(path, fine)) == MAX_WINDOWS
    written(tmp_path, "w.csv", "start,end\n" + rows + "1,2\n")
    with pytest.raises(SpecError, match="must hold at most 10000 windows, got 10001"):
        read_windows(path, fine)


def test_a_file_that_is_not_there_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"w\.csv: cannot be read: No such file or directory"):
        read_windows(tmp_path / "w.csv", fine)
