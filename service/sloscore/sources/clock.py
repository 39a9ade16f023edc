"""A Prometheus is believed only while it answers, and tells the same time as this machine."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from sloscore.core.samples import Target
from sloscore.errors import SourceDownError, SourceError
from sloscore.sources.base import Ends, Snapshot
from sloscore.sources.prometheus import PrometheusSource

# A reading holds for this long, so that those who are settled at once do not ask each for itself.
_FRESH_SECONDS = 1.0

OnOffset = Callable[[float | None], None]
"""Told of each reading: seconds that Prometheus' clock is ahead, None where it did not answer."""


class PunctualSource:
    """Answers what a Prometheus answers while its clock and this machine's agree.

    Windows begin and end by this machine's clock and samples are stamped by Prometheus': where the
    two differ by more than ``max_skew`` seconds, a window holds requests of another time. The one
    small query for the time goes ahead of the others, so that a Prometheus that is down or that
    refuses everything is asked nothing else; its error is a SourceDownError.
    """

    def __init__(
        self,
        source: PrometheusSource,
        max_skew: float,
        clock: Callable[[], float],
        on_offset: OnOffset,
    ) -> None:
        self._source = source
        self._max_skew = max_skew
        self._clock = clock
        self._on_offset = on_offset
        self._reading: asyncio.Task[SourceDownError | None] | None = None
        self._agreed_at = -_FRESH_SECONDS

    async def snapshot(
        self, targets: Sequence[Target], at: float
    ) -> Mapping[str, Snapshot | SourceError]:
        """See MetricSource."""
        try:
            await self._agree()
        except SourceDownError as error:
            return {target.key: error for target in targets}
        return await self._source.snapshot(targets, at)

    async def samples(self, target: Target, after: float, until: float) -> Snapshot:
        """See MetricSource."""
        await self._agree()
        return await self._source.samples(target, after, until)

    async def steady(
        self, starts: Mapping[Target, float], until: float
    ) -> Mapping[str, Ends | None]:
        """See SteadySource."""
        try:
            await self._agree()
        except SourceDownError:
            return dict.fromkeys(target.key for target in starts)
        return await self._source.steady(starts, until)

    async def names(self, target: Target, at: float, seconds: float) -> frozenset[str]:
        """See MetricSource."""
        await self._agree()
        return await self._source.names(target, at, seconds)

    async def check(self) -> None:
        """See MetricSource; raises SourceDownError, of kind ``clock`` where the clocks differ."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        if (error := await asyncio.shield(self._reading)) is not None:
            raise error

    async def close(self) -> None:
        """See MetricSource."""
        if self._reading is not None:
            self._reading.cancel()
        await self._source.close()

    async def _agree(self) -> None:
        if time.monotonic() - self._agreed_at >= _FRESH_SECONDS:
            await self.check()

    async def _read(self) -> SourceDownError | None:
        try:
            offset = await self._source.offset(self._clock)
        except SourceError as error:
            self._on_offset(None)
            return SourceDownError(str(error), kind=error.kind)
        self._on_offset(offset.seconds)
        if offset.least > self._max_skew:
            side = "ahead of" if offset.seconds > 0 else "behind"
            return SourceDownError(
                f"the clocks differ: Prometheus' is {abs(offset.seconds):.1f} s {side} this "
                "machine's, so that windows would hold requests of another time; keep both "
                "machines in time (NTP), or allow more (prometheus.max_clock_skew)",
                kind="clock",
            )
        self._agreed_at = time.monotonic()
        return None
