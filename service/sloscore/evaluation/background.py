"""Work that goes on by itself: held until it is done, and told of where it breaks."""

import asyncio
from collections.abc import Coroutine

import structlog

from sloscore.telemetry import Telemetry

_log = structlog.get_logger()


class Background:
    """The tasks of one evaluator."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Begin it; an error that it raises is counted and logged."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._reap)
        return task

    async def stop(self) -> None:
        """Cancel what is not done, and wait for its end."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _reap(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._telemetry.evaluation_errors.labels("internal").inc()
            _log.error("evaluation broke", exc_info=error)
