"""What the handlers share."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from sloscore.api.auth import Access
from sloscore.evaluation.board import Board
from sloscore.evaluation.loop import Evaluator
from sloscore.evaluation.replica import Replica
from sloscore.experiments.store import ExperimentStore
from sloscore.settings import Settings
from sloscore.sources.routed import RoutedSource
from sloscore.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Signals:
    """What the operating system asks of the service: to stop, to read its settings again."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    hangup: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Context:
    """The parts of a running service; ``clock`` gives Unix seconds, ``started_at`` is one of them.

    A reload puts other ``settings`` in place, those that ``read_again`` gives for the current ones:
    ask for them when they are needed. ``replica`` is None where no other service shares the store.
    """

    settings: Settings
    read_again: Callable[[Settings], Settings]
    signals: Signals
    access: Access
    store: ExperimentStore
    source: RoutedSource
    board: Board
    evaluator: Evaluator
    telemetry: Telemetry
    clock: Callable[[], float]
    started_at: float
    replica: Replica | None = None


CONTEXT = web.AppKey("context", Context)
