"""The end of an experiment: its final report is stored and shown, whatever fails on the way."""

import asyncio
from collections.abc import Callable, Mapping

import orjson
import structlog

from sloscore.evaluation.baselines import Baselines
from sloscore.evaluation.board import Board
from sloscore.evaluation.phased import report_unseen
from sloscore.evaluation.plan import plan_of
from sloscore.evaluation.settle import FINAL_STATE, Settled, settle
from sloscore.evaluation.tick import INTERNAL, broken
from sloscore.evaluation.traces import Traces
from sloscore.experiments.counted import documents_of
from sloscore.experiments.model import Experiment
from sloscore.experiments.phases import spans_of
from sloscore.experiments.store import ExperimentStore
from sloscore.settings import EvaluationSettings
from sloscore.sources.base import RecordingSource
from sloscore.telemetry import Telemetry
from sloscore.wire import Report

_log = structlog.get_logger()
_RETRY_SECONDS = 1.0


class Finalizer:
    """Makes the final reports of ended experiments."""

    def __init__(  # noqa: PLR0913, PLR0917  the parts of the service meet here
        self,
        store: ExperimentStore,
        source: RecordingSource,
        board: Board,
        telemetry: Telemetry,
        clock: Callable[[], float],
        baselines: Baselines,
        traces: Traces,
    ) -> None:
        self._store = store
        self._source = source
        self._board = board
        self._telemetry = telemetry
        self._clock = clock
        self._baselines = baselines
        self._traces = traces

    async def finalize(self, experiment: Experiment, settings: EvaluationSettings) -> None:
        """Store and show the final report, however often the store fails meanwhile.

        It is not shown where another service holds the experiment by then.
        """
        settled = await self._settled(experiment, settings)
        report, counted = settled.report, settled.counted
        counts = None if counted is None else documents_of(counted, settled.phases)
        state = FINAL_STATE[report.status]
        while True:
            now = self._clock()
            try:
                if counted is not None:
                    comparison = await self._baselines.compare(experiment, counted, now)
                    report = report.model_copy(update={"comparison": comparison})
                document = orjson.loads(report.model_dump_json())
                stored = await self._store.finalize(
                    experiment.id, state, document, report.score, now, counts, experiment.holder
                )
                break
            except Exception as error:  # noqa: BLE001  a full disk must not lose the score
                self._telemetry.evaluation_errors.labels("store").inc()
                _log.error("score not stored yet", error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
        if stored.report is None or stored.holder != experiment.holder:
            self._board.remove(experiment.id)
            return
        final = Report.model_validate(stored.report)
        # Those who wait are woken by the next line, and need not all ask the store.
        self._board.finals.keep(experiment.id, stored.report)
        self._board.post_final(experiment.id, final, stored.updated_at)
        _log.info("experiment ended", state=stored.state)

    def show_again(self, experiment: Experiment, document: Mapping[str, object]) -> None:
        """Show a final report as it was stored, if this release can read it."""
        try:
            report = Report.model_validate(document)
        except ValueError as error:
            # Another release wrote it; the API answers it as it is stored.
            _log.warning(
                "report not shown",
                experiment=experiment.id,
                task=experiment.task,
                error=str(error),
            )
            return
        self._board.post_final(experiment.id, report, experiment.updated_at)

    async def _settled(self, experiment: Experiment, settings: EvaluationSettings) -> Settled:
        plan = plan_of(experiment)
        try:
            return await settle(self._source, plan, experiment, settings, self._clock)
        except Exception as error:  # noqa: BLE001  it would break again: no data is its end
            failure = broken(error)
            self._telemetry.evaluation_errors.labels(INTERNAL).inc()
            self._traces.log(experiment.id, failure)
            span = (experiment.start + plan.warmup, experiment.end)
            spans = spans_of(experiment.phases, *span, plan.rules.phases.warmup)
            return Settled(report_unseen(plan, str(failure), span, spans, now=self._clock()))
