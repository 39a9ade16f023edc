"""The metric source that needs no Prometheus: it scrapes the servers' own /metrics pages."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp

from sloscore.core.samples import InstanceSample, Target
from sloscore.errors import SourceError
from sloscore.settings import ScrapeSettings
from sloscore.sources.base import OnQuery, Snapshot
from sloscore.sources.exposition import names_on, read_page
from sloscore.sources.history import History
from sloscore.sources.resolver import Resolver
from sloscore.sources.scrapes import Instance

# Exporters of Python answer OpenMetrics to whoever names it, with names that their types do not fit.
_ACCEPT = "text/plain;version=0.0.4,*/*;q=0.1"


@dataclass(slots=True)
class _Followed:
    target: Target
    history: History
    failure: SourceError | None = None
    task: asyncio.Task[None] | None = None
    # Pages that are asked for at once may be made in another order, and would seem to fall.
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class ScrapeSource:
    """Records samples of the targets that it follows, each by its own URL.

    A target is followed from ``restore`` on, with a scrape at once and every ``interval`` seconds
    until it is forgotten; ``snapshot`` and ``samples`` answer from what was recorded. A scrape's
    time is when it was asked for, so that the page is never older.
    """

    def __init__(
        self,
        settings: ScrapeSettings,
        on_query: OnQuery | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._on_query = on_query
        self._clock = clock
        self._followed: dict[str, _Followed] = {}
        self._slots = asyncio.Semaphore(settings.max_concurrency)
        self._resolver = Resolver(self._admits)
        self._session: aiohttp.ClientSession | None = None

    def change(self, settings: ScrapeSettings) -> None:
        """Scrape by these settings from now on; what was recorded stays."""
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.max_concurrency)

    async def capture(self, target: Target) -> Snapshot:
        """A sample of a target taken now, which is not recorded; raises SourceError."""
        followed = self._followed.get(target.key)
        async with contextlib.nullcontext() if followed is None else followed.turn:
            _, sample = await self._scrape(target)
        if isinstance(sample, SourceError):
            raise sample
        return [sample]

    def restore(
        self,
        target: Target,
        samples: Iterable[InstanceSample],
        since: float | None = None,
        marks: Iterable[float] = (),
    ) -> None:
        """See RecordingSource."""
        followed = self._followed.get(target.key)
        if followed is None:
            followed = self._followed[target.key] = _Followed(target, History(since))
            followed.task = asyncio.create_task(self._keep_scraping(followed))
        followed.history.mark(marks)
        followed.history.add(samples)

    def forget(self, key: str) -> None:
        """Scrape a target no more, and drop what was recorded of it."""
        followed = self._followed.pop(key, None)
        if followed is not None and followed.task is not None:
            followed.task.cancel()

    async def snapshot(
        self, targets: Sequence[Target], at: float
    ) -> Mapping[str, Snapshot | SourceError]:
        """See MetricSource; a target that never answered is an error."""
        found: dict[str, Snapshot | SourceError] = {}
        for target in targets:
            followed = self._followed.get(target.key)
            if followed is None:
                found[target.key] = SourceError(f"{target.url} is not followed", kind="bad_data")
                continue
            if followed.failure is not None and not followed.history.has_answer:
                found[target.key] = followed.failure
            else:
                found[target.key] = followed.history.newest(at)
        return found

    async def samples(self, target: Target, after: float, until: float) -> Snapshot:
        """See MetricSource."""
        followed = self._followed.get(target.key)
        if followed is None:
            raise SourceError(f"{target.url} is not followed", kind="bad_data")
        return followed.history.between(after, until)

    async def names(self, target: Target, at: float, seconds: float) -> frozenset[str]:
        """See MetricSource; those that the page shows now."""
        del at, seconds
        text, _ = await self._page(target.url or "")
        return names_on(text)

    async def check(self) -> None:
        """Nothing to check: there is no server but the targets."""

    async def close(self) -> None:
        """Stop all scrapes and close all connections."""
        tasks = [followed.task for followed in self._followed.values() if followed.task]
        for key in tuple(self._followed):
            self.forget(key)
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        await self._resolver.close()

    async def _keep_scraping(self, followed: _Followed) -> None:
        while True:
            async with followed.turn:
                at, sample = await self._scrape(followed.target)
            if not isinstance(sample, SourceError):
                followed.failure = None
                followed.history.add([sample])
            else:
                followed.failure = sample
                if sample.kind != "timeout":
                    # A server that is too busy to answer is not gone: the next scrape counts.
                    gone = InstanceSample(_instance_of(followed.target), at, up=False)
                    followed.history.add([gone])
            await asyncio.sleep(followed.target.scrape_interval or self._settings.interval)

    async def _scrape(self, target: Target) -> tuple[float, InstanceSample | SourceError]:
        """A sample, or why there is none, and the Unix time at which it was asked for."""
        async with self._slots:
            began, at = time.perf_counter(), self._clock()
            sample: InstanceSample | SourceError
            try:
                sample = await self._fetch(target, at)
            except SourceError as error:
                sample = error
        if self._on_query is not None:
            kind = sample.kind if isinstance(sample, SourceError) else None
            self._on_query("scrape", time.perf_counter() - began, kind)
        return at, sample

    async def _fetch(self, target: Target, at: float) -> InstanceSample:
        text, content_type = await self._page(target.url or "")
        instance = _instance_of(target)
        return await asyncio.to_thread(read_page, text, content_type, target, instance, at)

    async def _page(self, url: str) -> tuple[str, str]:
        if refusal := self._settings.why_not(url):
            raise SourceError(refusal, kind="bad_data")
        try:
            async with asyncio.timeout(self._settings.timeout):
                return await self._get(url)
        except TimeoutError:
            seconds = self._settings.timeout
            raise SourceError(
                f"{url} did not answer within {seconds:g} s (scrape.timeout)", kind="timeout"
            ) from None
        except UnicodeDecodeError as error:
            raise SourceError(f"the page at {url} is not UTF-8: {error}", kind="decode") from error
        except (aiohttp.ClientError, OSError) as error:
            cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
            reason = (isinstance(cause, OSError) and cause.strerror) or str(cause) or repr(cause)
            raise SourceError(f"cannot scrape {url}: {reason}", kind="unreachable") from error

    def _admits(self, name: str, port: int, address: str) -> bool:
        return self._settings.admits(name, port, address)

    async def _get(self, url: str) -> tuple[str, str]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=self._resolver),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        async with self._session.get(
            url, headers={"Accept": _ACCEPT}, allow_redirects=False
        ) as answer:
            if answer.status != 200:
                raise SourceError(f"{url} answered HTTP {answer.status}, not a page", kind="http")
            body = bytearray()
            async for part in answer.content.iter_any():
                body += part
                if len(body) > self._settings.max_page_bytes:
                    raise SourceError(
                        f"the page at {url} is larger than {self._settings.max_page_bytes} bytes "
                        "(scrape.max_page_bytes)",
                        kind="too_large",
                    )
            is_bounded = answer.content_length is not None or "Transfer-Encoding" in answer.headers
            if body and not is_bounded and not body.endswith(b"\n"):
                # Nothing but its last line tells that a connection's end is not the page's.
                raise SourceError(
                    f"the page at {url} is cut off: its last line has no end", kind="decode"
                )
            return body.decode(), answer.content_type


def _instance_of(target: Target) -> Instance:
    return "", urlsplit(target.url or "").netloc
