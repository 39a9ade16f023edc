"""What the rows of one instance are, worked out once for all instances that show the same rows."""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from sloscore.core.histogram import Histogram
from sloscore.core.samples import Child, Family, FamilyKind, InstanceSample, Labels
from sloscore.sources.promql import PROCESS_START, UP
from sloscore.sources.scrapes import NATIVE, FamilyReader, Instance

Values = Sequence[float]
Pick = Callable[[Values], tuple[float, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What a row is, whichever instance shows it: ``name`` is that of the metric.

    ``is_time`` says that its value is when the metric was scraped; ``labels`` are all but those
    that a target gives all of its series, ``child`` those that tell a child from its siblings.
    """

    name: str
    is_time: bool
    le: str
    child: Labels
    labels: Mapping[str, str]


@dataclass(slots=True)
class _Column:
    """Where the rows of one child of a family are, by their place."""

    buckets: dict[str, int] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)
    time: int | None = None


@dataclass(frozen=True, slots=True)
class _HistogramAt:
    child: Child
    bounds: tuple[float, ...]
    scale: float
    cumulative: Pick
    sum: int
    count: int


@dataclass(frozen=True, slots=True)
class _CounterAt:
    child: Child
    scale: float
    value: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The rows of an instance that is up, all of one scrape, in order of their place."""

    up: int
    up_time: int
    start: tuple[int, int] | None
    times: tuple[int, ...]
    histograms: tuple[_HistogramAt, ...]
    counters: tuple[_CounterAt, ...]

    def sample(self, instance: Instance, shared: Labels, values: Values) -> InstanceSample | None:
        """The sample that the values in order of their place make, with a target's own labels.

        None where it takes a closer look: of a server that is down, or that shows what is torn, old
        or no number.
        """
        time = values[self.up_time]
        if values[self.up] != 1 or not math.isfinite(sum(values)):
            return None
        if any(values[place] != time for place in self.times):
            return None
        if self.start is not None and values[self.start[1]] != time:
            return None
        histograms: dict[Child, Histogram] = {}
        for at in self.histograms:
            cumulative = at.cumulative(values)
            if cumulative[-1] != values[at.count]:
                return None
            total = values[at.sum] * at.scale
            histogram = Histogram(at.bounds, cumulative, total)
            if histogram.falls:
                return None
            histograms[_with(at.child, shared)] = histogram
        return InstanceSample(
            instance=instance,
            time=round(time * 1000) / 1000,
            up=True,
            process_start=None if self.start is None else values[self.start[0]],
            histograms=histograms,
            counters={_with(at.child, shared): values[at.value] * at.scale for at in self.counters},
        )


def _with(child: Child, shared: Labels) -> Child:
    return Child(child.role, tuple(sorted(child.labels + shared))) if shared else child


def layout_of(shapes: Sequence[Shape], families: Sequence[Family]) -> Layout | None:
    """The layout of rows of these shapes, or None where it takes a closer look at each scrape."""
    marks: dict[tuple[str, bool], int] = {}
    reader = FamilyReader(families)
    columns: defaultdict[str, defaultdict[Labels, _Column]] = defaultdict(
        lambda: defaultdict(_Column)
    )
    for place, shape in enumerate(shapes):
        if shape.name in {UP, PROCESS_START}:
            if (shape.name, shape.is_time) in marks or shape.child:
                return None
            marks[shape.name, shape.is_time] = place
        else:
            for family, part in reader.parts_of(shape.name):
                if part == NATIVE or not _put(columns[family][shape.child], part, shape, place):
                    return None
    return _layout(columns, marks, families)


def _put(column: _Column, part: str, shape: Shape, place: int) -> bool:
    if shape.is_time:
        is_new = column.time is None
        column.time = place
        return is_new
    own, name = (column.buckets, shape.le) if part == "bucket" else (column.parts, part)
    is_new = name not in own
    own[name] = place
    return is_new


def _layout(
    columns: dict[str, defaultdict[Labels, _Column]],
    marks: dict[tuple[str, bool], int],
    families: Sequence[Family],
) -> Layout | None:
    times = {column.time for children in columns.values() for column in children.values()}
    shown = {(name, is_time) for name, is_time in marks if name == PROCESS_START}
    if None in times or not times or len(shown) == 1 or len(marks) - len(shown) != 2:
        return None
    histograms, counters = [], []
    seen: dict[str, str] = {}
    for name, family in [(name, one) for one in families for name in one.names]:
        held = {c: column for c, column in columns.get(name, {}).items() if family.holds(c)}
        if held and seen.setdefault(family.role, name) != name:
            continue
        for labels, column in held.items():
            child = Child(family.role, labels)
            if family.kind is FamilyKind.COUNTER:
                if "value" not in column.parts:
                    return None
                counters.append(_CounterAt(child, family.scale, column.parts["value"]))
            elif (at := _histogram_at(child, family.scale, column)) is None:
                return None
            else:
                histograms.append(at)
    start = (marks[PROCESS_START, False], marks[PROCESS_START, True]) if shown else None
    return Layout(
        marks[UP, False],
        marks[UP, True],
        start,
        tuple(place for place in times if place is not None),
        tuple(histograms),
        tuple(counters),
    )


def _histogram_at(child: Child, scale: float, column: _Column) -> _HistogramAt | None:
    try:
        places = {float(le): place for le, place in column.buckets.items()}
        bounds = tuple(sorted(places))
        # Checks the bounds, and takes them to the unit that is wanted.
        like = Histogram(bounds, (0.0,) * len(bounds), 0.0).scaled(scale)
    except ValueError:
        return None
    if len(bounds) < 2 or len(bounds) != len(column.buckets):
        return None
    if not {"sum", "count"} <= column.parts.keys():
        return None
    pick: Pick = itemgetter(*(places[bound] for bound in bounds))
    return _HistogramAt(child, like.bounds, scale, pick, column.parts["sum"], column.parts["count"])
