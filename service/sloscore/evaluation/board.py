"""The newest report of every live experiment, the figures of ended ones, and who waits for them."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sloscore.evaluation.encoded import EncodedReports
from sloscore.evaluation.figures import Figures, figures_of
from sloscore.wire import Report


@dataclass(frozen=True, slots=True)
class Posted:
    """A report's figures, and the report itself as JSON while it is that of a live experiment.

    ``ended_at`` (Unix seconds) is set once it is final: the store has the report then.
    """

    figures: Figures
    encoded: bytes | None = None
    ended_at: float | None = None

    @property
    def report(self) -> Report:
        """The report of a live experiment; raises LookupError for an ended one."""
        if self.encoded is None:
            raise LookupError("the report of an ended experiment is in the store")
        return Report.model_validate_json(self.encoded)


class Board:
    """Holds reports by experiment id; final ones leave after ``retention`` seconds.

    ``finals`` holds final reports as they are sent.
    """

    def __init__(self, retention: float, max_ended: int) -> None:
        self.finals = EncodedReports()
        self._retention = retention
        self._max_ended = max_ended
        self._posted: dict[str, Posted] = {}
        self._waiters: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def limit(self, retention: float, max_ended: int) -> None:
        """Keep final reports by these limits from now on."""
        self._retention, self._max_ended = retention, max_ended

    def __iter__(self) -> Iterator[Posted]:
        return iter(tuple(self._posted.values()))

    def get(self, experiment: str) -> Posted | None:
        """The newest report of an experiment."""
        return self._posted.get(experiment)

    def post(self, experiment: str, report: Report) -> None:
        """Replace the report of a live experiment; a final one stays."""
        posted = self._posted.get(experiment)
        if posted is None or posted.ended_at is None:
            encoded = report.model_dump_json().encode()
            self._posted[experiment] = Posted(figures_of(report), encoded)

    def post_final(self, experiment: str, report: Report, ended_at: float) -> None:
        """Post the last report of an experiment and wake everybody who waits for it."""
        self._posted.pop(experiment, None)
        self._posted[experiment] = Posted(figures_of(report), ended_at=ended_at)
        self.wake(experiment)

    def remove(self, experiment: str) -> None:
        """Take an experiment down, as when it was aborted, and wake everybody who waits."""
        self._posted.pop(experiment, None)
        self.wake(experiment)

    def clear(self) -> None:
        """Take everything down; who waits goes on to."""
        self._posted.clear()

    @property
    def awaited(self) -> tuple[str, ...]:
        """The experiments whose end somebody waits for."""
        return tuple(self._waiters)

    def wake(self, experiment: str) -> None:
        """Wake everybody who waits for the end of an experiment."""
        for event in self._waiters.pop(experiment, ()):
            event.set()

    def wake_all(self) -> None:
        """Wake everybody who waits, as when the service stops."""
        for experiment in tuple(self._waiters):
            self.wake(experiment)

    def expire(self, now: float) -> int:
        """Remove final reports past the retention or the limit; returns how many."""
        ended = [(key, p.ended_at) for key, p in self._posted.items() if p.ended_at is not None]
        surplus = max(0, len(ended) - self._max_ended)
        old = [
            key
            for position, (key, ended_at) in enumerate(ended)
            if position < surplus or now - ended_at >= self._retention
        ]
        for key in old:
            del self._posted[key]
        return len(old)

    @contextmanager
    def waiter(self, experiment: str) -> Iterator[asyncio.Event]:
        """An event that is set when the experiment ends from now on."""
        event = asyncio.Event()
        self._waiters[experiment].add(event)
        try:
            yield event
        finally:
            waiting = self._waiters.get(experiment)
            if waiting is not None:
                waiting.discard(event)
                if not waiting:
                    del self._waiters[experiment]

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return sum(len(events) for events in self._waiters.values())
