"""From an answer of Prometheus' HTTP API to the samples of instances."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from sloscore.core.samples import InstanceSample, Labels, Target
from sloscore.errors import SourceError
from sloscore.sources.base import Snapshot
from sloscore.sources.promql import PART_LABEL, PART_TIME_PREFIX, PROCESS_START, UP, Chunk
from sloscore.sources.quoting import quoted
from sloscore.sources.scrapes import (
    NATIVE,
    FamilyReader,
    Instance,
    Scrape,
    Series,
    child_labels,
    set_part,
)

Row = dict[str, Any]

# Series of one scrape share its time; one that is older by more is left over from before.
_SAME_SCRAPE_MS = 1000


@dataclass(frozen=True, slots=True)
class SnapshotAnswer:
    """The answer to a chunk's snapshot query, by selector.

    ``hidden`` holds the instances that belong to a selector although their ``up`` does not
    carry it, so that a query has to ask for them by name.
    """

    samples: Mapping[Labels, Snapshot | SourceError]
    hidden: Mapping[Labels, frozenset[Instance]]


@dataclass(frozen=True, slots=True)
class SamplesAnswer:
    """The answer to ``promql.samples_query``.

    ``hidden_body`` answers ``promql.instance_samples_query`` for the ``hidden`` instances. It was
    asked for first, so scrapes that it does not know yet are left out.
    """

    body: bytes
    hidden: frozenset[Instance] = frozenset()
    hidden_body: bytes | None = None


def result_of(body: bytes, result_type: str) -> list[Row]:
    """The rows of a query's answer.

    Raises SourceError: ``partial`` where the answer carries warnings, ``decode`` where it is not
    what the query API answers with this result type. Annotations of kind info are harmless.
    """
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _undecodable(
            f"the answer is not JSON ({error}), but says: {quoted(body[:200])}; is the address right?"
        ) from None
    if not isinstance(answer, dict) or answer.get("status") != "success":
        raise _undecodable("the answer is not one of Prometheus' query API: is the address right?")
    if warnings := answer.get("warnings"):
        told = "; ".join(str(warning) for warning in warnings)
        raise SourceError(f"the answer may be partial: {told}", kind="partial")
    data = answer.get("data")
    if not isinstance(data, dict) or data.get("resultType") != result_type:
        raise _undecodable(f"the answer does not hold a {result_type}")
    rows = data.get("result")
    if not isinstance(rows, list):
        raise _undecodable("the answer holds no list of results")
    return rows


def milliseconds(seconds: float | str) -> int:
    """Unix seconds at the resolution that Prometheus stores."""
    return round(float(seconds) * 1000)


def decode_snapshot(
    body: bytes, chunk: Chunk, known: Mapping[Labels, Collection[Instance]]
) -> SnapshotAnswer:
    """The answer to ``promql.snapshot_query``, with the instances ``known`` to be hidden.

    Raises SourceError where the answer as a whole is of no use; an unreadable histogram is the
    error of its own selector.
    """
    decoder = SnapshotDecoder(chunk)
    with well_formed():
        for row in result_of(body, "vector"):
            decoder.file(row)
    return decoder.answer(known)


def decode_clocks(body: bytes, chunk: Chunk) -> Mapping[Labels, int]:
    """The answer to ``promql.times_query``: a fingerprint of each selector's scrape times.

    Equal ones mean that no scrape came in between. They hold within this process. Raises
    SourceError where the answer is of no use.
    """
    selectors = {tuple(v for _, v in selector): selector for selector in chunk.selectors}
    times: dict[Labels, set[int]] = {selector: set() for selector in chunk.selectors}
    with well_formed():
        for row in result_of(body, "vector"):
            labels = row["metric"]
            selector = selectors.get(tuple(labels.get(label, "") for label in chunk.label_names))
            if selector is not None:
                times[selector].add(hash((*sorted(labels.items()), row["value"][1])))
    return {selector: hash(frozenset(found)) for selector, found in times.items()}


def decode_samples(answer: SamplesAnswer, target: Target, after: float, until: float) -> Snapshot:
    """The scrapes with ``after < time <= until`` (Unix seconds), ordered by time.

    Raises SourceError where any of the answer cannot be read.
    """
    decoder = _RangeDecoder(target, after, until)
    with well_formed():
        for row in result_of(answer.body, "matrix"):
            decoder.file(row)
        if answer.hidden_body is not None:
            for row in result_of(answer.hidden_body, "matrix"):
                if instance_of(row["metric"]) in answer.hidden:
                    decoder.file(row)
    for instance in answer.hidden:
        decoder.forget_after_last_up(instance)
    return decoder.samples()


def decode_instances(body: bytes) -> frozenset[Instance]:
    """The pairs of job and instance in the rows of a vector; raises SourceError."""
    with well_formed():
        return frozenset(instance_of(row["metric"]) for row in result_of(body, "vector"))


def decode_names(body: bytes) -> frozenset[str]:
    """The metric names in the rows of a vector; raises SourceError."""
    with well_formed():
        return frozenset(row["metric"]["__name__"] for row in result_of(body, "vector"))


def decode_time(body: bytes) -> float:
    """The only value of a vector, as Unix seconds; raises SourceError."""
    with well_formed():
        (row,) = result_of(body, "vector")
        return milliseconds(row["value"][1]) / 1000


@dataclass(slots=True)
class _Mark:
    """``up`` or the process start of an instance: values and times by their series' labels."""

    values: dict[Labels, float] = field(default_factory=dict)
    times: dict[Labels, int] = field(default_factory=dict)

    def newest(self) -> tuple[int, float] | None:
        """Time in milliseconds and value of the newest."""
        timed = [(time, self.values[key]) for key, time in self.times.items() if key in self.values]
        return max(timed, default=None)


class SnapshotDecoder:
    """Takes the rows of a snapshot's answer one by one."""

    def __init__(self, chunk: Chunk) -> None:
        self._reader = FamilyReader(chunk.families)
        self._names = chunk.label_names
        self._selectors = {tuple(v for _, v in selector): selector for selector in chunk.selectors}
        self._scrapes: defaultdict[Labels, defaultdict[Instance, Scrape]] = defaultdict(
            lambda: defaultdict(Scrape)
        )
        self._marks: defaultdict[tuple[str, Instance], _Mark] = defaultdict(_Mark)
        self._shown: defaultdict[Labels, set[Instance]] = defaultdict(set)

    def file(self, row: Row) -> None:
        """Take a row, whose labels are used up; raises ValueError where a value is no number."""
        labels: dict[str, str] = row["metric"]
        name = labels.pop("__name__", "")
        part = labels.pop(PART_LABEL, "")
        is_time = part.startswith(PART_TIME_PREFIX)
        if is_time:
            name = part[len(PART_TIME_PREFIX) :]
        instance = instance_of(labels)
        selector = self._selectors.get(tuple(labels.get(label, "") for label in self._names))
        if name in {UP, PROCESS_START}:
            mark = self._marks[name, instance]
            key = tuple(sorted(labels.items()))
            if is_time:
                mark.times[key] = milliseconds(row["value"][1])
            else:
                mark.values[key] = float(row["value"][1])
            if name == UP and selector is not None:
                self._shown[selector].add(instance)
        elif selector is not None:
            self._file_series(self._scrapes[selector][instance], name, labels, row, is_time=is_time)

    def _file_series(
        self, scrape: Scrape, name: str, labels: dict[str, str], row: Row, *, is_time: bool
    ) -> None:
        child = child_labels(labels)
        for family, part in self._reader.parts_of(name):
            kept = scrape.natives if part == NATIVE else scrape.series
            series = kept[family][child]
            if is_time:
                series.time = milliseconds(row["value"][1])
            elif part != NATIVE:
                set_part(series, part, labels.get("le", ""), row["value"][1])
            elif "histogram" in row:
                series.native = row["histogram"][1]

    def answer(self, known: Mapping[Labels, Collection[Instance]]) -> SnapshotAnswer:
        """What the rows say of each selector, where these instances are ``known`` to be hidden."""
        samples: dict[Labels, Snapshot | SourceError] = {}
        hidden: dict[Labels, frozenset[Instance]] = {}
        for selector in self._selectors.values():
            shown = self._shown[selector]
            named = {i for i in known.get(selector, ()) if (UP, i) in self._marks}
            hidden[selector] = frozenset((named | self._scrapes[selector].keys()) - shown)
            try:
                samples[selector] = [
                    self._sample(selector, instance)
                    for instance in sorted(shown | hidden[selector])
                ]
            except SourceError as error:
                samples[selector] = error
        return SnapshotAnswer(samples, hidden)

    def _sample(self, selector: Labels, instance: Instance) -> InstanceSample:
        scrape = self._scrapes[selector][instance]
        up = self._marks[UP, instance].newest()
        start = self._marks[PROCESS_START, instance].newest()
        families = [*scrape.series.values(), *scrape.natives.values()]
        is_up = up is not None and up[1] == 1
        times = _times_in(families)
        # Series that are older than a scrape that succeeded have times of their own, but for
        # native histograms, which can be left over.
        if up is not None and not (is_up and _times_in(scrape.series.values())):
            times.append(up[0])
        scrape.time = max(times, default=0)
        oldest = scrape.time - _SAME_SCRAPE_MS
        for same in families:
            for labels, series in list(same.items()):
                is_old = series.time is not None and series.time < oldest
                if is_old or series.is_bare:
                    del same[labels]
        if up is not None and (up[0] == scrape.time or not is_up):
            scrape.up = is_up
        if start is not None and start[0] >= oldest:
            scrape.process_start = start[1]
        return self._reader.sample(instance, scrape)


def _times_in(families: Iterable[Mapping[Labels, Series]]) -> list[int]:
    return [
        one.time
        for same in families
        for one in same.values()
        # VictoriaMetrics tells the time of a series that is marked as ended.
        if one.time is not None and not one.is_bare
    ]


class _RangeDecoder:
    def __init__(self, target: Target, after: float, until: float) -> None:
        self._reader = FamilyReader(target.families)
        self._after, self._until = milliseconds(after), milliseconds(until)
        self._scrapes: defaultdict[Instance, dict[int, Scrape]] = defaultdict(dict)

    def file(self, row: Row) -> None:
        labels: dict[str, str] = row["metric"]
        name = labels.pop("__name__", "")
        instance = instance_of(labels)
        parts = self._reader.parts_of(name)
        child = child_labels(labels)
        for scrape, value in self._scrapes_of(instance, row.get("values", ())):
            if name == UP:
                scrape.up = None if math.isnan(float(value)) else float(value) == 1
            elif name == PROCESS_START:
                scrape.process_start = float(value)
            for family, part in parts:
                if part != NATIVE:
                    set_part(scrape.series[family][child], part, labels.get("le", ""), value)
        for scrape, document in self._scrapes_of(instance, row.get("histograms", ())):
            for family, part in parts:
                if part == NATIVE:
                    scrape.natives[family][child].native = document

    def forget_after_last_up(self, instance: Instance) -> None:
        scrapes = self._scrapes[instance]
        last = max(
            (time for time, scrape in scrapes.items() if scrape.up is not None), default=None
        )
        if last is not None:
            for time in [time for time in scrapes if time > last]:
                del scrapes[time]

    def samples(self) -> Snapshot:
        found = [
            self._reader.sample(instance, scrape)
            for instance, scrapes in self._scrapes.items()
            for scrape in scrapes.values()
            if not scrape.only_ended()
        ]
        return sorted(found, key=lambda sample: (sample.time, sample.instance))

    def _scrapes_of(
        self, instance: Instance, points: Iterable[tuple[float, Any]]
    ) -> Iterator[tuple[Scrape, Any]]:
        scrapes = self._scrapes[instance]
        for seconds, value in points:
            time = milliseconds(seconds)
            if self._after < time <= self._until:
                scrape = scrapes.get(time)
                if scrape is None:
                    scrape = scrapes[time] = Scrape(time)
                yield scrape, value


def instance_of(labels: Mapping[str, str]) -> Instance:
    """The pair of job and instance that names what was scraped."""
    return labels.get("job", ""), labels.get("instance", "")


@contextmanager
def well_formed() -> Iterator[None]:
    """Raises SourceError for what goes wrong with the rows of an answer inside of it."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise _undecodable(f"a row of the answer cannot be read ({error!r})") from None


def _undecodable(message: str) -> SourceError:
    return SourceError(message, kind="decode")
