"""The last snapshot of each selector, so that no scrape is read twice."""

from collections import OrderedDict
from dataclasses import dataclass

from sloscore.core.samples import Family, Labels, Target
from sloscore.sources.base import Snapshot

# An experiment that is asked for no longer leaves after as many seconds.
_KEPT_SECONDS = 120.0

_Key = tuple[tuple[Family, ...], Labels]


@dataclass(frozen=True, slots=True)
class _Kept:
    clock: int | None
    snapshot: Snapshot
    at: float


class Seen:
    """Snapshots by what they were asked with, each with the fingerprint of its scrape times.

    A sample never changes once it is stored, so where all times are as they were the snapshot is. A
    scrape may come between the question for the times and the one for the samples, which are newer
    then: good for every later moment, at which those times cannot be shown again, and for no earlier
    one.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()

    def knows(self, target: Target, at: float) -> bool:
        """Whether it was asked for before, at Unix time ``at`` or earlier."""
        kept = self._kept.get((target.families, target.selector))
        return kept is not None and kept.at <= at

    def unchanged(self, target: Target, clock: int | None, at: float) -> Snapshot | None:
        """The kept snapshot, if these are its scrape times also at Unix time ``at``."""
        kept = self._kept.get((target.families, target.selector))
        if clock is None or kept is None or kept.clock != clock or kept.at > at:
            return None
        self.keep(target, clock, kept.snapshot, at)
        return kept.snapshot

    def keep(self, target: Target, clock: int | None, snapshot: Snapshot, at: float) -> None:
        """Keep what was answered at Unix time ``at``, unless what is kept is of a later one.

        Without a clock it keeps that it was asked.
        """
        key = target.families, target.selector
        kept = self._kept.get(key)
        if kept is None or kept.at <= at:
            self._kept[key] = _Kept(clock, snapshot, at)
            self._kept.move_to_end(key)

    def prune(self, at: float) -> None:
        """Drop what nobody asked for lately."""
        while self._kept:
            key, kept = next(iter(self._kept.items()))
            if at - kept.at <= _KEPT_SECONDS:
                return
            del self._kept[key]
