"""Many past windows of one deployment, each scored by itself."""

import asyncio
import contextlib
import math
from collections import Counter, deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field, field_validator

from sloscore.core.objective import Direction
from sloscore.core.scoring import Status
from sloscore.core.verdict import Verdict
from sloscore.errors import SourceError, SpecError
from sloscore.evaluation.past import score_past
from sloscore.evaluation.plan import Plan, plan_window
from sloscore.evaluation.recognise import with_server
from sloscore.evaluation.report import report_failure
from sloscore.settings import EvaluationSettings
from sloscore.settings_base import Duration
from sloscore.sources.base import MetricSource
from sloscore.wire import Report, ScoreRequest, SliReport, TimeRange, format_time

MAX_WINDOWS: Final = 10_000
ERROR: Final = "ERROR"
# Each window takes a few queries; a Prometheus that others use must not feel a backtest.
_AT_ONCE: Final = 4
_NOTHING_SEEN: Final = "the selector matched no series in the window"


class Window(TimeRange):
    """A past window to score, with a name where it was given one."""

    name: Annotated[str, Field(min_length=1, max_length=128)] | None = None

    @field_validator("name")
    @classmethod
    def _is_printable(cls, name: str | None) -> str | None:
        if name is not None and not name.isprintable():
            raise ValueError(f"must be printable characters, got {name!a}")
        return name

    @property
    def seconds(self) -> float:
        """Its length."""
        return round(self.end - self.start, 3)

    @property
    def label(self) -> str:
        """Its name, else when it began and how long it was."""
        return self.name or f"{format_time(self.start).replace('.000Z', 'Z')} +{self.seconds:g}s"


class Schedule(TimeRange):
    """A window every so often, each ``length`` long, by default ``every``; in seconds."""

    every: Duration
    length: Duration | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A scored window: its report, or what kept it from being scored."""

    window: Window
    report: Report | None = None
    failure: SourceError | SpecError | None = None

    @property
    def status(self) -> str:
        """The report's status, ``ERROR`` where there is none."""
        return ERROR if self.report is None else self.report.status

    @property
    def reason(self) -> str | None:
        """Why there is no score, or why it is infinite."""
        return str(self.failure) if self.report is None else self.report.reason


@dataclass(frozen=True, slots=True)
class Summary:
    """What a backtest came to: windows by their status, and the best of those that scored."""

    scored: int
    failed: int
    no_data: int
    errors: int
    best: Row | None

    @property
    def hard_violation_share(self) -> float | None:
        """Share of windows that broke a hard SLO among those with data; None without any."""
        known = self.scored + self.failed
        return self.failed / known if known else None


def windows_every(schedule: Schedule) -> tuple[Window, ...]:
    """The windows of a schedule that end within it.

    Raises SpecError where none fits, or more than MAX_WINDOWS do.
    """
    length = schedule.every if schedule.length is None else schedule.length
    start, end, step, size = (
        round(seconds * 1000) for seconds in (schedule.start, schedule.end, schedule.every, length)
    )
    if size > end - start:
        raise SpecError([f"length: {length:g} s do not fit into {(end - start) / 1000:g} s"])
    count = (end - start - size) // step + 1
    if count > MAX_WINDOWS:
        raise SpecError([f"every: makes {count} windows; at most {MAX_WINDOWS} are allowed"])
    begins = (start + index * step for index in range(count))
    return tuple(Window(start=begin / 1000, end=(begin + size) / 1000) for begin in begins)


def problem_of(window: TimeRange, longest: float, warmup: float, now: float) -> str | None:
    """Why this window cannot be scored, if so; all in seconds."""
    seconds = window.end - window.start
    if window.end > now:
        return "end: lies in the future; only past windows can be scored"
    if seconds > longest:
        return (
            f"the window of {seconds:g} s is longer than the {longest:g} s that are allowed "
            "(evaluation.max_window)"
        )
    if seconds <= warmup:
        return f"slo.warmup: {warmup:g} s leave nothing of the window of {seconds:g} s"
    return None


async def backtest(
    source: MetricSource,
    request: ScoreRequest,
    windows: Iterable[Window],
    settings: EvaluationSettings,
    now: float,
) -> AsyncGenerator[Row, None]:
    """A row for each window, in their order, as soon as it and those before it are scored.

    A window that fails is a row with its failure. Raises SourceError where the source does not
    answer at all; close the generator to call off what is under way.
    """
    waiting: deque[asyncio.Task[Row]] = deque()
    try:
        for window in windows:
            waiting.append(asyncio.create_task(_row(source, request, window, settings, now)))
            if len(waiting) == _AT_ONCE:
                yield await waiting.popleft()
        while waiting:
            yield await waiting.popleft()
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def with_server_of(source: MetricSource, request: ScoreRequest, rows: Iterable[Row]) -> Plan:
    """The plan of what was scored; it stays open where no row tells which server it is."""
    plan = plan_window(request)
    seen = (r.window for r in rows if r.report and r.report.window and r.report.window.instances)
    window = next(seen, None)
    if window is not None:
        # All is scored by now, and must not be lost.
        with contextlib.suppress(SourceError, SpecError):
            plan = await with_server(source, plan, window.start, window.end)
    return plan


def summarise(rows: Sequence[Row], direction: Direction) -> Summary:
    """The counts of all rows; of equal scores the first is the best."""
    counts = Counter(row.status for row in rows)
    sign = -1.0 if direction is Direction.MAXIMIZE else 1.0
    scored = [row for row in rows if row.status == Status.SUCCESS]
    return Summary(
        scored=len(scored),
        failed=counts[Status.FAILED],
        no_data=counts[Status.NO_DATA],
        errors=counts[ERROR],
        best=min(scored, key=lambda row: sign * _score(row), default=None),
    )


def worst_sli(report: Report) -> SliReport | None:
    """The SLI that failed hard, else the one furthest past its threshold or closest to it."""
    known = [sli for sli in report.slis if sli.violation_ratio is not None]
    return max(known, key=_badness, default=None)


def _score(row: Row) -> float:
    score = row.report.score if row.report else None
    return math.nan if score is None else score


def _badness(sli: SliReport) -> tuple[bool, float]:
    return sli.verdict is Verdict.HARD_FAIL, sli.violation_ratio or 0.0


async def _row(
    source: MetricSource,
    request: ScoreRequest,
    window: Window,
    settings: EvaluationSettings,
    now: float,
) -> Row:
    request = request.model_copy(update={"window": window})
    try:
        try:
            return Row(window, await score_past(source, request, settings, now))
        except SpecError as error:
            return await _unread(source, request, window, error, now)
    except SourceError as error:
        # One query may be too much for a source; one that is away would fail every window.
        await source.check()
        return Row(window, failure=error)


async def _unread(
    source: MetricSource, request: ScoreRequest, window: Window, error: SpecError, now: float
) -> Row:
    """No data where nothing was there by which a server could be recognised, else the mistake."""
    plan = plan_window(request)
    if plan.is_open and not await source.names(plan.target, window.end, window.seconds):
        span = (window.start, window.end)
        return Row(window, report_failure(plan, _NOTHING_SEEN, span, now=now))
    return Row(window, failure=error)
