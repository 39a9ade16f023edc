"""A window as one instance showed it: what its processes counted between the scrapes around it."""

import math
from array import array
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from sloscore.core.histogram import Histogram
from sloscore.core.samples import Child, InstanceSample, is_same_start

Value = TypeVar("Value")

# A process that began this shortly before the load has not served another one.
_YOUNG_SECONDS = 10.0
# Kernels tell in whole seconds when they booted, so processes look up to a second older.
_BIRTH_TOLERANCE = 1.01


@dataclass(slots=True)
class InstanceWindow:
    """The requests of one instance between ``start`` and ``end`` (Unix seconds; None: still open).

    Scrapes before ``since`` and after ``until`` tell of another load, so that the window does not
    reach out to them. ``unseen_head`` and ``unseen_gaps`` are seconds of the window that no scrape
    tells of: before its first one, and between the last one of a process and the start of the next.
    ``whole_time`` is that of the last scrape which showed all that the process had shown before.
    ``is_mixed`` says that several processes take turns behind the address.
    """

    start: float
    end: float | None
    since: float = -math.inf
    until: float = math.inf
    last: InstanceSample | None = None
    baseline_time: float | None = None
    whole_time: float = -math.inf
    unseen_head: float = 0.0
    unseen_gaps: float = 0.0
    gone: bool = False
    is_mixed: bool = False
    resets: int = 0
    # Other processes that came without telling when they began, nor a scrape that failed before.
    unannounced: int = 0
    # Of every scrape, for as long as the window is open.
    times: "array[float]" = field(default_factory=lambda: array("d"))
    starts: set[float] = field(default_factory=set)
    histograms: dict[Child, Histogram] = field(default_factory=dict)
    counters: defaultdict[Child, float] = field(default_factory=lambda: defaultdict(float))
    _down_since: float | None = None
    # The newest values of each child of the process, also of one that is not shown any more.
    _known: Mapping[Child, Histogram] = field(default_factory=dict)
    _counted: Mapping[Child, float] = field(default_factory=dict)

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

    @property
    def unseen_tail(self) -> float:
        """Seconds at the end of the window that no scrape tells all of."""
        if self.end is None or self.last is None:
            return 0.0
        return max(0.0, self.end - max(self.whole_time, self.start))

    @property
    def silent_seconds(self) -> float:
        """Seconds of the window over which every scrape failed, where none ever succeeded."""
        if self.last is not None or self._down_since is None:
            return 0.0
        return self.times[-1] - max(self.times[0], self.start)

    @property
    def widened_head(self) -> float:
        """Seconds before the start whose requests are counted, too."""
        if self.last is None or self.baseline_time is None:
            return 0.0
        is_scrape = self.baseline_time in self.times
        return max(0.0, self.start - self.baseline_time) if is_scrape else 0.0

    @property
    def widened_tail(self) -> float:
        """Seconds after the end whose requests are counted, too."""
        if self.end is None or self.last is None:
            return 0.0
        return max(0.0, self.last.time - self.end)

    def take(self, sample: InstanceSample) -> None:
        """Take the next sample; one that is not newer, or comes after the end, is left out."""
        if self.is_closed or (self.times and sample.time <= self.times[-1]):
            return
        if self.last is not None and _is_by_other_clock(sample, self.last):
            return
        if sample.time > self.until:
            self.gone = True
            return
        self.times.append(sample.time)
        if sample.process_start is not None:
            self.starts.add(sample.process_start)
        if sample.up is False:
            if self._down_since is None:
                self._down_since = sample.time
            self.gone = self.end is not None and sample.time >= self.end
            return
        if sample.time <= self.start:
            self._begin(sample)
        elif (
            self.last is None
            or self.last.time < self.since
            or _is_by_other_clock(self.last, sample)
        ):
            self._begin_late(sample)
        elif self._is_successor(sample):
            self._take_successor(sample, self.last)
        else:
            self._add(sample)
            self.last = sample
        self._down_since = None

    def is_continued_by(self, sample: InstanceSample) -> bool:
        """Whether a sample is of the process of the last one; if it has values, of the same series."""
        last = self.last
        if last is None or last.process_start is None or sample.process_start is None:
            return False
        if not is_same_start(last.process_start, sample.process_start):
            return False
        if not (sample.histograms or sample.counters):
            return True
        known = {child: histogram.bounds for child, histogram in last.histograms.items()}
        shown = {child: histogram.bounds for child, histogram in sample.histograms.items()}
        return known == shown and last.counters.keys() == sample.counters.keys()

    def _begin(self, sample: InstanceSample) -> None:
        self.baseline_time = max(sample.time, self.since)
        self._forget()
        self._remember(sample)
        self.last = sample

    def _begin_late(self, sample: InstanceSample) -> None:
        born = sample.process_start
        if self._is_of_later(sample):
            self.gone = True
            return
        self._forget()
        down = self._down_since
        is_new = (
            born is not None
            # By a clock that is ahead an old process looks new.
            and born <= sample.time + _BIRTH_TOLERANCE
            and born >= self.since
            and (
                born >= self.start - _YOUNG_SECONDS
                or (down is not None and born >= down - _BIRTH_TOLERANCE)
            )
        )
        if is_new:
            self.baseline_time = born
            self._add(sample)
        else:
            self.baseline_time = sample.time
            if sample.histograms or sample.counters:
                self.unseen_head = sample.time - self.start
            self._remember(sample)
        self.last = sample

    def _is_successor(self, sample: InstanceSample) -> bool:
        """Whether another process answers than the one of the last sample."""
        last = self.last
        if last is None:
            return False
        if last.process_start is None or sample.process_start is None:
            return sample.is_restarted_since(last)
        return not is_same_start(sample.process_start, last.process_start)

    def _take_successor(self, sample: InstanceSample, last: InstanceSample) -> None:
        born = sample.process_start
        is_closing = self.end is not None and sample.time >= self.end
        if self._is_of_later(sample) or (is_closing and born is None):
            # The next experiment's process: nothing of it belongs here.
            self.gone = True
            return
        if born is None or last.process_start is None:
            # A server that restarts so often without missing a scrape is rather several.
            self.unannounced += self._down_since is None and last.time > self.start
            self.is_mixed |= self.unannounced > 1
        elif born < last.process_start:
            self.is_mixed = True
        # The process before was there no more by then; clocks of servers may differ.
        told = (born, self._down_since, sample.time)
        over_by = max(last.time, min(time for time in told if time is not None))
        if over_by > self.start:
            self.resets += 1
            # A scrape that failed may be one of a server that is too busy, and still serves.
            came = sample.time if born is None else min(born, sample.time)
            self.unseen_gaps += max(0.0, max(over_by, came) - max(last.time, self.start))
        else:
            self.baseline_time = over_by
        self._forget()
        self._add(sample)
        self.last = sample

    def _is_of_later(self, sample: InstanceSample) -> bool:
        """Whether the process began at or after the end; one that was scraped before did not."""
        born = sample.process_start
        return self.end is not None and born is not None and min(born, sample.time) >= self.end

    def _add(self, sample: InstanceSample) -> None:
        """Add what grew since each child was last shown; a child that fell began anew."""
        fell = False
        for child, histogram in sample.histograms.items():
            before = self._known.get(child)
            if before is not None and histogram.falls_below(before):
                fell, before = True, None
            delta = histogram.minus(before) if before else histogram
            seen = self.histograms.get(child)
            self.histograms[child] = seen.plus(delta) if seen else delta
        for child, value in sample.counters.items():
            counted = self._counted.get(child, 0.0)
            if value < counted:
                fell, counted = True, 0.0
            self.counters[child] += value - counted
        self.resets += fell
        self._remember(sample)

    def _remember(self, sample: InstanceSample) -> None:
        self._known = _with(self._known, sample.histograms)
        self._counted = _with(self._counted, sample.counters)
        is_whole = len(sample.histograms) == len(self._known) and (
            len(sample.counters) == len(self._counted)
        )
        shows_any = bool(sample.histograms or sample.counters)
        # What another process does that shows nothing of it, nobody knows either.
        if is_whole and (shows_any or not self.exposes_families):
            self.whole_time = sample.time

    def _forget(self) -> None:
        self._known, self._counted = {}, {}


def _with(known: Mapping[Child, Value], shown: Mapping[Child, Value]) -> Mapping[Child, Value]:
    """The newest of each child; what is shown itself where, as nearly always, that is all of them."""
    return shown if known.keys() <= shown.keys() else {**known, **shown}


def _is_by_other_clock(bare: InstanceSample, shows: InstanceSample) -> bool:
    """Whether one is a scrape alone, and the other's series have times of their own.

    Where a source tells that a scrape succeeded, the scrape's series have its time; an exporter
    that stamps them itself is the exception. Such a scrape does not say that its series are gone.
    """
    return not (bare.histograms or bare.counters) and bool(bare.up) and shows.up is None
