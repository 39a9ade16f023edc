"""Samples as JSON documents, for those that no Prometheus keeps."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sloscore.core.histogram import Histogram
from sloscore.core.samples import Child, InstanceSample

PHASES: Final = "phases"
"""Where an experiment's kept scrapes hold those of its phases' bounds."""


def documents_of(samples: Iterable[InstanceSample]) -> list[dict[str, Any]]:
    """JSON documents of samples; the last bound is left out, as every histogram ends in +Inf."""
    return [
        {
            "instance": sample.instance,
            "time": sample.time,
            "up": sample.up,
            "process_start": sample.process_start,
            "histograms": [
                {
                    "role": child.role,
                    "labels": child.labels,
                    "bounds": histogram.bounds[:-1],
                    "counts": histogram.cumulative,
                    "sum": histogram.sum,
                }
                for child, histogram in sample.histograms.items()
            ],
            "counters": [
                {"role": child.role, "labels": child.labels, "value": value}
                for child, value in sample.counters.items()
            ],
        }
        for sample in samples
    ]


def samples_of(documents: Iterable[Mapping[str, Any]]) -> list[InstanceSample]:
    """The samples that ``documents_of`` made these of."""
    return [
        InstanceSample(
            instance=(document["instance"][0], document["instance"][1]),
            time=document["time"],
            up=document["up"],
            process_start=document["process_start"],
            histograms={
                _child(one): Histogram(_bounds(one["bounds"]), tuple(one["counts"]), one["sum"])
                for one in document["histograms"]
            },
            counters={_child(one): one["value"] for one in document["counters"]},
        )
        for document in documents
    ]


def kept_samples(scrapes: Mapping[str, Any] | None) -> list[InstanceSample]:
    """The samples that an experiment keeps of its start, its end and the bounds of its phases."""
    kept = scrapes or {}
    return [s for part in ("start", PHASES, "end") for s in samples_of(kept.get(part, ()))]


def with_phase_samples(
    scrapes: Mapping[str, Any] | None, documents: Iterable[object]
) -> dict[str, object]:
    """What an experiment keeps, with samples of one more bound of a phase."""
    kept = scrapes or {}
    return {**kept, PHASES: [*kept.get(PHASES, ()), *documents]}


def _bounds(document: Iterable[float | None]) -> tuple[float, ...]:
    # JSON has no infinities, and turns a lowest bound of -Inf into null.
    finite = (-math.inf if bound is None else bound for bound in document)
    return (*finite, math.inf)


def _child(document: Mapping[str, Any]) -> Child:
    return Child(document["role"], tuple((name, value) for name, value in document["labels"]))
