"""Exact request counts between the start and the end of an experiment's load.

Cumulative samples go in, in order of time; deltas of whole histograms come out. Nothing is
extrapolated: the window is widened outward to the scrapes around it, and what no scrape saw is
reported as unseen.
"""

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sloscore.core.histogram import Histogram, merge
from sloscore.core.samples import Child, InstanceSample, is_same_start

# Kernels tell in whole seconds when they booted, so processes look up to a second older.
_BIRTH_TOLERANCE = 1.01


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """What a window holds, summed over its instances; all times in Unix seconds.

    ``histograms`` and ``counters`` hold increases by role. ``observed_start`` and
    ``observed_end`` are the scrapes that the increases run between (None without any scrape).
    ``unseen_head`` and ``unseen_tail`` are the seconds at both ends of the window that the worst
    instance has no scrape for. ``scrape_interval`` is the median distance of scrapes in seconds.
    ``ambiguous`` names instances that several jobs scrape and that do not tell whether they are
    one process, which is then counted several times.
    """

    histograms: Mapping[str, Histogram]
    counters: Mapping[str, float]
    observed_start: float | None
    observed_end: float | None
    unseen_head: float
    unseen_tail: float
    instances: int
    resets: int
    scrape_interval: float | None
    ambiguous: Sequence[str] = ()


@dataclass(slots=True)
class _Instance:
    """The window as one instance showed it."""

    start: float
    end: float | None
    last: InstanceSample | None = None
    baseline_time: float | None = None
    unseen_head: float = 0.0
    gone: bool = False
    resets: int = 0
    times: list[float] = field(default_factory=list)
    starts: set[float] = field(default_factory=set)
    histograms: dict[Child, Histogram] = field(default_factory=dict)
    counters: defaultdict[Child, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def is_closed(self) -> bool:
        """Whether a scrape at or after the end was seen, be it one that found nobody there."""
        if self.end is None:
            return False
        return self.gone or (self.last is not None and self.last.time >= self.end)

    @property
    def exposes_families(self) -> bool:
        """Whether it is an inference server: a broad selector matches other exporters, too."""
        last = self.last
        return bool(
            self.histograms or self.counters or (last and (last.histograms or last.counters))
        )

    def take(self, sample: InstanceSample) -> None:
        if self.is_closed or (self.times and sample.time <= self.times[-1]):
            return
        if self.last is not None and _is_by_other_clock(sample, self.last):
            return
        self.times.append(sample.time)
        if sample.process_start is not None:
            self.starts.add(sample.process_start)
        if sample.up is False:
            self.gone = self.end is not None and sample.time >= self.end
            return
        if sample.time <= self.start:
            self.last, self.baseline_time = sample, sample.time
            return
        if self.last is None or _is_by_other_clock(self.last, sample):
            self._begin_late(sample)
        elif sample.is_restarted_since(self.last):
            self.resets += 1
            self._add(sample, None)
        else:
            self._add(sample, self.last)
        self.last = sample

    def _begin_late(self, sample: InstanceSample) -> None:
        born = sample.process_start
        if born is not None and born >= self.start - _BIRTH_TOLERANCE:
            self.baseline_time = born
            self._add(sample, None)
        else:
            self.baseline_time = sample.time
            self.unseen_head = sample.time - self.start

    def _add(self, sample: InstanceSample, since: InstanceSample | None) -> None:
        for child, histogram in sample.histograms.items():
            before = since.histograms.get(child) if since else None
            delta = histogram.minus(before) if before else histogram
            seen = self.histograms.get(child)
            self.histograms[child] = seen.plus(delta) if seen else delta
        for child, value in sample.counters.items():
            self.counters[child] += value - (since.counters.get(child, 0.0) if since else 0.0)


class WindowAccumulator:
    """Feeds samples of one experiment's instances into one window.

    ``start`` and ``end`` are Unix seconds; without an end the window is still open.
    """

    def __init__(self, start: float, end: float | None = None) -> None:
        self.start = start
        self.end = end
        self._instances: dict[tuple[str, str], _Instance] = {}

    def feed(self, samples: Iterable[InstanceSample]) -> None:
        """Take samples, ordered by time for each instance; older and repeated ones are skipped."""
        for sample in samples:
            instance = self._instances.get(sample.instance)
            if instance is None:
                instance = _Instance(self.start, self.end)
                self._instances[sample.instance] = instance
            instance.take(sample)

    def last_sample_time(self) -> float | None:
        """Time of the oldest of the instances' newest samples: where a replay has to go on."""
        newest = [instance.times[-1] for instance in self._instances.values() if instance.times]
        return min(newest, default=None)

    def counts(self) -> WindowCounts:
        """The window's increases so far."""
        exposing = {key: i for key, i in self._instances.items() if i.exposes_families}
        seen, ambiguous = _distinct(exposing, self._unseen_tail)
        by_role: defaultdict[str, list[Histogram]] = defaultdict(list)
        counters: defaultdict[str, float] = defaultdict(float)
        for instance in seen:
            for child, histogram in instance.histograms.items():
                by_role[child.role].append(histogram)
            for child, value in instance.counters.items():
                counters[child.role] += value
        merged = {role: merge(histograms) for role, histograms in by_role.items()}
        gaps = [b - a for i in seen for a, b in zip(i.times, i.times[1:], strict=False)]
        return WindowCounts(
            histograms={role: histogram for role, histogram in merged.items() if histogram},
            counters=dict(counters),
            observed_start=min((i.baseline_time or 0.0 for i in seen), default=None),
            observed_end=max((i.last.time for i in seen if i.last), default=None),
            unseen_head=max((i.unseen_head for i in seen), default=0.0),
            unseen_tail=max((self._unseen_tail(i) for i in seen), default=0.0),
            instances=len(seen),
            resets=sum(i.resets for i in seen),
            scrape_interval=statistics.median(gaps) if gaps else None,
            ambiguous=ambiguous,
        )

    @property
    def awaits_scrape(self) -> bool:
        """Whether some instance may still be scraped at or after the end."""
        return not self._instances or not all(i.is_closed for i in self._instances.values())

    def _unseen_tail(self, instance: _Instance) -> float:
        if self.end is None or instance.last is None:
            return 0.0
        return max(0.0, self.end - instance.last.time)


def _is_by_other_clock(bare: InstanceSample, shows: InstanceSample) -> bool:
    """Whether one is a scrape alone, and the other's series have times of their own.

    Where a source tells that a scrape succeeded, the scrape's series have its time; an exporter
    that stamps them itself is the exception. Such a scrape does not say that its series are gone.
    """
    return not (bare.histograms or bare.counters) and bool(bare.up) and shows.up is None


def _distinct(
    instances: Mapping[tuple[str, str], _Instance], unseen_tail: Callable[[_Instance], float]
) -> tuple[list[_Instance], list[str]]:
    """Each process once, though several jobs scrape it, and instances of which nobody can tell."""
    found: dict[str, list[_Instance]] = {}
    ambiguous: list[str] = []
    least_unseen = sorted(
        instances.items(), key=lambda item: (item[1].unseen_head + unseen_tail(item[1]), item[0])
    )
    for (job, name), instance in least_unseen:
        same = found.setdefault(name or job, [])
        others = [other for other in same if _overlap(instance, other)]
        if any(_share_start(instance, other) for other in others):
            continue
        if any(not (instance.starts and other.starts) for other in others):
            ambiguous.append(name)
        same.append(instance)
    return [instance for same in found.values() for instance in same], ambiguous


def _overlap(one: _Instance, other: _Instance) -> bool:
    return one.times[0] <= other.times[-1] and other.times[0] <= one.times[-1]


def _share_start(one: _Instance, other: _Instance) -> bool:
    return any(is_same_start(a, b) for a in one.starts for b in other.starts)
