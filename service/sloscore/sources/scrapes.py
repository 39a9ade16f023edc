"""Puts the series of one scrape together to the histograms and counters of an instance."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sloscore.core.histogram import Histogram
from sloscore.core.samples import Child, Family, FamilyKind, InstanceSample, Labels
from sloscore.errors import SourceError
from sloscore.sources.native import read_native

Instance = tuple[str, str]

NATIVE = "native"
_NOT_OF_CHILD = frozenset({"__name__", "le", "job", "instance"})


@dataclass(slots=True)
class Series:
    """What a scrape showed of one child under one family name; ``time`` in Unix milliseconds.

    ``native`` is a native histogram as the API spells it; ``contradiction`` says which of the others
    came with several values.
    """

    time: int | None = None
    buckets: dict[str, float] = field(default_factory=dict)
    sum: float | None = None
    count: float | None = None
    value: float | None = None
    native: Mapping[str, Any] | None = None
    contradiction: str | None = None

    @property
    def is_bare(self) -> bool:
        """Whether nothing but its time was shown, as of a series that has just ended."""
        parts = (self.sum, self.count, self.value, self.native)
        return not self.buckets and all(part is None for part in parts)

    @property
    def has_ended(self) -> bool:
        """Whether it is the mark of a series that ended, which VictoriaMetrics shows as NaN."""
        parts = [*self.buckets.values(), self.sum, self.count, self.value]
        numbers = [part for part in parts if part is not None]
        return self.native is None and bool(numbers) and all(map(math.isnan, numbers))


@dataclass(slots=True)
class Scrape:
    """What is known of one instance at one time (Unix milliseconds), by family name and child.

    Native histograms are kept by themselves, as they can be older than the classic ones.
    """

    time: int = 0
    up: bool | None = None
    process_start: float | None = None
    series: defaultdict[str, defaultdict[Labels, Series]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(Series))
    )
    natives: defaultdict[str, defaultdict[Labels, Series]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(Series))
    )

    def only_ended(self) -> bool:
        """Drop the series that have ended; whether nothing was scraped at this time then."""
        had_ended = False
        for children in self.series.values():
            for labels in [labels for labels, one in children.items() if one.has_ended]:
                del children[labels]
                had_ended = True
        rest = any(self.series.values()) or any(self.natives.values()) or self.up is not None
        return had_ended and not rest


def child_labels(labels: Mapping[str, str]) -> Labels:
    """The labels that tell a child from its siblings, sorted."""
    return tuple(sorted(pair for pair in labels.items() if pair[0] not in _NOT_OF_CHILD))


def set_part(series: Series, part: str, le: str, value: str) -> None:
    """File one value, as the API spells it, under its part.

    Raises ValueError for a value that is no number.
    """
    number = float(value)
    known = series.buckets.get(le) if part == "bucket" else getattr(series, part)
    if known is not None and known != number:
        series.contradiction = f"a series of it is there twice, with {known:g} and with {number:g}"
    if part == "bucket":
        series.buckets[le] = number
    else:
        setattr(series, part, number)


def native_name(family: Family, name: str) -> str | None:
    """The name of the native histogram that holds what a family shows under one of its names.

    A counter that is a histogram's ``_count`` or ``_sum`` is found there, too.
    """
    if family.kind is FamilyKind.HISTOGRAM:
        return name
    base, _, part = name.rpartition("_")
    return base if base and part in {"count", "sum"} else None


class FamilyReader:
    """Knows which parts of which families each series is.

    Where an instance shows a role under several names, the first name in the order of
    ``families`` counts and the others are left out, so that no request is counted twice; for the
    same reason a native histogram only counts where its classic one is not there. A series may be
    part of several families: a histogram's ``_count`` can be a counter of its own, and one metric
    can be several families that differ in the labels they match.
    """

    def __init__(self, families: Sequence[Family]) -> None:
        self._names = [(name, family) for family in families for name in family.names]
        parts: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for name, family in self._names:
            if bare := native_name(family, name):
                parts[bare].append((bare, NATIVE))
            if family.kind is FamilyKind.COUNTER:
                parts[name].append((name, "value"))
                continue
            for part in ("bucket", "sum", "count"):
                parts[f"{name}_{part}"].append((name, part))
        self._parts = {series: tuple(dict.fromkeys(found)) for series, found in parts.items()}

    def parts_of(self, series: str) -> tuple[tuple[str, str], ...]:
        """The family names, each with the part of it that a series' name stands for.

        Parts are ``bucket``, ``sum``, ``count``, ``value`` (of a counter) and NATIVE, whose name is
        that of ``Scrape.natives``.
        """
        return self._parts.get(series, ())

    def sample(self, instance: Instance, scrape: Scrape) -> InstanceSample:
        """The scrape as a sample.

        Raises SourceError (``decode``) for a histogram that is torn or in an unreadable form.
        """
        histograms: dict[Child, Histogram] = {}
        counters: dict[Child, float] = {}
        name_of_role: dict[str, str] = {}
        for find in (_classic_children, _native_children):
            for name, family in self._names:
                if family.role not in name_of_role and find(scrape, name, family):
                    name_of_role[family.role] = name
        for name, family in self._names:
            if name_of_role.get(family.role) != name:
                continue
            found = _native_children(scrape, name, family) | _classic_children(scrape, name, family)
            for labels, series in found.items():
                child = Child(family.role, labels)
                where = _describe(name, labels, instance)
                if family.kind is FamilyKind.COUNTER:
                    counters[child] = _counter(series, name, where) * family.scale
                else:
                    histograms[child] = _histogram(series, where).scaled(family.scale)
        start = scrape.process_start
        return InstanceSample(
            instance=instance,
            time=scrape.time / 1000,
            up=scrape.up,
            # One that is no number would make another process of each sample.
            process_start=start if start is not None and math.isfinite(start) else None,
            histograms=histograms,
            counters=counters,
        )


def _classic_children(scrape: Scrape, name: str, family: Family) -> dict[Labels, Series]:
    found: Mapping[Labels, Series] = scrape.series.get(name) or {}
    return {labels: series for labels, series in found.items() if family.holds(labels)}


def _native_children(scrape: Scrape, name: str, family: Family) -> dict[Labels, Series]:
    found: Mapping[Labels, Series] = scrape.natives.get(native_name(family, name) or "") or {}
    return {
        labels: series
        for labels, series in found.items()
        if series.native is not None and family.holds(labels)
    }


def _counter(series: Series, name: str, where: str) -> float:
    _refuse_contradiction(series, where)
    if series.native is None:
        return _number(series.value, where)
    histogram = read_native(series.native, where)
    return histogram.count if name.endswith("_count") else histogram.sum


def _histogram(series: Series, where: str) -> Histogram:
    _refuse_contradiction(series, where)
    if series.native is not None:
        return read_native(series.native, where)
    buckets = {_bound(le, where): _number(v, where) for le, v in series.buckets.items()}
    total = _number(series.sum, f"{where}: its _sum")
    count = _number(series.count, f"{where}: its _count")
    if math.inf not in buckets:
        raise _unreadable(f"{where} has no +Inf bucket")
    if buckets[math.inf] != count:
        raise _unreadable(
            f"{where} is torn: its +Inf bucket says {buckets[math.inf]:g}, its _count {count:g}"
        )
    histogram = Histogram.from_buckets(buckets, total)
    if histogram.falls:
        raise _unreadable(f"{where}: a bucket holds less than one below it")
    return histogram


def _refuse_contradiction(series: Series, where: str) -> None:
    if series.contradiction is not None:
        raise _unreadable(f"{where}: {series.contradiction}")


def _bound(le: str, where: str) -> float:
    try:
        bound = float(le)
    except ValueError:
        bound = math.nan
    if math.isnan(bound):
        raise _unreadable(f"{where} has a bucket whose le is {le!r}, which is not a number")
    return bound


def _number(value: float | None, where: str) -> float:
    if value is None:
        raise _unreadable(f"{where} is missing")
    if not math.isfinite(value):
        raise _unreadable(f"{where} is {value}")
    return value


def _describe(name: str, labels: Labels, instance: Instance) -> str:
    shown = ",".join(f'{label}="{value}"' for label, value in labels)
    return f"{name}{{{shown}}} of {instance[1]}"


def _unreadable(message: str) -> SourceError:
    return SourceError(message, kind="decode")
