"""From a server's own /metrics page to a sample of it."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from sloscore.core.samples import InstanceSample, Target
from sloscore.errors import SourceError
from sloscore.sources.promql import PROCESS_START, series_names
from sloscore.sources.scrapes import FamilyReader, Instance, Scrape, child_labels, set_part

_NAME = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?=[{ \t])", re.MULTILINE)
_OPEN_METRICS = "application/openmetrics-text"
# A line of OpenMetrics up to its exemplar.
_SAMPLE = re.compile(r'[^{ ]+(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})? \S+(?: [^ #]+)?')
# The parser takes time by the square of a line; a series of many long labels has a tenth of this.
_LONGEST_LINE = 16 * 1024
# Labels that Prometheus adds to what it scrapes. A server's own page lacks them, as its address
# says them; a page that collects those of several servers has them.
_ADDED_LABELS = ("job", "instance")

_Added = tuple[str | None, ...]


def read_page(
    text: str, content_type: str, target: Target, instance: Instance, time: float
) -> InstanceSample:
    """What a page shows of the target's families at Unix time ``time``.

    Series count that carry the selector's labels; ``instance`` and ``job`` only choose between
    several instances of one page. Where series have timestamps of their own, the oldest is the
    sample's time. Raises SourceError (``decode``) for text that is no exposition, for a torn
    histogram, and for several instances of which none is chosen.
    """
    is_open_metrics = content_type == _OPEN_METRICS
    reader = FamilyReader(target.families)
    wanted = {(k, v) for k, v in target.selector if k not in _ADDED_LABELS}
    scrapes: defaultdict[_Added, Scrape] = defaultdict(lambda: Scrape(up=True))
    starts: dict[_Added, float] = {}
    times: list[float] = []
    try:
        for sample in _samples(text, target, is_open_metrics=is_open_metrics):
            added = tuple(sample.labels.get(name) for name in _ADDED_LABELS)
            if sample.name == PROCESS_START:
                starts[added] = sample.value
            elif wanted <= sample.labels.items():
                _file(sample, reader, scrapes[added])
                if sample.timestamp is not None:
                    times.append(float(sample.timestamp) * (1000 if is_open_metrics else 1))
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise _unreadable(instance, f"is no metrics exposition: {error}") from error
    added, scrape = _chosen(scrapes, starts, target, instance)
    scrape.time = round(min(times, default=time) * 1000)
    scrape.process_start = starts.get(added)
    return reader.sample(instance, scrape)


def names_on(text: str) -> frozenset[str]:
    """The names of all series of a page."""
    return frozenset(_NAME.findall(text))


def _chosen(
    scrapes: Mapping[_Added, Scrape],
    starts: Mapping[_Added, float],
    target: Target,
    instance: Instance,
) -> tuple[_Added, Scrape]:
    """The instance that the page shows, or the one of several that the selector names."""
    found = list(scrapes)
    if len(found) > 1:
        selector = dict(target.selector)
        wanted = [selector.get(name) for name in _ADDED_LABELS]
        found = [
            added
            for added in found
            if all(w in (None, has) for w, has in zip(wanted, added, strict=True))
        ]
    if len(found) > 1:
        raise _unreadable(
            instance,
            "holds series of several instances: name one by the selector's instance and job",
        )
    if not found:
        return (() if scrapes else next(iter(starts), ())), Scrape(up=True)
    return found[0], scrapes[found[0]]


def _file(sample: Sample, reader: FamilyReader, scrape: Scrape) -> None:
    for family, part in reader.parts_of(sample.name):
        series = scrape.series[family][child_labels(sample.labels)]
        set_part(series, part, sample.labels.get("le", ""), str(sample.value))


def _samples(text: str, target: Target, *, is_open_metrics: bool) -> Iterator[Sample]:
    """The samples of the target's families and the process start.

    Other lines are not parsed: a page is long, and the parser slow. Without the lines of types
    names stay as they are written, and so do those of OpenMetrics that no type fits.
    """
    if is_open_metrics and not text.endswith(("# EOF\n", "# EOF")):
        raise ValueError("its end is missing, # EOF")
    # Not at the other ends of line that Python knows, which label values may hold.
    lines = text.split("\n")
    kept = _lines_of(lines, (*series_names(target.families), PROCESS_START))
    if is_open_metrics:
        kept = [found.group() if (found := _SAMPLE.match(line)) else line for line in kept]
    # Where nothing is of use, all of it is parsed to tell an idle server from another page.
    parsed = kept or lines
    if any(len(line) > _LONGEST_LINE for line in parsed):
        raise ValueError(f"a line is longer than {_LONGEST_LINE} characters")
    for family in text_string_to_metric_families("\n".join(parsed) + "\n"):
        if kept:
            yield from family.samples


def _lines_of(lines: Iterable[str], names: Iterable[str]) -> Sequence[str]:
    starts = tuple(f"{name}{end}" for name in names for end in ("{", " ", "\t"))
    return [line for line in lines if line.startswith(starts)]


def _unreadable(instance: Instance, problem: str) -> SourceError:
    return SourceError(f"the page of {instance[1]} {problem}", kind="decode")
