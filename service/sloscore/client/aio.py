"""The client for tuners that run in an event loop."""

import asyncio
import contextlib
import time
from collections.abc import Generator, Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp

from sloscore.client import calls
from sloscore.client.errors import ServiceFailed, SLOClientError
from sloscore.client.look import Look, not_in_time, unless_aborted
from sloscore.client.report import Report
from sloscore.client.sync import DEFAULT_URL
from sloscore.client.tls import File, tls_context


class AsyncSLOClient:
    """As ``SLOClient``, in an event loop; ``async with`` closes its connections, as ``close()`` does."""

    def __init__(  # noqa: PLR0913  how a service is reached
        self,
        url: str = DEFAULT_URL,
        *,
        token: str | None = None,
        timeout: float = 10.0,
        retries: int = 5,
        ca_file: File | None = None,
        cert_file: File | None = None,
        key_file: File | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._headers = calls.headers(token)
        self._timeout = timeout
        self._retries = retries
        self._tls = tls_context(ca_file, cert_file, key_file)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; the client may be used again."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def experiment(  # noqa: PLR0913  an experiment is described by these
        self,
        id: str,  # noqa: A002  the wire's name
        *,
        task: str | Mapping[str, Any],
        selector: Mapping[str, str] | None = None,
        slo: Mapping[str, Any] | None = None,
        objective: str | None = None,
        server: str | None = None,
        target: str | None = None,
        scrape_interval: str | None = None,
        start: float | None = None,
        baseline: str | None = None,
        gpus: int | None = None,
    ) -> "AsyncExperiment":
        """As ``SLOClient.experiment``, for ``async with``."""
        document = calls.task_of(task, slo, objective)
        registration = calls.Registration(
            id, document, selector, server, target, scrape_interval, start, baseline, gpus
        )
        return AsyncExperiment(self, registration)

    async def score(self, experiment: str) -> Report:
        """The report of a registered experiment, so far or final."""
        return Report.of(await self.call(calls.score(experiment)))

    async def result(self, experiment: str, timeout: float = 300.0) -> Report:  # noqa: ASYNC109  the error names what was awaited
        """The final report; raises ResultTimeout, or ExperimentAborted."""
        deadline = time.monotonic() + timeout
        while True:
            wait = min(calls.LONGEST_POLL, max(0.0, deadline - time.monotonic()))
            report = Report.of(await self.call(calls.score(experiment, wait), wait))
            if report.is_final:
                return unless_aborted(report)
            if time.monotonic() >= deadline:
                raise not_in_time(report, timeout)

    async def counts(self, experiment: str) -> dict[str, Any]:
        """What was counted in an experiment's window: histograms in seconds, counters, window."""
        return await self.call(calls.counts(experiment))

    async def call(self, call: calls.Call, wait: float = 0.0) -> dict[str, Any]:
        """The document that one call gives; raises what ``sloscore.client.errors`` draws."""
        attempts = calls.Attempts(self._retries)
        while True:
            try:
                return calls.read(*await self._send(call, self._timeout + wait))
            except (ServiceFailed, OSError, TimeoutError, aiohttp.ClientError) as error:
                await asyncio.sleep(attempts.after(error, self.url))

    async def _send(self, call: calls.Call, timeout: float) -> tuple[int, bytes]:  # noqa: ASYNC109  aiohttp's own timeout
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers)
        async with self._session.request(
            call.method,
            self.url + call.path,
            data=call.content,
            timeout=aiohttp.ClientTimeout(total=timeout),
            ssl=self._tls or True,
        ) as answer:
            return answer.status, await answer.read()


class AsyncExperiment:
    """As ``Experiment``, for ``async with``."""

    def __init__(self, client: AsyncSLOClient, registration: calls.Registration) -> None:
        self._client = client
        self._registration = registration
        self._look = Look()
        self.id = registration.id

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if error is None:
            await self.finish()
            return
        try:
            # Shielded: the block may have been left by cancellation.
            await asyncio.shield(self.abort(f"{type(error).__name__}: {error}"))
        except SLOClientError:
            return

    async def start(self) -> None:
        """The load starts: register the experiment; raises Conflict where it has ended before."""
        calls.require_running(await self._client.call(self._registration.call()))

    async def finish(self, *, end: float | None = None, base_score: float | None = None) -> None:
        """The load has ended (at Unix time ``end``, now where None)."""
        await self._client.call(calls.finish(self.id, end, base_score))

    async def abort(self, reason: str = "") -> None:
        """Call it off; there will be no score."""
        await self._client.call(calls.abort(self.id, reason))

    def phase(self, name: str, *, start: float | None = None) -> "AsyncPhase":
        """As ``Experiment.phase``, for ``async with``; alone it has to be awaited."""
        return AsyncPhase(self._client, self.id, name, start)

    async def score(self) -> Report:
        """The report so far."""
        return self._look.remember(await self._client.score(self.id))

    async def should_stop(self, every: float = 1.0) -> bool:
        """Whether the service advises to stop now; asks it at most once in ``every`` seconds."""
        if self._look.is_due(every):
            await self.score()
        return self._look.says_stop

    async def result(self, timeout: float = 300.0) -> Report:  # noqa: ASYNC109  as the client's
        """The final report, once the experiment is finished; waits for it ``timeout`` seconds."""
        return await self._client.result(self.id, timeout)

    async def counts(self) -> dict[str, Any]:
        """What was counted so far, or in the whole window, as the client's ``counts``."""
        return await self._client.counts(self.id)


class AsyncPhase:
    """As ``Phase``; it begins when it is entered or awaited."""

    def __init__(
        self, client: AsyncSLOClient, experiment: str, name: str, start: float | None
    ) -> None:
        self._client = client
        self._experiment = experiment
        self._start = start
        self.name = name

    def __await__(self) -> Generator[Any, None, Self]:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> Self:
        await self._client.call(calls.start_phase(self._experiment, self.name, self._start))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if error is None:
            await self.end()
            return
        with contextlib.suppress(SLOClientError):
            # Shielded: the block may have been left by cancellation.
            await asyncio.shield(self.end())

    async def end(self, *, end: float | None = None) -> None:
        """The phase has ended (at Unix time ``end``, now where None)."""
        await self._client.call(calls.end_phase(self._experiment, self.name, end))
