"""One evaluation: running experiments that share a query, from one snapshot to their reports."""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sloscore.core.samples import Family, Target
from sloscore.errors import SourceError
from sloscore.evaluation.baselines import NOT_FOUND_YET, Found
from sloscore.evaluation.comparison import compare_window
from sloscore.evaluation.live_phases import LivePhases
from sloscore.evaluation.phased import report_unseen, with_phases
from sloscore.evaluation.plan import Plan
from sloscore.evaluation.recognise import with_server_soon
from sloscore.evaluation.replay import FRESH_SECONDS, catch_up, open_window, resumed
from sloscore.evaluation.report import report_window
from sloscore.evaluation.stop import EarlyStop
from sloscore.experiments.counted import CountedWindow
from sloscore.experiments.window import WindowAccumulator
from sloscore.sources.base import MetricSource, Snapshot
from sloscore.wire import Report

BATCH = 200
INTERNAL = "internal"
_NONE_LEFT = (
    "the metric source shows nothing any more of what the selector matched: is it still scraped? "
    "What was counted before is kept"
)


@dataclass(slots=True)
class Live:
    """A running experiment as the evaluation knows it; ``start`` of its window is Unix seconds.

    ``alone`` keeps it out of shared queries after one that it was part of failed. ``baseline`` is
    what it is compared with, if it wants that. ``taken`` is what its last report was
    made of, if nothing else has been reported since.
    """

    plan: Plan
    start: float
    phases: LivePhases
    window: WindowAccumulator | None = None
    busy: bool = False
    alone: bool = False
    stop: EarlyStop | None = None
    baseline: Found | None = None
    taken: tuple[Snapshot, Found | None] | None = None

    @classmethod
    def of(cls, plan: Plan, load_start: float) -> "Live":
        """An experiment whose load began at this time; its window begins after the warm-up."""
        start = load_start + plan.warmup
        rules = plan.rules
        wanted = rules.early_stop
        stop = None if wanted is None else EarlyStop(wanted, rules.limits, start, rules.phases)
        return cls(plan, start, LivePhases(start, rules.phases.warmup), stop=stop)

    @property
    def target(self) -> Target:
        """What the source is asked for."""
        return self.plan.target

    def is_due(self, now: float) -> bool:
        """Whether more than a snapshot is needed: a baseline, or what an ended phase counted."""
        return self.window is None or self.phases.is_due(now)


def batches(running: Iterable[Live]) -> Iterator[list[Live]]:
    """Experiments that can share a query, in groups of bounded size."""
    groups: dict[tuple[tuple[Family, ...], tuple[str, ...]], list[Live]] = {}
    for live in running:
        if live.alone:
            yield [live]
        else:
            labels = tuple(name for name, _ in live.target.selector)
            groups.setdefault((live.target.families, labels), []).append(live)
    for group in groups.values():
        for position in range(0, len(group), BATCH):
            yield group[position : position + BATCH]


async def evaluate(
    source: MetricSource, batch: Sequence[Live], now: float, turn: asyncio.Lock | None = None
) -> dict[str, Report | SourceError]:
    """New reports of a batch at ``now`` (Unix seconds), by experiment id.

    An experiment of which no scrape came since its last report has no new one. A failure is the value of those experiments that it hit. Batches that share a ``turn`` make
    their reports one batch after the other.
    """
    warming = [live for live in batch if now < live.start]
    due = [live for live in batch if now >= live.start and live.is_due(now)]
    known = await _resume(source, due, now)
    prepared = await asyncio.gather(*(_prepare(source, live, now) for live in due))
    found: dict[str, Report | SourceError] = {
        live.target.key: error
        for live, error in zip(due, prepared, strict=True)
        if error is not None
    }
    found |= {live.target.key: _report_warmup(live, now) for live in warming}
    ready = [live for live in batch if live.window is not None and live.target.key not in found]
    asked = [live.target for live in ready if live.target.key not in known]
    snapshots = {**known, **await source.snapshot(asked, now)}
    async with turn or contextlib.nullcontext():
        for live in ready:
            snapshot = snapshots[live.target.key]
            if _is_reported(live, snapshot):
                continue
            live.taken = None
            if isinstance(snapshot, SourceError):
                found[live.target.key] = snapshot
            elif not snapshot and live.window is not None and live.window.knows_instances:
                # What was counted before would look as if it were of now.
                found[live.target.key] = report_unseen(
                    live.plan, _NONE_LEFT, (live.start, None), live.phases.spans, now=now
                )
            elif live.window is not None:
                found[live.target.key] = _take(live, live.window, snapshot, now)
            # A request takes several turns of the event loop: none may hold more than one report.
            await asyncio.sleep(0)
    return found


def _report_warmup(live: Live, now: float) -> Report:
    reason = f"still in the warm-up of {live.plan.warmup:g} s"
    return report_unseen(live.plan, reason, (live.start, None), live.phases.spans, now=now)


def report_outage(live: Live, error: SourceError, now: float) -> Report:
    """The report of an experiment whose source did not answer: never older numbers as new ones."""
    said = str(error) if error.kind == INTERNAL else f"the metric source failed: {error}"
    return report_unseen(live.plan, said, (live.start, None), live.phases.spans, now=now)


def broken(error: Exception) -> SourceError:
    """What nobody expected, as the failure of one experiment; its cause has the trace."""
    failure = SourceError(
        f"the evaluation broke, which the service's log explains: {type(error).__name__}: {error}",
        kind=INTERNAL,
    )
    failure.__cause__ = error
    return failure


async def _resume(source: MetricSource, due: Sequence[Live], now: float) -> dict[str, Snapshot]:
    """Open the windows that are older than a snapshot can tell, as far as that is done at once.

    Gives the snapshots that were taken for that, by experiment id.
    """
    old = [
        live
        for live in due
        if live.window is None and not live.plan.is_open and now - live.start > FRESH_SECONDS
    ]
    try:
        windows = await resumed(source, {live.target: live.start for live in old}, now)
    except Exception:  # noqa: BLE001  each is opened by itself then, and tells what breaks
        return {}
    for live in old:
        if (found := windows.get(live.target.key)) is not None:
            live.window = found.window
    return {key: found.last for key, found in windows.items()}


async def _prepare(source: MetricSource, live: Live, now: float) -> SourceError | None:
    try:
        if live.window is None:
            live.window = await _open(source, live, now)
        await live.phases.prepare(source, live.target, now)
    except SourceError as error:
        return error
    except Exception as error:  # noqa: BLE001  one experiment must not cost the others theirs
        return broken(error)
    return None


async def _open(source: MetricSource, live: Live, now: float) -> WindowAccumulator:
    live.plan = await with_server_soon(source, live.plan, live.start, now)
    window = await open_window(source, live.target, live.start)
    if now - live.start > FRESH_SECONDS:
        await catch_up(source, live.target, window, now)
    return window


def _is_reported(live: Live, snapshot: Snapshot | SourceError) -> bool:
    """Whether the last report was made of the very same snapshot.

    Not where there are phases: one can begin and end between two scrapes.
    """
    if live.taken is None or live.phases.spans:
        return False
    reported, baseline = live.taken
    return reported is snapshot and baseline is live.baseline


def _take(
    live: Live, window: WindowAccumulator, snapshot: Snapshot, now: float
) -> Report | SourceError:
    try:
        window.feed(snapshot)
        live.phases.feed(snapshot)
        counts = window.counts()
        whole = report_window(live.plan, counts, (live.start, None), now=now)
        report = with_phases(live.plan, whole, live.phases.parts(live.plan, now))
        changes: dict[str, object] = {}
        if decision := live.stop and live.stop.decide(counts, live.phases, now):
            changes["decision"] = decision
        if live.plan.spec.baseline is not None:
            counted = CountedWindow(live.start, None, counts)
            baseline = live.baseline or NOT_FOUND_YET
            changes["comparison"] = compare_window(live.plan, counted, baseline, now=now)
        if changes:
            report = report.model_copy(update=changes)
    except ValueError as error:
        # What one server exposes must not cost the others of the batch their reports.
        return SourceError(f"the samples cannot be scored: {error}", kind="decode")
    except Exception as error:  # noqa: BLE001  as in _prepare
        return broken(error)
    live.taken = snapshot, live.baseline
    return report
