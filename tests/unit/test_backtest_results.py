"""Rows of a backtest as tables: on the terminal, and in files that read back the same."""

import csv
import io
import json
import math
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from sloscore.cli.results import Kind, Record, check_output, columns_of, encode, record_of, write
from sloscore.cli.rows import Table, print_json, summary_lines
from sloscore.core.objective import Direction
from sloscore.errors import SloscoreError, SourceError
from sloscore.evaluation.backtest import Row, Window, summarise
from sloscore.evaluation.report import report_values
from sloscore.wire import ScoreRequest, WindowReport, parse_time

NO_EXTRA = "needs the analysis extra: pip install 'sloscore[analysis]'"
SLO = {
    "latency": {"p90": {"threshold": 5.0, "weight": 2.0, "hard_fail": True, "fail_ratio": 0.2}},
    "ttft": {"threshold": 1.0, "weight": 2.0},
}
SLIS = ("latency_p90", "ttft")
COUNTED = WindowReport(
    start=1769860800.25, end=1769860860.5, warmup=0, observed_start=1769860799.75,
    observed_end=1769860864.125, requests=1234, resets=1, instances=2, scrape_interval=5.0,
    unseen_head=0, unseen_tail=0.125,
)  # fmt: skip


def row(p90: float | None, ttft: float | None, name: str | None = None) -> Row:
    values = {"latency_p90": p90, "ttft": ttft}
    numbers = {"slo": SLO, "base_score": 3.0, "values": values}
    report = report_values(ScoreRequest.model_validate(numbers), now=0.0)
    window = Window(start=1769860800.25, end=1769860860.5, name=name)
    return Row(window, report.model_copy(update={"window": COUNTED}))


MET = row(4.0, 0.1, name='batch "64", tp=2')
PENALISED = row(5.5, 0.1)
FAILED = row(6.5, 1.2)
MISSING = row(None, math.nan)
BROKEN = Row(Window(start=1, end=2, name="lost"), failure=SourceError("it was too large"))
ROWS = (MET, PENALISED, FAILED, MISSING, BROKEN)
RECORDS = [record_of(each, SLIS) for each in ROWS]
COLUMNS = columns_of(SLIS)

Reader = Callable[[bytes], list[Record]]


def from_csv(content: bytes) -> list[Record]:
    rows = csv.DictReader(io.StringIO(content.decode(), newline=""))
    return [{name: of_text(text, COLUMNS[name]) for name, text in row.items()} for row in rows]


def of_text(text: str, kind: Kind) -> str | float | int | bool | None:
    match kind:
        case _ if not text:
            return None
        case Kind.TIME:
            return parse_time(text)
        case Kind.FLAG:
            return {"true": True, "false": False}[text]
        case Kind.NUMBER:
            return float(text)
        case Kind.COUNT:
            return int(text)
        case Kind.TEXT:
            return text


def from_json(content: bytes) -> list[Record]:
    return [{name: of_json(value, COLUMNS[name]) for name, value in row.items()}
            for row in json.loads(content)]  # fmt: skip


def of_json(value: str | float | None, kind: Kind) -> str | float | int | bool | None:
    if isinstance(value, str) and kind is not Kind.TEXT:
        return of_text(value, kind)
    return value


def from_parquet(content: bytes) -> list[Record]:
    parquet = pytest.importorskip("pyarrow.parquet", reason=NO_EXTRA)
    rows = parquet.read_table(io.BytesIO(content)).to_pylist()
    times = [name for name, kind in COLUMNS.items() if kind is Kind.TIME]
    return [
        row | {name: row[name].timestamp() for name in times if row[name] is not None}
        for row in rows
    ]


@pytest.mark.parametrize(
    ("ending", "read"),
    [(".csv", from_csv), (".json", from_json), (".parquet", from_parquet)],
)
def test_a_file_reads_back_as_the_records_that_were_written(ending: str, read: Reader) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow", reason=NO_EXTRA)
    found = read(encode(RECORDS, COLUMNS, ending))
    assert found == RECORDS
    assert all(list(record) == list(COLUMNS) for record in found)


def test_a_parquet_column_keeps_its_type_where_no_row_has_a_value() -> None:
    pytest.importorskip("pyarrow", reason=NO_EXTRA)
    parquet = pytest.importorskip("pyarrow.parquet")
    content = encode([record_of(BROKEN, SLIS)], COLUMNS, ".parquet")
    schema = parquet.read_schema(io.BytesIO(content))
    full = parquet.read_schema(io.BytesIO(encode(RECORDS, COLUMNS, ".parquet")))
    assert schema.equals(full)
    assert str(schema.field("observed_start").type) == "timestamp[ms, tz=UTC]"


def test_a_record_says_what_the_report_said() -> None:
    met, penalised, failed, missing, broken = RECORDS
    assert (met["name"], met["status"], met["score"]) == ('batch "64", tp=2', "SUCCESS", 3.0)
    assert penalised["penalty"] == pytest.approx(2 * math.e)
    assert (penalised["worst_sli"], penalised["latency_p90_verdict"]) == ("latency_p90", "violated")
    assert (failed["score"], failed["slo_violation"], failed["reason"]) == (
        math.inf, True, "Hard SLO violation",
    )  # fmt: skip
    assert failed["finite_score"] == pytest.approx(3 * (1 + 2 * math.exp(3) + 2 * math.exp(2)))
    assert (missing["status"], missing["score"], missing["ttft_value"]) == ("NO_DATA", None, None)
    assert "P90 of latency is unknown" in str(missing["reason"])
    assert (broken["status"], broken["reason"]) == ("ERROR", "it was too large")
    assert broken["requests"] is None
    assert (met["requests"], met["instances"], met["resets"]) == (1234, 2, 1)
    assert (met["observed_end"], met["unseen_tail"]) == (1769860864.125, 0.125)


def test_times_and_infinities_are_written_as_the_api_writes_them() -> None:
    header, *lines = encode([RECORDS[2]], COLUMNS, ".csv").decode().splitlines()
    cells = dict(zip(header.split(","), lines[0].split(","), strict=True))
    assert (cells["start"], cells["score"]) == ("2026-01-31T12:00:00.250Z", "Infinity")
    (record,) = json.loads(encode([RECORDS[2]], COLUMNS, ".json"))
    assert (record["start"], record["score"]) == ("2026-01-31T12:00:00.250Z", "Infinity")


def test_a_file_takes_its_place_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    write(path, b"new", force=False)
    assert [each.name for each in tmp_path.iterdir()] == ["scores.csv"]
    assert path.read_bytes() == b"new"
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_a_file_that_is_there_stays_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_bytes(b"dear to somebody")
    with pytest.raises(SloscoreError, match=r"scores\.csv: is there already; --force replaces it"):
        write(path, b"new", force=False)
    assert path.read_bytes() == b"dear to somebody"
    write(path, b"new", force=True)
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("a.csv", "a.csv: is a directory; name a file"), ("b/c.csv", "there is no directory ")],
)
def test_a_file_that_cannot_be_is_told_before_it_is_made(
    tmp_path: Path, name: str, sentence: str
) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(SloscoreError, match=sentence):
        check_output(tmp_path / name, force=True)


def test_a_disc_that_fails_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "scores.csv"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SloscoreError, match=r"cannot be written: No space left on device"):
        write(path, b"new", force=True)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"scores.csv": b"old"}


def test_the_table_grows_by_a_line_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    shown = Table([each.window for each in ROWS], SLIS)
    for each in ROWS:
        shown.show(each)
    assert lines(capsys) == [
        "WINDOW                             REQUESTS       BASE    PENALTY      SCORE  STATUS   WORST SLI            CERTAIN",
        'batch "64", tp=2                       1234          3          0          3  SUCCESS  latency_p90 -20.0%   yes',
        "2026-01-31T12:00:00.250Z +60.25s       1234          3      5.437      19.31  SUCCESS  latency_p90 +10.0%   yes",
        "2026-01-31T12:00:00.250Z +60.25s       1234          3      54.95        inf  FAILED   latency_p90 +30.0%   yes",
        "2026-01-31T12:00:00.250Z +60.25s       1234          3          -          -  NO_DATA  -                    -",
        "lost                                      -          -          -          -  ERROR    -                    -  it was too large",
    ]


def lines(capsys: pytest.CaptureFixture[str]) -> Sequence[str]:
    return capsys.readouterr().out.splitlines()


def test_the_summary_has_counts_the_best_the_share_and_reasons() -> None:
    found = list(summary_lines(summarise(ROWS, Direction.MINIMIZE), ROWS))
    assert found[:4] == [
        "",
        "Windows  5: 2 scored, 1 failed, 1 without data, 1 with errors",
        'Best     batch "64", tp=2, score 3',
        "Hard SLO violations in 33.3% of the windows with data",
    ]
    assert found[4].startswith("1 without a score: P90 of latency is unknown: no value was given.")
    assert found[5:] == ["1 without a score: it was too large"]


def test_a_line_of_json_holds_the_window_and_its_report_or_its_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for each in (FAILED, BROKEN):
        print_json(each)
    failed, broken = (json.loads(line) for line in lines(capsys))
    assert failed["report"]["score"] == "Infinity"
    assert failed["report"]["window"]["requests"] == 1234
    assert (failed["start"], failed["error"]) == ("2026-01-31T12:00:00.250Z", None)
    assert broken == {
        "name": "lost",
        "start": "1970-01-01T00:00:01.000Z",
        "end": "1970-01-01T00:00:02.000Z",
        "error": "it was too large",
        "report": None,
    }
