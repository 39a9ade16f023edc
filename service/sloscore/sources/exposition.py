"""From a server's own /metrics page to a sample of it."""

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain_text

from sloscore.core.samples import InstanceSample, Target
from sloscore.errors import SourceError
from sloscore.sources.promql import PROCESS_START, series_names
from sloscore.sources.scrapes import FamilyReader, Instance, Scrape, child_labels, set_part

_NAME = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?=[{ \t])", re.MULTILINE)
OPEN_METRICS = "application/openmetrics-text"
# Labels that Prometheus adds to what it scrapes: a page does not have them, its address says it.
_ADDED_LABELS = frozenset({"instance", "job"})


class Sample(Protocol):
    """One line of a page, as the parsers give it."""

    name: str
    labels: dict[str, str]
    value: float


def read_page(
    text: str, content_type: str, target: Target, instance: Instance, time: float
) -> InstanceSample:
    """What a page shows of the target's families at Unix time ``time``.

    Series count that carry the selector's labels, but for ``instance`` and ``job``. Raises
    SourceError (``decode``) for text that is no exposition, and for a torn histogram.
    """
    reader = FamilyReader(target.families)
    wanted = {(k, v) for k, v in target.selector if k not in _ADDED_LABELS}
    scrape = Scrape(round(time * 1000), up=True)
    try:
        for sample in _samples(text, content_type, target):
            if sample.name == PROCESS_START:
                scrape.process_start = sample.value
            elif wanted <= sample.labels.items():
                _file(sample, reader, scrape)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise SourceError(
            f"the page of {instance[1]} is no metrics exposition: {error}", kind="decode"
        ) from error
    return reader.sample(instance, scrape)


def names_on(text: str) -> frozenset[str]:
    """The names of all series of a page."""
    return frozenset(_NAME.findall(text))


def _file(sample: Sample, reader: FamilyReader, scrape: Scrape) -> None:
    for family, part in reader.parts_of(sample.name):
        series = scrape.series[family][child_labels(sample.labels)]
        set_part(series, part, sample.labels.get("le", ""), str(sample.value))


def _samples(text: str, content_type: str, target: Target) -> Iterator[Sample]:
    if content_type == OPEN_METRICS:
        families = open_metrics(text)  # type: ignore[no-untyped-call]  # no hints in the library
    else:
        # A server's page is long; the parser is slow, and most lines are of other families.
        names = (*series_names(target.families), PROCESS_START)
        kept = "\n".join(_lines_of(text, names)) + "\n"
        families = plain_text(kept)
    for family in families:
        yield from family.samples


def _lines_of(text: str, names: Iterable[str]) -> Iterator[str]:
    starts = tuple(f"{name}{end}" for name in names for end in ("{", " ", "\t"))
    return (line for line in text.splitlines() if line.startswith(starts))
