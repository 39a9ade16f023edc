"""One source over both kinds: targets with a URL are scraped, the others asked of Prometheus."""

from collections.abc import Iterable, Mapping, Sequence

from sloscore.core.samples import InstanceSample, Target
from sloscore.errors import SourceError
from sloscore.sources.base import MetricSource, Snapshot
from sloscore.sources.scrape import ScrapeSource

_NO_PROMETHEUS = (
    "no Prometheus is set: give the experiment a target, the URL of the server's metrics page"
)


class RoutedSource:
    """Sends each target to its source; ``prometheus`` is None where there is none."""

    def __init__(self, prometheus: MetricSource | None, scrape: ScrapeSource) -> None:
        self._prometheus = prometheus
        self._scrape = scrape

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
        if asked and self._prometheus is None:
            missing = SourceError(_NO_PROMETHEUS, kind="bad_data")
            return found | {target.key: missing for target in asked}
        if asked and self._prometheus is not None:
            found |= await self._prometheus.snapshot(asked, at)
        return found

    async def samples(self, target: Target, after: float, until: float) -> Snapshot:
        """See MetricSource."""
        if target.url:
            return await self._scrape.samples(target, after, until)
        if self._prometheus is None:
            raise SourceError(_NO_PROMETHEUS, kind="bad_data")
        return await self._prometheus.samples(target, after, until)

    async def names(self, target: Target, at: float, seconds: float) -> frozenset[str]:
        """See MetricSource."""
        if target.url:
            return await self._scrape.names(target, at, seconds)
        if self._prometheus is None:
            raise SourceError(_NO_PROMETHEUS, kind="bad_data")
        return await self._prometheus.names(target, at, seconds)

    async def check(self) -> None:
        """See MetricSource."""
        if self._prometheus is not None:
            await self._prometheus.check()

    async def close(self) -> None:
        """See MetricSource."""
        await self._scrape.close()
        if self._prometheus is not None:
            await self._prometheus.close()
