"""Rows of a backtest as flat records, and as files: CSV, JSON and Parquet."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import orjson

from sloscore.errors import SloscoreError
from sloscore.evaluation.backtest import Row, worst_sli
from sloscore.wire import Report, SliReport, format_time, json_number

Value = str | float | int | bool | None
Record = dict[str, Value]


class Kind(StrEnum):
    """What a column holds; times are Unix seconds in a record and RFC 3339 in text."""

    TEXT = "text"
    TIME = "time"
    NUMBER = "number"
    COUNT = "count"
    FLAG = "flag"


_COLUMNS = {
    "name": Kind.TEXT,
    "start": Kind.TIME,
    "end": Kind.TIME,
    "status": Kind.TEXT,
    "requests": Kind.NUMBER,
    "base_score": Kind.NUMBER,
    "penalty": Kind.NUMBER,
    "score": Kind.NUMBER,
    "score_lower": Kind.NUMBER,
    "score_upper": Kind.NUMBER,
    "finite_score": Kind.NUMBER,
    "slo_violation": Kind.FLAG,
    "certain": Kind.FLAG,
    "worst_sli": Kind.TEXT,
    "reason": Kind.TEXT,
    "instances": Kind.COUNT,
    "resets": Kind.COUNT,
    "observed_start": Kind.TIME,
    "observed_end": Kind.TIME,
    "unseen_head": Kind.NUMBER,
    "unseen_tail": Kind.NUMBER,
}
_SLI_COLUMNS = {
    "value": Kind.NUMBER,
    "lower": Kind.NUMBER,
    "upper": Kind.NUMBER,
    "threshold": Kind.NUMBER,
    "violation_ratio": Kind.NUMBER,
    "penalty": Kind.NUMBER,
    "verdict": Kind.TEXT,
    "certain": Kind.FLAG,
}


def columns_of(slis: Sequence[str]) -> Mapping[str, Kind]:
    """All columns with what they hold; ``latency_p90_value`` is that of an SLI."""
    return _COLUMNS | {
        f"{sli}_{column}": kind for sli in slis for column, kind in _SLI_COLUMNS.items()
    }


def record_of(row: Row, slis: Sequence[str]) -> Record:
    """One row with every column, None where it has nothing to say."""
    found: Record = dict.fromkeys(columns_of(slis))
    window = row.window
    found |= {"name": window.name, "start": window.start, "end": window.end}
    found |= {"status": str(row.status), "reason": row.reason}
    if row.report is not None:
        found |= _of_report(row.report)
        for sli in row.report.slis:
            found |= _of_sli(sli)
    return found


def encode(records: Sequence[Record], columns: Mapping[str, Kind], ending: str) -> bytes:
    """The content of a file by its ending: ``.csv``, ``.json`` or ``.parquet``."""
    if ending == ".csv":
        return _csv(records, columns)
    if ending == ".json":
        lines = [orjson.dumps(_as_json(record, columns)) for record in records]
        return b"[\n" + b",\n".join(lines) + b"\n]\n"
    from sloscore.analysis.parquet import encode_parquet

    return encode_parquet(records, columns)


def check_output(path: Path, *, force: bool) -> None:
    """Raise SloscoreError where a file cannot be written, or is there and must not be replaced."""
    if path.is_dir():
        raise SloscoreError(f"{path}: is a directory; name a file")
    if path.exists() and not force:
        raise SloscoreError(f"{path}: is there already; --force replaces it")
    if not path.parent.is_dir():
        raise SloscoreError(f"{path}: there is no directory {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise SloscoreError(f"{path}: the directory {path.parent} is not writable")


def write(path: Path, content: bytes, *, force: bool) -> None:
    """Put a file into place whole or not at all; raises SloscoreError where that fails."""
    check_output(path, force=force)
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        try:
            with new.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise SloscoreError(f"{path}: cannot be written: {error.strerror}") from error


def _of_report(report: Report) -> Record:
    low, high = report.score_interval or (None, None)
    worst = worst_sli(report)
    found: Record = {
        "base_score": report.base_score,
        "penalty": report.penalty,
        "score": report.score,
        "score_lower": low,
        "score_upper": high,
        "finite_score": report.finite_score,
        "slo_violation": report.slo_violation,
        "certain": report.certain,
        "worst_sli": worst.sli if worst else None,
    }
    if report.window is not None:
        found |= report.window.model_dump(
            include={
                *("requests", "instances", "resets", "observed_start", "observed_end"),
                *("unseen_head", "unseen_tail"),
            }
        )
    return found


def _of_sli(sli: SliReport) -> Record:
    known = sli.model_dump(include=set(_SLI_COLUMNS))
    known["verdict"] = str(sli.verdict)
    return {f"{sli.sli}_{column}": value for column, value in known.items()}


def _as_json(record: Record, columns: Mapping[str, Kind]) -> Record:
    return {name: _plain(record[name], kind) for name, kind in columns.items()}


def _plain(value: Value, kind: Kind) -> Value:
    if value is None or isinstance(value, str | bool):
        return value
    return format_time(value) if kind is Kind.TIME else json_number(value)


def _csv(records: Sequence[Record], columns: Mapping[str, Kind]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for record in records:
        writer.writerow(_cell(value) for value in _as_json(record, columns).values())
    return text.getvalue().encode()


def _cell(value: Value) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return repr(value).removesuffix(".0")
        case _:
            return str(value)
