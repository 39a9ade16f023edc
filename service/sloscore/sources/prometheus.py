"""The metric source over Prometheus' HTTP API."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from sloscore.core.samples import Labels, Target
from sloscore.errors import SourceError
from sloscore.settings import PrometheusSettings
from sloscore.sources import promql
from sloscore.sources.base import Ends, Offset, OnQuery, Snapshot
from sloscore.sources.columns import ColumnReader
from sloscore.sources.decode import (
    SamplesAnswer,
    SnapshotAnswer,
    decode_clocks,
    decode_instances,
    decode_names,
    decode_samples,
    decode_time,
    result_of,
)
from sloscore.sources.scrapes import Instance
from sloscore.sources.seen import Seen
from sloscore.sources.steady import Marks, decode_marks, shared_moments, steady_samples, was_by
from sloscore.sources.transport import Transport

T = TypeVar("T")

_THREAD_ABOVE_BYTES = 64 * 1024
_REMEMBERED_SELECTORS = 20_000
# Prometheus 2 includes the far end of a range, 3 does not: ask for more, and cut exactly here.
_RANGE_MARGIN = 1.0
# How far back Prometheus looks for the last sample, where its own settings do not say otherwise.
_LOOKBACK_SECONDS = 300.0
# Seconds of raw samples that are not asked for in smaller parts.
_SHORTEST_SPAN = 10.0


class PrometheusSource:
    """Reads cumulative samples from Prometheus, or from an engine that speaks its HTTP API.

    Connections are opened by the first query, in the event loop that asks it.
    """

    def __init__(self, settings: PrometheusSettings, on_query: OnQuery | None = None) -> None:
        self._settings = settings
        self._on_query = on_query
        self._transport = Transport(settings)
        self._decoding = asyncio.Lock()
        self._slots = asyncio.Semaphore(settings.max_concurrency)
        self._hidden: dict[Labels, frozenset[Instance]] = {}
        self._columns = ColumnReader()
        self._seen = Seen()

    async def snapshot(
        self, targets: Sequence[Target], at: float
    ) -> Mapping[str, Snapshot | SourceError]:
        """See MetricSource."""
        unusable = {target.key: promql.unusable(target) for target in targets}
        found: dict[str, Snapshot | SourceError] = {k: e for k, e in unusable.items() if e}
        self._seen.prune(at)
        clocks, failed = await self._clocks([t for t in targets if t.key not in found], at)
        found |= failed
        for target in targets:
            unchanged = self._seen.unchanged(target, clocks.get(target.key), at)
            if unchanged is not None:
                found[target.key] = unchanged
        chunks = self._chunks(target for target in targets if target.key not in found)
        answers = await asyncio.gather(*(self._snapshot_of(chunk, at) for chunk in chunks))
        for chunk, answer in zip(chunks, answers, strict=True):
            for target in chunk.targets:
                snapshot = found[target.key] = answer[target.selector]
                if not isinstance(snapshot, SourceError):
                    # Asked for after the times, so that it is never older than they say.
                    self._seen.keep(target, clocks.get(target.key), snapshot, at)
        return found

    async def samples(self, target: Target, after: float, until: float) -> Snapshot:
        """See MetricSource."""
        if until <= after:
            return []
        if error := promql.unusable(target):
            raise error
        hidden = await self._query(
            "samples",
            promql.hidden_instances_query(target, until - after + _RANGE_MARGIN),
            until,
            decode_instances,
        )
        found: list[Snapshot] = []
        start = after
        while start < until:
            end = min(start + self._settings.samples_span, until)
            found.append(await self._samples_in_parts(target, start, end, hidden))
            start = end
        return [sample for part in found for sample in part]

    async def steady(
        self, starts: Mapping[Target, float], until: float
    ) -> Mapping[str, Ends | None]:
        """See SteadySource."""
        found: dict[str, Ends | None] = dict.fromkeys(target.key for target in starts)
        usable = [target for target in starts if promql.unusable(target) is None]
        # What began at about the same time, as a query looks back for all alike.
        usable.sort(key=starts.__getitem__)
        for chunk in self._chunks(usable):
            with contextlib.suppress(SourceError):
                found |= await self._steady_in(chunk, starts, until)
        return found

    async def names(self, target: Target, at: float, seconds: float) -> frozenset[str]:
        """See MetricSource."""
        if error := promql.unusable(target):
            raise error
        return await self._query("names", promql.names_query(target, seconds), at, decode_names)

    async def check(self) -> None:
        """See MetricSource."""
        await self._query("check", "vector(1)", None, lambda body: result_of(body, "vector"))

    async def offset(self, clock: Callable[[], float] = time.time) -> Offset:
        """How far Prometheus' clock and the given one are apart; raises SourceError."""
        began = clock()
        theirs = await self._query("clock", "vector(time())", None, decode_time)
        ended = clock()
        return Offset(theirs - (began + ended) / 2, (ended - began) / 2)

    async def close(self) -> None:
        """See MetricSource."""
        await self._transport.close()

    def _chunks(self, targets: Iterable[Target]) -> list[promql.Chunk]:
        limits = self._settings.max_query_targets, self._settings.max_query_bytes
        return list(promql.chunks(targets, *limits))

    async def _clocks(
        self, targets: Iterable[Target], at: float
    ) -> tuple[Mapping[str, int], Mapping[str, SourceError]]:
        """Fingerprints of the scrape times of those targets that were asked for before."""
        # The times of instances that a selector does not show would have to be asked for by name.
        known = (t for t in targets if self._seen.knows(t, at) and t.selector not in self._hidden)
        chunks = self._chunks(known)
        answers = await asyncio.gather(*(self._clocks_of(chunk, at) for chunk in chunks))
        clocks: dict[str, int] = {}
        failed: dict[str, SourceError] = {}
        for chunk, answer in zip(chunks, answers, strict=True):
            if isinstance(answer, SourceError):
                failed |= {target.key: answer for target in chunk.targets}
            else:
                clocks |= {target.key: answer[target.selector] for target in chunk.targets}
        return clocks, failed

    async def _clocks_of(
        self, chunk: promql.Chunk, at: float
    ) -> Mapping[Labels, int] | SourceError:
        try:
            return await self._query(
                "times", promql.times_query(chunk), at, lambda body: decode_clocks(body, chunk)
            )
        except SourceError as error:
            return error

    async def _steady_in(
        self, chunk: promql.Chunk, starts: Mapping[Target, float], until: float
    ) -> Mapping[str, Ends]:
        first = min(starts[target] for target in chunk.targets)
        marks = await self._query(
            "samples",
            promql.marks_query(chunk, until - first + _LOOKBACK_SECONDS),
            until,
            lambda body: decode_marks(body, chunk),
        )
        baselines = await self._baselines(chunk, starts, marks)
        if not baselines:
            return {}
        oldest = min(sample.time for snapshot in baselines.values() for sample in snapshot)
        unsteady = await self._query(
            "samples",
            promql.unsteady_query(chunk, until - oldest + _RANGE_MARGIN),
            until,
            decode_instances,
        )
        snapshots = await self.snapshot(chunk.targets, until)
        found: dict[str, Ends] = {}
        for target in chunk.targets:
            last, baseline = snapshots[target.key], baselines.get(target.key)
            if baseline is None or isinstance(last, SourceError):
                continue
            after = min(sample.time for sample in baseline)
            if after <= first - _LOOKBACK_SECONDS:
                continue
            rest = steady_samples(last, marks[target.selector], unsteady, after)
            if rest is not None:
                found[target.key] = Ends(baseline, rest, last)
            # A window of hours has many marks.
            await asyncio.sleep(0)
        return found

    async def _baselines(
        self,
        chunk: promql.Chunk,
        starts: Mapping[Target, float],
        marks: Mapping[Labels, Mapping[Instance, Marks]],
    ) -> Mapping[str, Snapshot]:
        """What was scraped last at each target's start, of those that had been scraped by then."""
        shared = shared_moments({t: (starts[t], marks[t.selector]) for t in chunk.targets})
        asked = [(at, part) for at, same in shared.items() for part in self._chunks(same)]
        answers = await asyncio.gather(*(self._snapshot_of(part, at) for at, part in asked))
        found = {}
        for (_, part), answer in zip(asked, answers, strict=True):
            for target in part.targets:
                snapshot = answer[target.selector]
                if not isinstance(snapshot, SourceError) and was_by(starts[target], snapshot):
                    found[target.key] = snapshot
        return found

    async def _snapshot_of(
        self, chunk: promql.Chunk, at: float
    ) -> Mapping[Labels, Snapshot | SourceError]:
        try:
            answer, known = await self._ask_snapshot(chunk, at)
            if any(answer.hidden[selector] - known[selector] for selector in chunk.selectors):
                answer, _ = await self._ask_snapshot(chunk, at)
        except SourceError as error:
            return dict.fromkeys(chunk.selectors, error)
        return answer.samples

    async def _ask_snapshot(
        self, chunk: promql.Chunk, at: float
    ) -> tuple[SnapshotAnswer, Mapping[Labels, frozenset[Instance]]]:
        known = {selector: self._hidden.get(selector, frozenset()) for selector in chunk.selectors}
        query = promql.snapshot_query(chunk, frozenset().union(*known.values()))
        answer = await self._query(
            "snapshot", query, at, lambda body: self._columns.read(body, chunk, known)
        )
        self._remember(answer.hidden)
        return answer, known

    def _remember(self, hidden: Mapping[Labels, frozenset[Instance]]) -> None:
        for selector, instances in hidden.items():
            self._hidden.pop(selector, None)
            if instances:
                self._hidden[selector] = instances
        while len(self._hidden) > _REMEMBERED_SELECTORS:
            del self._hidden[next(iter(self._hidden))]

    async def _samples_in_parts(
        self, target: Target, after: float, until: float, hidden: frozenset[Instance]
    ) -> Snapshot:
        """Samples of a span, in halves where they are too large for one answer."""
        try:
            return await self._samples_between(target, after, until, hidden)
        except SourceError as error:
            if error.kind != "too_large" or until - after < _SHORTEST_SPAN:
                raise
        middle = (after + until) / 2
        first = await self._samples_in_parts(target, after, middle, hidden)
        return [*first, *await self._samples_in_parts(target, middle, until, hidden)]

    async def _samples_between(
        self, target: Target, after: float, until: float, hidden: frozenset[Instance]
    ) -> Snapshot:
        seconds = until - after + _RANGE_MARGIN
        hidden_body = None
        if hidden:
            query = promql.instance_samples_query(hidden, seconds)
            hidden_body = await self._query("samples", query, until, bytes)
        return await self._query(
            "samples",
            promql.samples_query(target, seconds),
            until,
            lambda body: decode_samples(
                SamplesAnswer(body, hidden, hidden_body), target, after, until
            ),
        )

    async def _query(
        self, kind: str, query: str, at: float | None, decode: Callable[[bytes], T]
    ) -> T:
        """One query and what ``decode`` makes of its answer; raises SourceError."""
        async with self._slots:
            began = time.perf_counter()
            try:
                body = await self._transport.query(query, at)
                if len(body) > _THREAD_ABOVE_BYTES:
                    # Several threads would hand the interpreter on to each other, not to the loop.
                    async with self._decoding:
                        decoded = await asyncio.to_thread(decode, body)
                else:
                    decoded = decode(body)
            except SourceError as error:
                self._report(kind, began, error.kind)
                raise
            self._report(kind, began, None)
            return decoded

    def _report(self, kind: str, began: float, error: str | None) -> None:
        if self._on_query is not None:
            self._on_query(kind, time.perf_counter() - began, error)
