"""Exact request counts between the start and the end of an experiment's load.

Cumulative samples go in, in order of time; deltas of whole histograms come out. Nothing is
extrapolated: the window is widened outward to the scrapes around it, and what no scrape saw is
reported as unseen.
"""

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sloscore.core.histogram import Histogram, merge
from sloscore.core.samples import InstanceSample, is_same_start
from sloscore.experiments.instance import InstanceWindow


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """What a window holds, summed over its instances; all times in Unix seconds.

    ``histograms`` and ``counters`` hold increases by role. ``observed_start`` and
    ``observed_end`` are the scrapes that the increases run between (None without any scrape).
    ``unseen_head`` and ``unseen_tail`` are the seconds at both ends of the window that the worst
    instance has no scrape for, ``unseen_gaps`` those before restarts; ``widened_head`` and
    ``widened_tail`` the seconds outside of the window whose requests are counted, too.
    ``scrape_interval`` is the median distance of scrapes in seconds. ``mixed`` names an address that
    several processes take turns behind. ``shown_by`` is how many instances showed the counters of a
    role.
    ``ambiguous`` names instances that several jobs scrape and that do not tell whether they are
    one process, which is then counted several times.
    ``silent`` names an instance none of whose scrapes succeeded, for ``silent_seconds``: it may have
    served requests that nothing here counts.
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
    unseen_gaps: float = 0.0
    widened_head: float = 0.0
    widened_tail: float = 0.0
    mixed: str | None = None
    shown_by: Mapping[str, int] = field(default_factory=dict)
    silent: str | None = None
    silent_seconds: float = 0.0


class WindowAccumulator:
    """Feeds samples of one experiment's instances into one window.

    ``start`` and ``end`` are Unix seconds; without an end the window is still open. Scrapes before
    ``since`` and after ``until`` tell of another load.
    """

    __slots__ = ("_instances", "end", "since", "start", "until")

    def __init__(
        self,
        start: float,
        end: float | None = None,
        since: float = -math.inf,
        until: float = math.inf,
    ) -> None:
        self.start = start
        self.end = end
        self.since = since
        self.until = until
        self._instances: dict[tuple[str, str], InstanceWindow] = {}

    def feed(self, samples: Iterable[InstanceSample]) -> None:
        """Take samples, ordered by time for each instance; older and repeated ones are skipped."""
        for sample in samples:
            instance = self._instances.get(sample.instance)
            if instance is None:
                instance = InstanceWindow(self.start, self.end, self.since, self.until)
                self._instances[sample.instance] = instance
            instance.take(sample)

    def close(self, end: float, until: float) -> None:
        """Set the end of a window that was open, or after what time scrapes tell of another load."""
        self.end, self.until = end, until
        for instance in self._instances.values():
            instance.end, instance.until = end, until

    def last_sample_time(self) -> float | None:
        """Time of the oldest of the instances' newest samples: where a replay has to go on."""
        newest = [instance.times[-1] for instance in self._instances.values() if instance.times]
        return min(newest, default=None)

    def continues_in(self, samples: Sequence[InstanceSample]) -> bool:
        """Whether the samples are those of the processes whose values are known, with the same bounds."""
        return self._instances.keys() == {sample.instance for sample in samples} and all(
            (instance := self._instances.get(sample.instance)) is not None
            and instance.is_continued_by(sample)
            for sample in samples
        )

    @property
    def knows_instances(self) -> bool:
        """Whether anything was fed."""
        return bool(self._instances)

    @property
    def shows_nothing(self) -> bool:
        """Whether instances are up of which none has shown a metric of the experiment's."""
        instances = self._instances.values()
        return any(i.last for i in instances) and not any(i.exposes_families for i in instances)

    def counts(self) -> WindowCounts:
        """The window's increases so far."""
        exposing = {key: i for key, i in self._instances.items() if i.exposes_families}
        seen, ambiguous = _distinct(exposing)
        by_role: defaultdict[str, list[Histogram]] = defaultdict(list)
        counters: defaultdict[str, float] = defaultdict(float)
        for instance in seen:
            for child, histogram in instance.histograms.items():
                by_role[child.role].append(histogram)
            for child, value in instance.counters.items():
                counters[child.role] += value
        merged = {role: merge(histograms) for role, histograms in by_role.items()}
        silence = {key: i.silent_seconds for key, i in self._instances.items()}
        silent = max(silence, key=silence.__getitem__, default=None)
        gaps = [b - a for i in seen for a, b in zip(i.times, i.times[1:], strict=False)]
        return WindowCounts(
            histograms={role: histogram for role, histogram in merged.items() if histogram},
            counters=dict(counters),
            observed_start=min((i.baseline_time or 0.0 for i in seen), default=None),
            observed_end=max((i.last.time for i in seen if i.last), default=None),
            unseen_head=max((i.unseen_head for i in seen), default=0.0),
            unseen_tail=max((i.unseen_tail for i in seen), default=0.0),
            instances=len(seen),
            resets=sum(i.resets for i in seen),
            scrape_interval=statistics.median(gaps) if gaps else None,
            ambiguous=tuple(ambiguous),
            unseen_gaps=max((i.unseen_gaps for i in seen), default=0.0),
            widened_head=max((i.widened_head for i in seen), default=0.0),
            widened_tail=max((i.widened_tail for i in seen), default=0.0),
            shown_by=Counter(role for i in seen for role in {child.role for child in i.counters}),
            mixed=next((key[1] for key, i in exposing.items() if i.is_mixed), None),
            silent=silent[1] if silent and silence[silent] else None,
            silent_seconds=silence[silent] if silent else 0.0,
        )

    @property
    def awaits_scrape(self) -> bool:
        """Whether some instance may still be scraped at or after the end."""
        return not self._instances or not all(i.is_closed for i in self._instances.values())


def _distinct(
    instances: Mapping[tuple[str, str], InstanceWindow],
) -> tuple[list[InstanceWindow], list[str]]:
    """Each process once, though several jobs scrape it, and instances of which nobody can tell."""
    found: dict[str, list[InstanceWindow]] = {}
    ambiguous: list[str] = []
    least_unseen = sorted(
        instances.items(), key=lambda item: (item[1].unseen_head + item[1].unseen_tail, item[0])
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


def _overlap(one: InstanceWindow, other: InstanceWindow) -> bool:
    return one.times[0] <= other.times[-1] and other.times[0] <= one.times[-1]


def _share_start(one: InstanceWindow, other: InstanceWindow) -> bool:
    return any(is_same_start(a, b) for a in one.starts for b in other.starts)
