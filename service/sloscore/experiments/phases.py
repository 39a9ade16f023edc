"""Phases of an experiment's load: how they are marked, and the windows that they are scored by."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sloscore.core.samples import InstanceSample
from sloscore.errors import ConflictError, LimitError
from sloscore.experiments.model import Experiment, Phase, State
from sloscore.experiments.window import WindowAccumulator
from sloscore.wire import format_time


def start_phase(
    experiment: Experiment, name: str, start: float | None, now: float, most: int
) -> tuple[Phase, ...]:
    """The experiment's phases once one of this name has begun at ``start`` (None: at ``now``).

    The one before ends where it has not. May be repeated while the phase goes on. Raises
    ConflictError for an experiment that has ended, for the name of a phase that has ended and for
    another start than the recorded one, LimitError when there are ``most`` already, and ValueError
    for a start within another phase or before the experiment's.
    """
    phases = experiment.phases
    same = next((phase for phase in phases if phase.name == name), None)
    is_running = experiment.state is State.RUNNING
    if is_running and same is not None and same.end is None:
        if start not in {None, same.start}:
            raise ConflictError(
                f"start: phase {name!r} began at {format_time(same.start)} already, not at "
                f"{format_time(start)}; leave start out, or repeat the recorded one"
            )
        return phases
    if not is_running:
        raise ConflictError(
            f"experiment {experiment.id!r} is already {experiment.state}; phases are marked while it "
            "is running"
        )
    if same is not None:
        raise ConflictError(f"phase {name!r} has ended already; give each phase a name of its own")
    if len(phases) >= most:
        raise LimitError(
            f"experiment {experiment.id!r} has as many phases as it may have, {most} "
            "(limits.max_phases)"
        )
    earliest = _last_bound(experiment)
    if start is not None and start < earliest:
        raise ValueError(
            f"start: {format_time(start)} is before {format_time(earliest)}, where the phase before "
            "or the experiment itself begins or ends; give a time at or after it"
        )
    begins = max(earliest, now) if start is None else start
    return (*ended_phases(phases, begins), Phase(name, begins))


def end_phase(
    experiment: Experiment, name: str | None, end: float | None, now: float
) -> tuple[Phase, ...]:
    """The experiment's phases once the one of this name (None: the last) has ended.

    It ends at ``end`` (None: at ``now``). May be repeated; where no phase goes on, as none does in
    an experiment that has ended, there is nothing to end. Raises ConflictError for a name that no
    phase has and for another end than the recorded one, and ValueError for an end before the
    phase's start.
    """
    phases = experiment.phases
    known = [phase for phase in phases if name in {None, phase.name}]
    if not known:
        if name is None and end is None:
            return phases
        what = "no phase" if name is None else f"no phase {name!r}"
        raise ConflictError(f"experiment {experiment.id!r} has {what} to end; start it first")
    phase = known[-1]
    if phase.end is None and experiment.state is State.RUNNING:
        if end is not None and end < phase.start:
            raise ValueError(
                f"end: {format_time(end)} is before the start of phase {phase.name!r} at "
                f"{format_time(phase.start)}; give a time at or after it"
            )
        return ended_phases(phases, now if end is None else end)
    if end not in {None, phase.end}:
        raise ConflictError(
            f"end: phase {phase.name!r} has ended at {_said(phase.end)} already, not at "
            f"{_said(end)}; leave end out, or repeat the recorded one"
        )
    return phases


def ended_phases(phases: tuple[Phase, ...], end: float) -> tuple[Phase, ...]:
    """The phases, the last of which has ended at ``end`` if it had not before."""
    if not phases or phases[-1].end is not None:
        return phases
    return (*phases[:-1], replace(phases[-1], end=max(end, phases[-1].start)))


@dataclass(frozen=True, slots=True)
class Span:
    """The window of a phase in Unix seconds, within that of the experiment; no end: it goes on.

    Scrapes before ``since``, where the phase before ended, and after ``until``, where the next one
    began, tell of those: the window does not reach out to them. ``lead`` and ``trail`` are the
    seconds on both sides of it that are in the experiment's window and in no phase, or in the
    warm-up of this one.
    """

    phase: Phase
    start: float
    end: float | None
    since: float = -math.inf
    until: float = math.inf
    lead: float = 0.0
    trail: float = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether nothing of the phase lies in the experiment's window."""
        return self.end is not None and self.end <= self.start


def spans_of(
    phases: Sequence[Phase], start: float, end: float | None, warmup: float = 0.0
) -> tuple[Span, ...]:
    """The windows of phases in an experiment's from ``start`` to ``end``, all in seconds.

    ``warmup`` is cut off from the start of each phase.
    """
    spans = []
    for before, phase, after in zip((None, *phases), phases, (*phases[1:], None), strict=False):
        since = -math.inf if before is None or before.end is None else before.end
        until = math.inf if after is None else after.start
        ends = [time for time in (phase.end, end) if time is not None]
        span = Span(phase, max(start, phase.start + warmup), min(ends, default=None), since, until)
        lead = max(0.0, span.start - max(start, since))
        last = min(until, math.inf if end is None else end)
        trail = max(0.0, last - phase.end) if phase.end is not None else 0.0
        spans.append(replace(span, lead=lead, trail=trail))
    return tuple(spans)


class PhasedWindow(WindowAccumulator):
    """A window that shares its samples with those of the phases in it."""

    def __init__(self, start: float, end: float | None, spans: Iterable[Span]) -> None:
        super().__init__(start, end)
        self.parts = [(s, WindowAccumulator(s.start, s.end, s.since, s.until)) for s in spans]

    def feed(self, samples: Iterable[InstanceSample]) -> None:
        """See WindowAccumulator."""
        taken = tuple(samples)
        super().feed(taken)
        for _, window in self.parts:
            window.feed(taken)


def _said(time: float | None) -> str:
    return "no time" if time is None else format_time(time)


def _last_bound(experiment: Experiment) -> float:
    if not experiment.phases:
        return experiment.start
    last = experiment.phases[-1]
    return last.start if last.end is None else last.end
