"""One of several services that share a store: it evaluates what it holds the lease of."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import structlog

from sloscore.errors import StoreError
from sloscore.evaluation.board import Board
from sloscore.evaluation.loop import Evaluator
from sloscore.experiments.counted import document_of
from sloscore.experiments.leases import Leases, LiveReport
from sloscore.sharding import shard_of
from sloscore.telemetry import Telemetry

_log = structlog.get_logger()
# An experiment whose holder dies is to be evaluated again within two intervals: one may have passed
# since the last time, up to LEASE until the lease ends, and up to SYNC until another one looks.
_SYNC: Final = 0.1
_LEASE: Final = 0.5
_LONGEST_SYNC: Final = 1.0
_SHORTEST_SYNC: Final = 0.1
_SHORTEST_LEASE: Final = 1.0
# Taking up takes time in which the lease is not renewed.
_CLAIMED_AT_ONCE: Final = 500


class Replica:
    """Keeps the evaluator to what this service holds, and the service's lease alive."""

    def __init__(
        self, leases: Leases, evaluator: Evaluator, board: Board, telemetry: Telemetry
    ) -> None:
        self.leases = leases
        self._evaluator = evaluator
        self._board = board
        self._telemetry = telemetry
        self._number = 0
        self._numbers: list[int] = []
        self._valid_until = 0.0
        # Held live experiments, and when each was changed last, as the store had them last.
        self._known: dict[str, float] = {}

    @property
    def is_valid(self) -> bool:
        """Whether nobody else can have claimed what this service holds."""
        return time.monotonic() < self._valid_until

    @property
    def leads(self) -> bool:
        """Whether it is the oldest of the services, which exports what is nobody's own."""
        return self.is_valid and self._numbers[:1] == [self._number]

    async def join(self) -> None:
        """Draw a number, and claim what nobody holds; raises StoreError."""
        await self._draw()
        await self._claim()

    async def leave(self) -> None:
        """Let others claim at once what this service holds."""
        self._valid_until = 0.0
        try:
            await self.leases.leave(self._number)
        except StoreError as error:
            _log.warning("lease not given back", error=str(error))

    async def run(self) -> None:
        """Renew the lease, claim what nobody holds and follow changes until cancelled."""
        while True:
            try:
                await self._sync()
            except StoreError as error:
                self._telemetry.evaluation_errors.labels("store").inc()
                _log.warning("lease not renewed", error=str(error))
            except Exception:  # noqa: BLE001  a lease that is renewed no more would cost all the others
                self._telemetry.evaluation_errors.labels("internal").inc()
                _log.exception("lease not renewed")
            interval = self._evaluator.interval
            await asyncio.sleep(min(_LONGEST_SYNC, max(_SHORTEST_SYNC, _SYNC * interval)))

    async def _draw(self) -> None:
        began, seconds = time.monotonic(), self._lease_seconds()
        self._number = await self.leases.join(seconds)
        self._valid_until = began + seconds
        self._known = {}
        self._evaluator.holder = self._number
        self._evaluator.on_evaluated = self._publish
        _log.info("joined", replica=self._number)

    async def _sync(self) -> None:
        began, seconds = time.monotonic(), self._lease_seconds()
        if await self.leases.renew(self._number, seconds):
            self._valid_until = began + seconds
        else:
            _log.warning("lease lost", replica=self._number)
            self._evaluator.drop_all()
            await self._draw()
        await self._claim()
        await self._follow()
        if awaited := self._board.awaited:
            for experiment in await self.leases.ended(awaited):
                self._board.wake(experiment)
        if self.leads:
            await self.leases.clear()

    async def _claim(self) -> None:
        self._numbers = await self.leases.numbers()
        orphans = await self.leases.orphans(self._evaluator.shown_since)
        # Each service takes a part of its own; what one leaves behind changes the parts of the rest.
        position = self._numbers.index(self._number) if self._number in self._numbers else None
        mine = [key for key in orphans if shard_of(key, len(self._numbers)) == position]
        if mine:
            claimed = await self.leases.claim(self._number, mine[:_CLAIMED_AT_ONCE])
            self._evaluator.take_up(claimed)
            _log.info("experiments claimed", replica=self._number, experiments=len(claimed))

    async def _follow(self) -> None:
        held = await self.leases.held(self._number)
        changed = [key for key, at in held.items() if self._known.get(key) != at]
        gone = [key for key in self._known if key not in held]
        if changed or gone:
            for experiment in await self.leases.some([*changed, *gone]):
                self._evaluator.follow(experiment)
        self._known = held

    async def _publish(self, experiments: Sequence[str]) -> None:
        """Let the other services show the newest reports of these."""
        number, reports = self._number, []
        for key in experiments:
            report, counted = self._evaluator.running(key), self._evaluator.counted(key)
            if report is not None:
                counts = None if counted is None else document_of(counted)
                reports.append(LiveReport(key, report.decode(), counts))
            # Requests are answered in between.
            await asyncio.sleep(0)
        try:
            # The next ones are newer.
            async with asyncio.timeout(self._evaluator.interval):
                await self.leases.publish(number, reports)
        except (StoreError, TimeoutError) as error:
            self._telemetry.evaluation_errors.labels("store").inc()
            _log.warning("reports not published", error=str(error))

    def _lease_seconds(self) -> float:
        return max(_SHORTEST_LEASE, _LEASE * self._evaluator.interval)
