"""The client for tuners that block: a thread asks, sleeps and waits."""

import contextlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from sloscore.client import calls
from sloscore.client.errors import ServiceFailed, SLOClientError
from sloscore.client.look import Look, not_in_time, unless_aborted
from sloscore.client.report import Report
from sloscore.client.tls import File, tls_context

DEFAULT_URL = "http://127.0.0.1:8520"


class SLOClient:
    """A client of the service at ``url``.

    ``token`` is sent with every request. ``timeout`` (seconds) is that of one request, on top of
    what it waits for a score; a lost connection and an answer of 5xx are tried again ``retries``
    times, with growing pauses. Of an https service ``ca_file`` (PEM) is the authority, by default
    the system's; ``cert_file`` and ``key_file`` are the client's own certificate.

    Raises OSError for certificates that cannot be used.
    """

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
    ) -> "Experiment":
        """An experiment that starts when it is entered, and finishes when it is left.

        ``task`` is a task's name, or the whole document of a task file; ``slo`` and ``objective``
        go into it. ``selector`` says which deployment it is, by labels of its series in Prometheus;
        ``target`` is the URL of its metrics page, which the service then scrapes itself; ``baseline``
        the id of an experiment that it is compared with, or "first" for the first of the task;
        ``gpus`` how many GPUs it runs on, for what is measured per GPU.
        """
        document = calls.task_of(task, slo, objective)
        registration = calls.Registration(
            id, document, selector, server, target, scrape_interval, start, baseline, gpus
        )
        return Experiment(self, registration)

    def score(self, experiment: str) -> Report:
        """The report of a registered experiment, so far or final."""
        return Report.of(self.call(calls.score(experiment)))

    def result(self, experiment: str, timeout: float = 300.0) -> Report:
        """The final report; raises ResultTimeout, or ExperimentAborted."""
        deadline = time.monotonic() + timeout
        while True:
            wait = min(calls.LONGEST_POLL, max(0.0, deadline - time.monotonic()))
            report = Report.of(self.call(calls.score(experiment, wait), wait))
            if report.is_final:
                return unless_aborted(report)
            if time.monotonic() >= deadline:
                raise not_in_time(report, timeout)

    def counts(self, experiment: str) -> dict[str, Any]:
        """What was counted in an experiment's window: histograms in seconds, counters, window."""
        return self.call(calls.counts(experiment))

    def call(self, call: calls.Call, wait: float = 0.0) -> dict[str, Any]:
        """The document that one call gives; raises what ``sloscore.client.errors`` draws."""
        attempts = calls.Attempts(self._retries)
        while True:
            try:
                return calls.read(*self._send(call, self._timeout + wait))
            except (ServiceFailed, OSError, http.client.HTTPException) as error:
                time.sleep(attempts.after(error, self.url))

    def _send(self, call: calls.Call, timeout: float) -> tuple[int, bytes]:
        request = urllib.request.Request(  # noqa: S310  the caller's own service
            self.url + call.path, call.content, self._headers, method=call.method
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout, context=self._tls) as answer:  # noqa: S310  as above
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()


class Experiment:
    """One experiment of a synchronous client; ``SLOClient.experiment`` makes it.

    ``with`` registers it, finishes it at the end of the block, and aborts it where the block raises.
    """

    def __init__(self, client: SLOClient, registration: calls.Registration) -> None:
        self._client = client
        self._registration = registration
        self._look = Look()
        self.id = registration.id

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if error is None:
            self.finish()
        else:
            self._look.suppressing(self.abort, f"{type(error).__name__}: {error}")

    def start(self) -> None:
        """The load starts: register the experiment; raises Conflict where it has ended before."""
        calls.require_running(self._client.call(self._registration.call()))

    def finish(self, *, end: float | None = None, base_score: float | None = None) -> None:
        """The load has ended (at Unix time ``end``, now where None)."""
        self._client.call(calls.finish(self.id, end, base_score))

    def abort(self, reason: str = "") -> None:
        """Call it off; there will be no score."""
        self._client.call(calls.abort(self.id, reason))

    def phase(self, name: str, *, start: float | None = None) -> "Phase":
        """A phase of the load begins (at Unix time ``start``, now where None); the one before ends.

        As a block it ends with that, alone it ends with the next one or with the load.
        """
        self._client.call(calls.start_phase(self.id, name, start))
        return Phase(self._client, self.id, name)

    def score(self) -> Report:
        """The report so far."""
        return self._look.remember(self._client.score(self.id))

    def should_stop(self, every: float = 1.0) -> bool:
        """Whether the service advises to stop now; asks it at most once in ``every`` seconds."""
        if self._look.is_due(every):
            self.score()
        return self._look.says_stop

    def result(self, timeout: float = 300.0) -> Report:
        """The final report, once the experiment is finished; waits for it ``timeout`` seconds."""
        return self._client.result(self.id, timeout)

    def counts(self) -> dict[str, Any]:
        """What was counted so far, or in the whole window, as the client's ``counts``."""
        return self._client.counts(self.id)


class Phase:
    """A phase that has begun; ``Experiment.phase`` makes it, and the end of a block ends it."""

    def __init__(self, client: SLOClient, experiment: str, name: str) -> None:
        self._client = client
        self._experiment = experiment
        self.name = name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        # An error that is on its way is not hidden by one of the service.
        with contextlib.nullcontext() if error is None else contextlib.suppress(SLOClientError):
            self.end()

    def end(self, *, end: float | None = None) -> None:
        """The phase has ended (at Unix time ``end``, now where None)."""
        self._client.call(calls.end_phase(self._experiment, self.name, end))
