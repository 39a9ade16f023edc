"""What the handlers share."""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from sloscore.evaluation.board import Board
from sloscore.evaluation.loop import Evaluator
from sloscore.experiments.store import ExperimentStore
from sloscore.settings import Settings
from sloscore.sources.base import RecordingSource
from sloscore.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of a running service; ``clock`` gives Unix seconds, ``started_at`` is one of them."""

    settings: Settings
    store: ExperimentStore
    source: RecordingSource
    board: Board
    evaluator: Evaluator
    telemetry: Telemetry
    clock: Callable[[], float]
    started_at: float


CONTEXT = web.AppKey("context", Context)
