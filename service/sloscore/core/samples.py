"""What is read from a metric source: which families of which targets, and one scrape's values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sloscore.core.histogram import Histogram

# Exporters round their start time differently from scrape to scrape.
_PROCESS_START_TOLERANCE = 0.5
# Several processes of one server are added up in any order, which moves the last digits.
_SUM_TOLERANCE = 1e-9

Labels = tuple[tuple[str, str], ...]
LabelValues = tuple[tuple[str, tuple[str, ...]], ...]


class FamilyKind(StrEnum):
    """How a metric family is exposed."""

    HISTOGRAM = "histogram"
    COUNTER = "counter"


@dataclass(frozen=True, slots=True)
class Family:
    """A metric family of an inference server under the role it plays for scoring.

    ``names`` holds every spelling of the family's name (without ``_bucket``, ``_sum``, ``_count``;
    counters with their ``_total``): some servers show a colon or an underscore by how they are
    scraped. ``scale`` converts the family's unit into seconds (or tokens, requests). ``match`` and
    ``unless`` (pairs of a label and values) narrow the family to a part of the metric.
    """

    role: str
    kind: FamilyKind
    names: tuple[str, ...]
    scale: float = 1.0
    match: LabelValues = ()
    unless: LabelValues = ()

    def holds(self, child: Labels) -> bool:
        """Whether a child of the metric belongs to the family; a label that it lacks is empty."""
        if not self.match and not self.unless:
            return True
        labels = dict(child)
        return all(labels.get(label, "") in values for label, values in self.match) and not any(
            labels.get(label, "") in values for label, values in self.unless
        )


@dataclass(frozen=True, slots=True)
class Target:
    """The deployment of one experiment: ``key`` is the experiment's id.

    ``selector`` holds label equality pairs sorted by label; series of the ``families`` that carry
    all of them belong to the target. ``url`` is that of the server's metrics page where it is to
    be scraped directly, every ``scrape_interval`` seconds (None: as the source is set).
    """

    key: str
    selector: Labels
    families: tuple[Family, ...]
    url: str | None = None
    scrape_interval: float | None = None


@dataclass(frozen=True, slots=True)
class Child:
    """One labelled child of a family in one instance (labels without ``le``, sorted)."""

    role: str
    labels: Labels


@dataclass(frozen=True, slots=True)
class InstanceSample:
    """Everything one scrape of one instance showed for a target.

    ``instance`` is the pair of the labels ``job`` and ``instance``; ``time`` the scrape's Unix
    time in seconds; ``up`` whether the scrape succeeded (None where the source does not say);
    ``process_start`` the Unix time at which the server's process began, where it says so.
    """

    instance: tuple[str, str]
    time: float
    up: bool | None = None
    process_start: float | None = None
    histograms: Mapping[Child, Histogram] = field(default_factory=dict)
    counters: Mapping[Child, float] = field(default_factory=dict)

    def is_restarted_since(self, before: "InstanceSample") -> bool:
        """Whether the process is another one: it says so, a child or its sum fell, or all are gone.

        Judged on everything that the instance exposes at once, as single buckets can overtake their
        old value within one scrape interval. Where others went on, a child that is gone is hidden.
        """
        was, now = before.process_start, self.process_start
        if was is not None and now is not None and not is_same_start(was, now):
            return True
        for child, histogram in self.histograms.items():
            earlier = before.histograms.get(child)
            if earlier is None:
                continue
            if histogram.falls_below(earlier):
                return True
            if histogram.sum < earlier.sum * (1 - _SUM_TOLERANCE):
                return True
        if any(value < before.counters.get(child, 0.0) for child, value in self.counters.items()):
            return True
        had = before.histograms.keys() | before.counters.keys()
        return bool(had) and had.isdisjoint(self.histograms.keys() | self.counters.keys())


def is_same_start(one: float, other: float) -> bool:
    """Whether two start times (Unix seconds) can be of one process."""
    return abs(one - other) <= _PROCESS_START_TOLERANCE
