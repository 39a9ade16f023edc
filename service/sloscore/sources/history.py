"""What was scraped of one target, in bounded memory."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

from sloscore.core.samples import InstanceSample

_LIMIT = 128


class History:
    """Samples of one instance in order of time; of many, those that a window's counts need.

    The newest ``limit / 2`` are all there, and so are those on both sides of ``since``, where the
    window starts, and of every mark. Of older ones every second goes, time and again, where
    nothing but growth lies around it: sums of deltas are the same without it.
    """

    def __init__(self, since: float | None = None, limit: int = _LIMIT) -> None:
        self._marks = [] if since is None else [since]
        self._limit = self._full = limit
        self._samples: list[InstanceSample] = []

    def mark(self, times: Iterable[float]) -> None:
        """Keep the samples around these Unix times, at which phases begin or end."""
        self._marks = sorted({*self._marks, *times})

    def add(self, samples: Iterable[InstanceSample]) -> None:
        """File samples; of several at one time the first counts."""
        for sample in samples:
            place = bisect_left(self._samples, sample.time, key=_time_of)
            if place == len(self._samples) or self._samples[place].time != sample.time:
                self._samples.insert(place, sample)
        if len(self._samples) > self._full:
            self._thin()
            # A server that restarts all the time is not looked through at each scrape.
            self._full = max(self._limit, len(self._samples) + self._limit // 4)

    def newest(self, at: float) -> Sequence[InstanceSample]:
        """The last sample at or before a time, if there is one."""
        place = bisect_right(self._samples, at, key=_time_of)
        return self._samples[max(0, place - 1) : place]

    def between(self, after: float, until: float) -> Sequence[InstanceSample]:
        """All samples with ``after < time <= until``."""
        first = bisect_right(self._samples, after, key=_time_of)
        return self._samples[first : bisect_right(self._samples, until, key=_time_of)]

    @property
    def has_answer(self) -> bool:
        """Whether any scrape succeeded."""
        return any(sample.up for sample in self._samples)

    def _thin(self) -> None:
        old = len(self._samples) - self._limit // 2
        kept = self._samples[:1]
        may_go = True
        for sample, after in pairwise(self._samples[1 : old + 1]):
            if may_go and not self._counts(kept[-1], sample, after):
                may_go = False
            else:
                kept.append(sample)
                may_go = True
        self._samples[:old] = kept

    def _counts(
        self, before: InstanceSample, sample: InstanceSample, after: InstanceSample
    ) -> bool:
        """Whether a sample between these two changes what a window counts."""
        next_mark = bisect_left(self._marks, sample.time)
        if next_mark < len(self._marks) and self._marks[next_mark] < after.time:
            return True
        if next_mark and self._marks[next_mark - 1] > before.time:
            return True
        ups = (before.up, sample.up, after.up)
        if not all(ups):
            return any(ups)
        return (
            sample.is_restarted_since(before)
            or after.is_restarted_since(sample)
            or after.is_restarted_since(before)
        )


def _time_of(sample: InstanceSample) -> float:
    return sample.time
