"""Native histograms as Prometheus' HTTP API spells them: only the buckets that hold something."""

import math
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any

from sloscore.core.histogram import Histogram, Layout
from sloscore.errors import SourceError

# Schemas whose bounds no server names by chance: neighbours differ by 2 ** (2 ** -schema).
_TELLING_SCHEMAS = range(1, 9)
_GRID_TOLERANCE = 1e-6
_BUCKETS_TO_TELL = 8
_SUM_TOLERANCE = 1e-9
_CLOSED = 3

_Row = tuple[int, float, float, float]


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
    if not math.isfinite(count):
        raise _unreadable(f"{where}: its count is {count}")
    if not all(left <= right and held >= 0 for _, left, right, held in rows):
        raise _unreadable(f"{where} has a bucket whose ends or count are out of order")
    bounds, cumulative = _edges(rows)
    if not math.isclose(cumulative[-1], count, rel_tol=_SUM_TOLERANCE):
        raise _unreadable(
            f"{where} is torn: its buckets hold {cumulative[-1]:g}, its count says {count:g}"
        )
    layout = Layout.EXPONENTIAL if _is_exponential(rows) else Layout.CUSTOM
    return Histogram(bounds, cumulative, total, layout)


def _edges(rows: Iterable[_Row]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Both ends of each bucket as bounds, with the counts at or under them.

    Buckets that overlap, as a wide zero bucket does with its neighbour, are one.
    """
    apart: list[tuple[float, float, float]] = []
    for _, left, right, held in sorted(rows, key=itemgetter(2)):
        start, count = left if 0 <= left < right else -math.inf, held
        while apart and start < apart[-1][1]:
            overlapped, _, more = apart.pop()
            start, count = min(start, overlapped), count + more
        apart.append((start, max(right, 0.0), count))
    bounds: list[float] = []
    counts: list[float] = []
    total = 0.0
    for start, end, count in apart:
        if start >= 0 and not (bounds and bounds[-1] == start):
            bounds.append(start)
            counts.append(total)
        total += count
        bounds.append(end)
        counts.append(total)
    if not bounds or bounds[-1] != math.inf:
        bounds.append(math.inf)
        counts.append(total)
    return tuple(bounds), tuple(counts)


def _is_exponential(rows: Iterable[_Row]) -> bool:
    """Whether the buckets are those of an exponential schema.

    The API does not say it. A zero bucket shows it, and bounds on the grid of a schema do, but for
    powers of two, which a server may have named itself.
    """
    inner = []
    for rule, left, right, _ in rows:
        if rule == _CLOSED and math.isfinite(left):
            return True
        if 0 < left < right < math.inf:
            inner.append((left, right))
    if not inner:
        return False
    width = math.log2(inner[0][1]) - math.log2(inner[0][0])
    schema = round(-math.log2(width)) if width > 0 else 0
    some = inner[:: math.ceil(len(inner) / _BUCKETS_TO_TELL)]
    return schema in _TELLING_SCHEMAS and all(
        _is_on_grid(*ends, schema) for ends in (*some, inner[-1])
    )


def _is_on_grid(left: float, right: float, schema: int) -> bool:
    low, high = math.ldexp(math.log2(left), schema), math.ldexp(math.log2(right), schema)
    return abs(low - round(low)) < _GRID_TOLERANCE and abs(high - low - 1) < _GRID_TOLERANCE


def _unreadable(message: str) -> SourceError:
    return SourceError(message, kind="decode")
