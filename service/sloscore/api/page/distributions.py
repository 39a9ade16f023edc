"""The requests of a window by how long they took, as a drawing, with the limits of its SLOs."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from sloscore.api.page.figures import figure, quantity
from sloscore.core.drawing import reached_limit
from sloscore.core.histogram import Histogram
from sloscore.core.penalty import Slo
from sloscore.core.sli import Sli

LEFT: Final = 10.0
RIGHT: Final = 310.0
_PLOT: Final = 100.0
_LABEL: Final = 14.0
_TICKS: Final = 18.0
# A tick's text must not reach the next one's.
_TICK_DISTANCE: Final = 36.0
_MARGIN: Final = 1.15
# Zero buckets of native histograms end close to 0, where a logarithm has no place for them.
_LARGEST_SPAN: Final = 1e6

Limits = Sequence[tuple[Sli, Slo]]


@dataclass(frozen=True, slots=True)
class Bar:
    """The requests of one bucket: a rectangle, as the drawing's coordinates."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A threshold, or a hard limit, with its text at ``y``, which begins or ends at ``x``."""

    x: float
    y: float
    text: str
    is_hard: bool

    @property
    def anchor(self) -> str:
        """On which side of the line the text has room."""
        return "start" if self.x < (LEFT + RIGHT) / 2 else "end"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A line of the table: its upper bound, its requests, and the share at or under the bound."""

    bound: str
    requests: str
    within: str


@dataclass(frozen=True, slots=True)
class Distribution:
    """A histogram drawn over a logarithmic axis, and the same in words and as a table.

    ``top`` and ``bottom`` bound the bars, ``height`` is that of the whole drawing.
    """

    role: str
    title: str
    words: tuple[str, ...]
    top: float
    bottom: float
    height: float
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    ticks: tuple[tuple[float, str], ...]
    buckets: tuple[Bucket, ...]


def distribution_of(role: str, histogram: Histogram, limits: Limits) -> Distribution | None:
    """The distribution of a role's histogram; None where no request was counted."""
    total = histogram.count
    held = _held(histogram)
    if not total > 0 or not held:
        return None
    ours = [(sli, slo) for sli, slo in limits if sli.signal.value == role]
    unit = ours[0][0].signal.unit if ours else "s"
    points = [*_limits_of(ours, unit)]
    axis = _axis(held, [value for value, _, _ in points])
    top = _LABEL * len(points) + 4
    marks = (
        Mark(axis.place(value), _LABEL * number + 11, text, is_hard)
        for number, (value, text, is_hard) in enumerate(points)
    )
    return Distribution(
        role=role,
        title=f"{role.upper() if len(role) <= 4 else role.capitalize()} of {figure(total)} requests",
        words=tuple(_words(histogram, ours, unit)),
        top=top,
        bottom=top + _PLOT,
        height=top + _PLOT + _TICKS,
        bars=tuple(_bars(held, axis, top)),
        marks=tuple(marks),
        ticks=tuple(axis.ticks(unit)),
        buckets=tuple(_table(histogram, held, unit)),
    )


@dataclass(frozen=True, slots=True)
class _Axis:
    """A logarithmic axis from ``first`` to ``last``, in the unit of the values."""

    first: float
    last: float

    def place(self, value: float) -> float:
        held = min(max(value, self.first), self.last)
        share = math.log(held / self.first) / math.log(self.last / self.first)
        return round(LEFT + (RIGHT - LEFT) * share, 1)

    def ticks(self, unit: str) -> Iterable[tuple[float, str]]:
        """Values such as 1, 2, 5 and 10, as many as have room."""
        powers = range(math.floor(math.log10(self.first)), math.ceil(math.log10(self.last)) + 1)
        wanted = [times * 10.0**power for power in powers for times in (1, 2, 5)]
        before = -math.inf
        for value in wanted:
            place = self.place(value)
            has_room = place - before >= _TICK_DISTANCE and place <= RIGHT - _TICK_DISTANCE / 3
            if self.first <= value <= self.last and has_room:
                yield place, quantity(value, unit)
                before = place


_Held = Sequence[tuple[float, float, float]]


def _held(histogram: Histogram) -> _Held:
    """Lower and upper bound and requests of each bucket, from the first to the last that has any."""
    edges = pairwise((0.0, *histogram.bounds))
    counts = pairwise((0.0, *histogram.cumulative))
    # Counters that were not read at one instant may fall from one bound to the next.
    rows = [
        (lower, upper, max(0.0, count - below))
        for (lower, upper), (below, count) in zip(edges, counts, strict=True)
    ]
    filled = [number for number, (_, _, count) in enumerate(rows) if count > 0]
    return rows[filled[0] : filled[-1] + 1] if filled else ()


def _limits_of(limits: Limits, unit: str) -> Iterable[tuple[float, str, bool]]:
    for sli, slo in limits:
        name = sli.statistic.upper() if sli.quantile else sli.statistic
        yield slo.threshold, f"{name} {quantity(slo.threshold, unit)}", False
        limit = reached_limit(slo)
        if limit is not None:
            yield limit, f"{name} fails {quantity(limit, unit)}", True


def _axis(held: _Held, marked: Sequence[float]) -> _Axis:
    uppers = [upper for _, upper, _ in held if 0 < upper < math.inf]
    lowers = [lower for lower, _, _ in held if lower > 0]
    known = [*uppers, *lowers, *(value for value in marked if value > 0)] or [1.0]
    last = max(known) * _MARGIN
    if math.isinf(held[-1][1]):
        # What is past the last bound has no end, and is drawn as one more bucket.
        last *= 2
    begins_at_zero = held[0][0] <= 0
    first = min(known) / (2 if begins_at_zero else _MARGIN)
    return _Axis(max(first, last / _LARGEST_SPAN), last)


def _bars(held: _Held, axis: _Axis, top: float) -> Iterable[Bar]:
    highest = max(count for _, _, count in held)
    for lower, upper, count in held:
        if count > 0:
            start, end = axis.place(lower), axis.place(upper)
            height = max(1.0, round(_PLOT * count / highest, 1))
            yield Bar(start, top + _PLOT - height, round(max(end - start, 1.0), 1), height)


def _words(histogram: Histogram, limits: Limits, unit: str) -> Iterable[str]:
    if not math.isnan(histogram.sum):
        yield f"Mean {quantity(histogram.sum / histogram.count, unit)}."
    for sli, slo in limits:
        name = sli.statistic.upper() if sli.quantile else sli.statistic.capitalize()
        within = _within(histogram, slo.threshold)
        yield f"{name}: {within} at or under its threshold of {quantity(slo.threshold, unit)}."


def _within(histogram: Histogram, limit: float) -> str:
    known = histogram.count_at_or_under(limit)
    if known is not None:
        return f"{_share(known, histogram)} of requests"
    counts = zip(histogram.bounds, histogram.cumulative, strict=True)
    under = max((count for bound, count in counts if bound < limit), default=0.0)
    over = next(
        count
        for bound, count in zip(histogram.bounds, histogram.cumulative, strict=True)
        if bound > limit
    )
    shares = (_share(count, histogram) for count in (under, over))
    return f"between {' and '.join(shares)} of requests"


def _share(count: float, histogram: Histogram) -> str:
    return f"{100 * count / histogram.count:.1f}%"


def _table(histogram: Histogram, held: _Held, unit: str) -> Iterable[Bucket]:
    within = dict(zip(histogram.bounds, histogram.cumulative, strict=True))
    for lower, upper, count in held:
        is_last = math.isinf(upper)
        bound = f"over {quantity(lower, unit)}" if is_last else quantity(upper, unit)
        yield Bucket(bound, figure(count), _share(within[upper], histogram))
