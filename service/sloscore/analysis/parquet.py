"""Records as Parquet, with the same types whatever the rows hold."""

import io
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq


def encode_parquet(records: Sequence[Mapping[str, object]], columns: Mapping[str, str]) -> bytes:
    """A table with a column for each of ``columns``, which say what they hold (``Kind``)."""
    types = {
        "text": pa.string(),
        "time": pa.timestamp("ms", tz="UTC"),
        "number": pa.float64(),
        "count": pa.int64(),
        "flag": pa.bool_(),
    }
    arrays = {
        name: pa.array([_value(record[name], kind) for record in records], types[kind])
        for name, kind in columns.items()
    }
    file = io.BytesIO()
    pq.write_table(pa.table(arrays), file)
    return file.getvalue()


def _value(value: object, kind: str) -> object:
    return round(value * 1000) if kind == "time" and isinstance(value, float) else value
