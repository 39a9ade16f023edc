"""Native histograms as Prometheus' HTTP API spells them: only the buckets that hold something."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sloscore.core.histogram import Histogram, Layout
from sloscore.errors import SourceError

# Schemas whose bounds no server names by chance: neighbours differ by 2 ** (2 ** -schema).
_TELLING_SCHEMAS = range(1, 9)
_GRID_TOLERANCE = 1e-6
_SUM_TOLERANCE = 1e-9
_CLOSED = 3


@dataclass(slots=True)
class _Bucket:
    """``count`` values above ``left``, at or under ``right``."""

    left: float
    right: float
    count: float


def read_native(document: Mapping[str, Any], where: str) -> Histogram:
    """The histogram of a sample: ``{count, sum, buckets: [[rule, left, right, count], ...]}``.

    Latencies are not negative, so the lowest bucket starts at 0 where it reaches below, and what
    was observed below 0 counts as 0. Raises SourceError (``decode``) for one that cannot be read.
    """
    try:
        count, total = float(document["count"]), float(document["sum"])
        rows = [
            (int(rule), float(left), float(right), float(held))
            for rule, left, right, held in document.get("buckets") or ()
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unreadable(f"{where} is no native histogram ({error!r})") from None
    if not math.isfinite(total):
        raise _unreadable(f"{where}: its sum is {total}, so values that are no numbers are in it")
    if any(math.isnan(left) or not left <= right or not held >= 0 for _, left, right, held in rows):
        raise _unreadable(f"{where} has a bucket whose ends or count are out of order")
    held = math.fsum(row[3] for row in rows)
    if not math.isclose(held, count, rel_tol=_SUM_TOLERANCE):
        raise _unreadable(f"{where} is torn: its buckets hold {held:g}, its count says {count:g}")
    buckets = [
        _Bucket(left if left >= 0 else -math.inf, max(right, 0.0), held)
        for _, left, right, held in rows
    ]
    layout = Layout.EXPONENTIAL if _is_exponential(rows) else Layout.CUSTOM
    bounds, cumulative = _edges(_apart(buckets))
    return Histogram(bounds, cumulative, total, layout)


def _apart(buckets: Iterable[_Bucket]) -> list[_Bucket]:
    """Buckets in order; those that overlap, as a wide zero bucket does, become one."""
    apart: list[_Bucket] = []
    for bucket in sorted(buckets, key=lambda bucket: bucket.right):
        left, count = bucket.left, bucket.count
        while apart and left < apart[-1].right:
            overlapped = apart.pop()
            left, count = min(left, overlapped.left), count + overlapped.count
        apart.append(_Bucket(left, bucket.right, count))
    return apart


def _edges(buckets: Iterable[_Bucket]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Both ends of each bucket as bounds, with the counts at or under them."""
    counts: dict[float, float] = {}
    total = 0.0
    for bucket in buckets:
        if math.isfinite(bucket.left):
            counts[bucket.left] = total
        total += bucket.count
        counts[bucket.right] = total
    counts[math.inf] = total
    return tuple(counts), tuple(counts.values())


def _is_exponential(rows: Sequence[tuple[int, float, float, float]]) -> bool:
    """Whether the buckets are those of an exponential schema.

    The API does not say it. A zero bucket shows it, and bounds on the grid of a schema do, but for
    powers of two, which a server may have named itself.
    """
    if any(rule == _CLOSED and math.isfinite(left) for rule, left, _, _ in rows):
        return True
    inner = [(left, right) for _, left, right, _ in rows if 0 < left < right < math.inf]
    if not inner:
        return False
    left, right = inner[0]
    schema = round(-math.log2(math.log2(right / left)))
    return schema in _TELLING_SCHEMAS and all(_is_on_grid(*ends, schema) for ends in inner)


def _is_on_grid(left: float, right: float, schema: int) -> bool:
    low, high = math.ldexp(math.log2(left), schema), math.ldexp(math.log2(right), schema)
    return abs(low - round(low)) < _GRID_TOLERANCE and abs(high - low - 1) < _GRID_TOLERANCE


def _unreadable(message: str) -> SourceError:
    return SourceError(message, kind="decode")
