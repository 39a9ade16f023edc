"""One source over both kinds: targets with a URL are scraped, the others asked of Prometheus."""

import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from sloscore.core.samples import InstanceSample, Target
from sloscore.errors import SourceError
from sloscore.settings import ScrapeSettings
from sloscore.sources.base import Ends, MetricSource, Snapshot, SteadySource
from sloscore.sources.scrape import ScrapeSource

_NO_PROMETHEUS = (
    "no Prometheus is set: give the experiment a target, the URL of the server's metrics page"
)


class RoutedSource:
    """Sends each target to its source; ``prometheus`` is None where there is none."""

    def __init__(self, prometheus: MetricSource | None, scrape: ScrapeSource) -> None:
        self._prometheus = prometheus
        self._scrape = scrape
        # How many ask each Prometheus now; one that was replaced is closed after the last of them.
        self._asking: dict[MetricSource, int] = {}

    async def replace(self, prometheus: MetricSource | None) -> None:
        """Ask this Prometheus from now on; who asks the one before still gets its answer."""
        before, self._prometheus = self._prometheus, prometheus
        if before is not None and before not in self._asking:
            await before.close()

    def change_scrapes(self, settings: ScrapeSettings) -> None:
        """Scrape by these settings from now on."""
        self._scrape.change(settings)

    async def capture(self, target: Target) -> Snapshot:
        """See RecordingSource; Prometheus has the samples of targets without a URL."""
        return await self._scrape.capture(target) if target.url else []

    def restore(
        self,
        target: Target,
        samples: Iterable[InstanceSample],
        since: float | None = None,
        marks: Iterable[float] = (),
    ) -> None:
        """See RecordingSource."""
        if target.url:
            self._scrape.restore(target, samples, since, marks)

    def forget(self, key: str) -> None:
        """See RecordingSource."""
        self._scrape.forget(key)

    async def snapshot(
        self, targets: Sequence[Target], at: float
    ) -> Mapping[str, Snapshot | SourceError]:
        """See MetricSource."""
        scraped = [target for target in targets if target.url]
        asked = [target for target in targets if not target.url]
        found = dict(await self._scrape.snapshot(scraped, at))
        if not asked:
            return found
        try:
            async with self._in_use() as prometheus:
                found |= await prometheus.snapshot(asked, at)
        except SourceError as error:
            found |= {target.key: error for target in asked}
        return found

    async def samples(self, target: Target, after: float, until: float) -> Snapshot:
        """See MetricSource."""
        if target.url:
            return await self._scrape.samples(target, after, until)
        async with self._in_use() as prometheus:
            return await prometheus.samples(target, after, until)

    async def steady(
        self, starts: Mapping[Target, float], until: float
    ) -> Mapping[str, Ends | None]:
        """See SteadySource; what is scraped here is at hand anyway."""
        found: dict[str, Ends | None] = dict.fromkeys(target.key for target in starts)
        asked = {target: start for target, start in starts.items() if not target.url}
        if asked and self._prometheus is not None:
            async with self._in_use() as prometheus:
                if isinstance(prometheus, SteadySource):
                    found |= await prometheus.steady(asked, until)
        return found

    async def names(self, target: Target, at: float, seconds: float) -> frozenset[str]:
        """See MetricSource."""
        if target.url:
            return await self._scrape.names(target, at, seconds)
        async with self._in_use() as prometheus:
            return await prometheus.names(target, at, seconds)

    async def check(self) -> None:
        """See MetricSource."""
        if self._prometheus is not None:
            async with self._in_use() as prometheus:
                await prometheus.check()

    async def close(self) -> None:
        """See MetricSource."""
        await self._scrape.close()
        for source in {*self._asking, self._prometheus}:
            if source is not None:
                await source.close()

    @contextlib.asynccontextmanager
    async def _in_use(self) -> AsyncIterator[MetricSource]:
        source = self._prometheus
        if source is None:
            raise SourceError(_NO_PROMETHEUS, kind="bad_data")
        self._asking[source] = self._asking.get(source, 0) + 1
        try:
            yield source
        finally:
            self._asking[source] -= 1
            if not self._asking[source]:
                del self._asking[source]
                if source is not self._prometheus:
                    await source.close()
