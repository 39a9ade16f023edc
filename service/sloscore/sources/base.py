"""The protocol that every metric source speaks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sloscore.core.samples import InstanceSample, Target
from sloscore.errors import SourceError

Snapshot = Sequence[InstanceSample]

OnQuery = Callable[[str, float, str | None], None]
"""Told of each query: its kind (times, snapshot, samples, clock, scrape), its seconds, its error's kind."""


@dataclass(frozen=True, slots=True)
class Offset:
    """By how many seconds the source's clock is ahead of this one, give or take ``error``."""

    seconds: float
    error: float

    @property
    def least(self) -> float:
        """Seconds that the clocks differ by at least, on either side."""
        return max(0.0, abs(self.seconds) - self.error)


@dataclass(frozen=True, slots=True)
class Ends:
    """Samples that tell all of a window: ``first`` its baseline, ``rest`` what came after that.

    Of ``rest`` only the ``last`` sample of each instance has values.
    """

    first: Snapshot
    rest: Snapshot
    last: Snapshot


class MetricSource(Protocol):
    """Gives cumulative samples of inference servers; never a rate, never an extrapolation."""

    async def snapshot(
        self, targets: Sequence[Target], at: float
    ) -> Mapping[str, Snapshot | SourceError]:
        """The latest sample of every instance at Unix time ``at``, by the targets' keys.

        A query that fails is the value of those targets that it asked for, so that the others of
        the same call keep theirs. A target whose series do not exist has an empty snapshot.
        """
        ...

    async def samples(self, target: Target, after: float, until: float) -> Snapshot:
        """Every raw sample with ``after < time <= until``, ordered by time.

        Raises SourceError where the source does not answer in full.
        """
        ...

    async def names(self, target: Target, at: float, seconds: float) -> frozenset[str]:
        """Names of all series of the target's selector in the ``seconds`` before ``at``.

        Raises SourceError where the source does not answer.
        """
        ...

    async def check(self) -> None:
        """Raise SourceError where the source cannot be reached or refuses to answer."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


@runtime_checkable
class SteadySource(Protocol):
    """A metric source that tells windows apart of which not all samples are needed."""

    async def steady(
        self, starts: Mapping[Target, float], until: float
    ) -> Mapping[str, Ends | None]:
        """The windows from each target's start up to ``until`` (Unix seconds), by the targets' keys.

        None where samples between may tell more than the ends do, or where the source does not answer.
        """
        ...


class RecordingSource(MetricSource, Protocol):
    """A metric source that also takes samples itself, of targets that have a URL."""

    async def capture(self, target: Target) -> Snapshot:
        """A sample taken now, empty where the target has no URL; raises SourceError."""
        ...

    def restore(
        self,
        target: Target,
        samples: Iterable[InstanceSample],
        since: float | None = None,
        marks: Iterable[float] = (),
    ) -> None:
        """Record a target with a URL from now on, of which these samples are known.

        ``since`` is the Unix time at which its window starts, if that is known; ``marks`` are those
        at which parts of it begin or end. May be called again for what is known later.
        """
        ...

    def forget(self, key: str) -> None:
        """Stop recording a target, and drop what was recorded."""
        ...
