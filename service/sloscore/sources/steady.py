"""Which instances went on counting over a window, so that its ends tell all that its samples would.

Where no counter fell, no series ended and one process was up at each scrape, what was counted is what
the last sample shows over the first: the samples between tell only when they were taken.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from sloscore.core.histogram import Layout
from sloscore.core.samples import InstanceSample, Labels, Target, is_same_start
from sloscore.sources.base import Snapshot
from sloscore.sources.decode import instance_of, milliseconds, result_of, well_formed
from sloscore.sources.promql import UP, Chunk
from sloscore.sources.scrapes import Instance


@dataclass(slots=True)
class Marks:
    """Whether an instance was up, and when its process began, by time in Unix milliseconds."""

    up: dict[int, float] = field(default_factory=dict)
    starts: dict[int, float] = field(default_factory=dict)


def decode_marks(body: bytes, chunk: Chunk) -> Mapping[Labels, Mapping[Instance, Marks]]:
    """The answer to ``promql.marks_query``, by selector; raises SourceError."""
    selectors = {tuple(value for _, value in selector): selector for selector in chunk.selectors}
    found: dict[Labels, dict[Instance, Marks]] = {selector: {} for selector in chunk.selectors}
    with well_formed():
        for row in result_of(body, "matrix"):
            labels = row["metric"]
            key = tuple(labels.get(name, "") for name in chunk.label_names)
            if (selector := selectors.get(key)) is None:
                continue
            marks = found[selector].setdefault(instance_of(labels), Marks())
            told = marks.up if labels["__name__"] == UP else marks.starts
            told.update((milliseconds(time), float(value)) for time, value in row["values"])
    return found


def shared_moments(
    starts: Mapping[Target, tuple[float, Mapping[Instance, Marks]]],
) -> dict[float, list[Target]]:
    """The few moments (Unix seconds) at which the last scrapes before all these starts are the last.

    That is from each start up to the next scrape of any of its instances. Targets that were not
    scraped since have no moment.
    """
    spans = []
    for target, (start, marks) in starts.items():
        since = milliseconds(start)
        later = [time for own in marks.values() for time in own.up if time > since]
        if later:
            spans.append((min(later) - 1, since, target))
    spans.sort(key=lambda span: span[:2])
    found: dict[float, list[Target]] = {}
    while spans:
        moment = spans[0][0]
        found[moment / 1000] = [target for _, since, target in spans if since <= moment]
        spans = [span for span in spans if span[1] > moment]
    return found


def was_by(start: float, snapshot: Snapshot) -> bool:
    """Whether a snapshot of a later moment shows what was scraped by ``start`` (Unix seconds).

    A scrape can be stored late, after somebody has looked for the one that follows the start.
    """
    since = milliseconds(start)
    return bool(snapshot) and all(milliseconds(sample.time) <= since for sample in snapshot)


def steady_samples(
    snapshot: Snapshot,
    marks: Mapping[Instance, Marks],
    unsteady: Collection[Instance],
    after: float,
) -> Snapshot | None:
    """Samples later than ``after`` (Unix seconds), with values in the last of an instance alone.

    None where a counter fell, a process began or ended, or something is not known.
    """
    # An answer without anything tells nothing: a source that fails may give one.
    if (
        not snapshot
        or marks.keys() != {sample.instance for sample in snapshot}
        or marks.keys() & set(unsteady)
    ):
        return None
    found: list[InstanceSample] = []
    for sample in snapshot:
        samples = _samples_of(sample, marks[sample.instance], milliseconds(after))
        if samples is None:
            return None
        found += samples
    return sorted(found, key=lambda sample: (sample.time, sample.instance))


def _samples_of(last: InstanceSample, marks: Marks, after: int) -> list[InstanceSample] | None:
    times = sorted(time for time in marks.up if time > after)
    starts = [marks.starts.get(time) for time in times]
    told = [start for start in starts if start is not None]
    is_one_process = len(told) == len(times) and all(
        is_same_start(one, other) for one, other in pairwise(told)
    )
    is_up = bool(last.up) and all(marks.up[time] == 1 for time in times)
    is_classic = all(h.layout is Layout.CLASSIC for h in last.histograms.values())
    if not (times and is_one_process and is_up and is_classic):
        return None
    if times[-1] != milliseconds(last.time) or last.process_start is None:
        return None
    bare = [
        InstanceSample(last.instance, time / 1000, up=True, process_start=start)
        for time, start in zip(times[:-1], told, strict=False)
    ]
    return [*bare, last]
