"""The schedule: evaluate what runs, settle what has ended, and never let one hold up another."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog

from sloscore.errors import (
    ConflictError,
    SloscoreError,
    SourceDownError,
    SourceError,
    StoreError,
)
from sloscore.evaluation.background import Background
from sloscore.evaluation.baselines import Baselines
from sloscore.evaluation.board import Board
from sloscore.evaluation.finalize import Finalizer
from sloscore.evaluation.plan import Plan, plan_of
from sloscore.evaluation.tick import INTERNAL, Live, batches, broken, evaluate, report_outage
from sloscore.evaluation.traces import Traces
from sloscore.experiments.counted import CountedWindow
from sloscore.experiments.model import LIVE, Experiment, State
from sloscore.experiments.recorded import kept_samples
from sloscore.experiments.store import ExperimentStore
from sloscore.settings import EvaluationSettings
from sloscore.sources.base import RecordingSource
from sloscore.telemetry import Telemetry
from sloscore.wire import Report, to_milliseconds

_log = structlog.get_logger()
_JITTER = 0.1
# Reports that are written in a turn of the event loop, which takes a millisecond or two.
POSTED_AT_ONCE = 16


class Evaluator:
    """Keeps the board up to date with the store's live experiments."""

    def __init__(  # noqa: PLR0913, PLR0917  the parts of the service meet here
        self,
        store: ExperimentStore,
        source: RecordingSource,
        board: Board,
        settings: EvaluationSettings,
        telemetry: Telemetry,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._source = source
        self._board = board
        self._settings = settings
        self._telemetry = telemetry
        self._clock = clock
        self._running: dict[str, Live] = {}
        self._ended: dict[str, Experiment] = {}
        self._baselines = Baselines(store, self._is_live)
        self._settling: dict[str, asyncio.Task[None]] = {}
        self._background = Background(telemetry)
        self._turn = asyncio.Lock()
        self._traces = Traces()
        self._finalizer = Finalizer(
            store, source, board, telemetry, clock, self._baselines, self._traces
        )
        self._changed = asyncio.Event()
        self._resumed: frozenset[str] = frozenset()
        # Of several services that share the store: this one's number, and who shows the others.
        self.holder: int | None = None
        self.on_evaluated: Callable[[Sequence[str]], Awaitable[None]] | None = None

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The plans of the running experiments, in the order in which they were taken up."""
        return tuple(live.plan for live in self._running.values())

    @property
    def interval(self) -> float:
        """Seconds between two evaluations."""
        return self._settings.interval

    @property
    def shown_since(self) -> float:
        """Unix seconds; what ended before is not shown any more."""
        return self._clock() - self._settings.retention

    @property
    def resuming(self) -> int:
        """How many of the running experiments of the store have no report since the start."""
        return sum(self._board.get(key) is None for key in self._resumed & self._running.keys())

    def change(self, settings: EvaluationSettings) -> None:
        """Evaluate by these settings from now on; windows stay as they are."""
        self._settings = settings
        self._changed.set()

    async def resume(self) -> None:
        """Take up the live experiments of the store, and show the recently ended ones again."""
        ended = await self._store.final_since(self.shown_since)
        self.take_up([*ended, *await self._store.live()])
        self._resumed = frozenset(self._running)

    def take_up(self, experiments: Iterable[Experiment]) -> None:
        """Watch live experiments, which are evaluated at once, and show ended ones."""
        for experiment in experiments:
            if experiment.holder != self.holder:
                continue
            if experiment.report is not None:
                self._finalizer.show_again(experiment, experiment.report)
            elif experiment.state in LIVE:
                self._watch_stored(experiment)
        self._changed.set()

    def follow(self, experiment: Experiment) -> None:
        """Go by what other services made of an experiment that was this one's."""
        if experiment.holder != self.holder or experiment.state is State.ABORTED:
            self.abandon(experiment.id)
        elif experiment.state in LIVE:
            self._watch_stored(experiment)
        elif experiment.id in self._running:
            self._forget(experiment.id)

    def drop_all(self) -> None:
        """Follow and show nothing any more: others hold what was this service's."""
        for key in (*self._running, *self._ended):
            self._forget(key)
        self._board.clear()

    def _watch_stored(self, experiment: Experiment) -> None:
        try:
            self.watch(experiment)
        except (SloscoreError, ValueError) as error:
            self._telemetry.evaluation_errors.labels("spec").inc()
            _log.error(
                "experiment not resumed",
                experiment=experiment.id,
                task=experiment.task,
                error=str(error),
            )

    async def run(self) -> None:
        """Evaluate at every interval until cancelled."""
        try:
            while True:
                await self._round()
                spread = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311  nothing to guess
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), self._settings.interval * spread)
        finally:
            await self._background.stop()

    def watch(self, experiment: Experiment) -> None:
        """Follow an experiment in the state that the store has it in; idempotent.

        One that another service holds is left to that.
        """
        is_older = experiment.state is State.RUNNING and experiment.id in self._ended
        if is_older or experiment.holder != self.holder:
            return
        if experiment.state is State.RUNNING:
            live = self._running.get(experiment.id)
            if live is None:
                self._running[experiment.id] = self._restored(experiment)
            elif experiment.phases != live.phases.marked:
                live.phases.follow(experiment.phases)
                self._restore(live, experiment)
        elif experiment.state is State.SETTLING:
            self._running.pop(experiment.id, None)
            self._restored(experiment)
            self._ended[experiment.id] = experiment
            self._settle_ended()
        else:
            self._forget(experiment.id)
            self._board.wake(experiment.id)

    def _restored(self, experiment: Experiment) -> Live:
        live = Live.of(plan_of(experiment), experiment.start)
        live.phases.follow(experiment.phases)
        self._restore(live, experiment)
        return live

    def _restore(self, live: Live, experiment: Experiment) -> None:
        spans = live.phases.spans
        marks = [time for s in spans for time in (s.start, s.end) if time is not None]
        kept = kept_samples(experiment.scrapes)
        self._source.restore(live.target, kept, live.start, marks)

    def abandon(self, experiment: str) -> None:
        """Stop following an experiment that was aborted."""
        self._forget(experiment)
        self._board.remove(experiment)

    def running(self, experiment: str) -> bytes | None:
        """The newest report of a running experiment as JSON, if it has been evaluated."""
        posted = self._board.get(experiment) if experiment in self._running else None
        return None if posted is None else posted.encoded

    def counted(self, experiment: str) -> CountedWindow | None:
        """What was counted so far for a running experiment, if anything was."""
        live = self._running.get(experiment)
        if live is None or live.window is None:
            return None
        return CountedWindow(live.start, None, live.window.counts())

    async def _round(self) -> None:
        now = self._clock()
        self._telemetry.last_evaluation.set(now)
        self._telemetry.rounds.inc()
        self._telemetry.series_expired.inc(self._board.expire(now))
        overdue = [
            key
            for key, live in self._running.items()
            if now - live.start > self._settings.max_window
        ]
        for key in overdue:
            end = to_milliseconds(self._running[key].start + self._settings.max_window)
            self._background.spawn(self._end(key, end))
        self._settle_ended()
        free = [live for live in self._running.values() if not live.busy]
        self._telemetry.late.inc(len(self._running) - len(free))
        for batch in list(batches(free)):
            for live in batch:
                live.busy = True
            self._background.spawn(self._evaluate(batch))
            # Each prepares its queries before the next does, so that requests come in between.
            await asyncio.sleep(0)

    def _settle_ended(self) -> None:
        for experiment in self._ended.values():
            if experiment.id not in self._settling:
                self._settling[experiment.id] = self._background.spawn(self._settle(experiment))

    async def _evaluate(self, batch: Sequence[Live]) -> None:
        try:
            now = self._clock()
            await self._find_baselines(batch)
            with self._telemetry.evaluation_duration.time():
                found = await self._found(batch, now)
            for number, live in enumerate(batch, 1):
                self._take(live, found.get(live.target.key), now)
                if number % POSTED_AT_ONCE == 0:
                    await asyncio.sleep(0)
        finally:
            for live in batch:
                live.busy = False
        if self.on_evaluated is not None:
            await self.on_evaluated([live.target.key for live in batch])

    async def _find_baselines(self, batch: Sequence[Live]) -> None:
        for live in batch:
            try:
                live.baseline = await self._baselines.find(live.plan, live.baseline)
            except StoreError as error:
                self._telemetry.evaluation_errors.labels("store").inc()
                with _named(live.plan):
                    _log.warning("baseline not found", error=str(error))

    def _is_live(self, experiment: str) -> bool:
        return experiment in self._running or experiment in self._ended

    async def _found(self, batch: Sequence[Live], now: float) -> dict[str, Report | SourceError]:
        try:
            return await evaluate(self._source, batch, now, self._turn)
        except Exception as error:  # noqa: BLE001  each is asked for alone from now on
            return {live.target.key: broken(error) for live in batch}

    def _take(self, live: Live, found: Report | SourceError | None, now: float) -> None:
        key = live.target.key
        if found is None:
            live.alone = False
            return
        if isinstance(found, SourceError):
            # A source that is down fails for all alike; anything else may be one target's fault.
            live.taken = None
            is_down = isinstance(found, SourceDownError) or found.kind in {"unreachable", "auth"}
            live.alone = not is_down
            self._telemetry.evaluation_errors.labels(found.kind).inc()
            with _named(live.plan):
                if found.kind == INTERNAL:
                    self._traces.log(key, found)
                else:
                    _log.warning("evaluation failed", kind=found.kind, error=str(found))
            found = report_outage(live, found, now)
        else:
            live.alone = False
        if self._running.get(key) is live:
            self._board.post(key, found)

    async def _end(self, key: str, end: float) -> None:
        try:
            self.watch(await self._store.finish(key, end, self._clock()))
        except ConflictError:
            # It was ended or aborted meanwhile.
            return
        except StoreError as error:
            # The next round tries again.
            self._telemetry.evaluation_errors.labels("store").inc()
            _log.error("experiment not ended yet", experiment=key, error=str(error))

    async def _settle(self, experiment: Experiment) -> None:
        # This task's own: whatever is logged on the way names the experiment, and no request.
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(experiment=experiment.id, task=experiment.task)
        try:
            await self._finalizer.finalize(experiment, self._settings)
            self._ended.pop(experiment.id, None)
            self._traces.forget(experiment.id)
            self._source.forget(experiment.id)
        finally:
            self._settling.pop(experiment.id, None)

    def _forget(self, key: str) -> None:
        self._source.forget(key)
        self._running.pop(key, None)
        self._ended.pop(key, None)
        self._traces.forget(key)
        task = self._settling.pop(key, None)
        if task is not None:
            task.cancel()


def _named(plan: Plan) -> contextlib.AbstractContextManager[None]:
    """Logs within name the experiment of this plan and its task."""
    return structlog.contextvars.bound_contextvars(experiment=plan.experiment, task=plan.task)
