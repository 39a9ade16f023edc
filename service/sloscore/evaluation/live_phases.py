"""The phases of a running experiment: counted while they go on, and once more when they have ended."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sloscore.core.samples import Target
from sloscore.evaluation.phased import Part, report_phase
from sloscore.evaluation.plan import Plan
from sloscore.evaluation.replay import FRESH_SECONDS, catch_up, opened
from sloscore.experiments.model import Phase
from sloscore.experiments.phases import Span, spans_of
from sloscore.experiments.window import WindowAccumulator
from sloscore.sources.base import MetricSource, Snapshot
from sloscore.wire import Report


@dataclass(slots=True)
class LivePhase:
    """A phase and what was counted of it.

    Snapshots come less often than scrapes, so that a phase that has ended is counted again from raw
    samples, once there is a scrape at or after its end: after that its report is ``final``.
    """

    span: Span
    window: WindowAccumulator | None = None
    final: Report | None = None
    _is_exact: bool = False

    def is_due(self, now: float) -> bool:
        """Whether the source has to be asked for more than snapshots."""
        if self.final is not None or self.span.is_empty or now < self.span.start:
            return False
        return self.window is None or self._is_over

    @property
    def _is_over(self) -> bool:
        if self.window is None or self.span.end is None or self._is_exact:
            return False
        return not self.window.awaits_scrape

    async def prepare(self, source: MetricSource, target: Target, now: float) -> None:
        """Ask for the baseline, or for all raw samples; raises SourceError."""
        if not self.is_due(now):
            return
        span = self.span
        window = WindowAccumulator(span.start, span.end, span.since, span.until)
        await opened(source, target, window)
        if span.end is not None or now - span.start > FRESH_SECONDS:
            await catch_up(source, target, window, now)
        self.window = window
        self._is_exact = span.end is not None and not window.awaits_scrape

    def move(self, span: Span) -> None:
        """Take other bounds, as the phase has ended or the next one has begun."""
        if self.window is not None and span.end is not None:
            self.window.close(span.end, span.until)
        self.span, self.final, self._is_exact = span, None, False

    def report(self, plan: Plan, now: float) -> Report:
        """The report of the phase by itself."""
        if self.final is not None:
            return self.final
        counts = None if self.window is None else self.window.counts()
        report = report_phase(plan, counts, self.span, now=now)
        if self._is_exact:
            self.final, self.window = report, None
        return report


class LivePhases:
    """An experiment's phases in order of time, which share the snapshots of its whole window.

    ``start`` is that of the experiment's window in Unix seconds, ``warmup`` what is cut off from the
    start of each phase.
    """

    __slots__ = ("_phases", "_start", "_warmup")

    def __init__(self, start: float, warmup: float = 0.0) -> None:
        self._start = start
        self._warmup = warmup
        self._phases: list[LivePhase] = []

    def __iter__(self) -> Iterator[LivePhase]:
        return iter(self._phases)

    @property
    def spans(self) -> tuple[Span, ...]:
        """Their windows."""
        return tuple(live.span for live in self._phases)

    @property
    def marked(self) -> tuple[Phase, ...]:
        """The phases as they were marked last."""
        return tuple(live.span.phase for live in self._phases)

    def follow(self, phases: Sequence[Phase]) -> None:
        """Take up the phases as they are marked now."""
        known = {live.span.phase.name: live for live in self._phases}
        self._phases = []
        for span in spans_of(phases, self._start, None, self._warmup):
            live = known.get(span.phase.name) or LivePhase(span)
            if live.span != span:
                live.move(span)
            self._phases.append(live)

    def is_due(self, now: float) -> bool:
        """Whether the source has to be asked for more than the whole window's snapshots."""
        return any(live.is_due(now) for live in self._phases)

    async def prepare(self, source: MetricSource, target: Target, now: float) -> None:
        """Ask for what snapshots do not tell; raises SourceError."""
        for live in self._phases:
            await live.prepare(source, target, now)

    def feed(self, snapshot: Snapshot) -> None:
        """Take a snapshot of the experiment's instances."""
        for live in self._phases:
            if live.window is not None:
                live.window.feed(snapshot)

    def parts(self, plan: Plan, now: float) -> list[Part]:
        """Each phase's window with its report."""
        return [(live.span, live.report(plan, now)) for live in self._phases]
