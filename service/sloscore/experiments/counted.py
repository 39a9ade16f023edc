"""Counts of windows as JSON documents, so that they can be judged again without their source."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from sloscore.core.histogram import Histogram, Layout
from sloscore.experiments.window import WindowCounts

WINDOW: Final = "window"
"""Under which key an experiment keeps the document of its whole window."""
PHASES: Final = "phases"
"""Under which key it keeps those of its phases by name, if it has any."""
_PLAIN: Final = tuple(field.name for field in fields(WindowCounts) if field.name != "histograms")


@dataclass(frozen=True, slots=True)
class CountedWindow:
    """Counts with the window that they are of, in Unix seconds; without an end it still runs."""

    start: float
    end: float | None
    counts: WindowCounts


def document_of(window: CountedWindow) -> dict[str, Any]:
    """The JSON document of a window's counts; bounds leave out the last one, which is +Inf."""
    counts = window.counts
    return {
        "start": window.start,
        "end": window.end,
        "histograms": {
            role: {
                "bounds": [_number(bound) for bound in histogram.bounds[:-1]],
                "counts": histogram.cumulative,
                "sum": _number(histogram.sum),
                "layout": histogram.layout,
            }
            for role, histogram in counts.histograms.items()
        },
        **{name: getattr(counts, name) for name in _PLAIN},
    }


def documents_of(
    window: CountedWindow, phases: Mapping[str, CountedWindow]
) -> dict[str, Mapping[str, Any]]:
    """What an experiment keeps of its whole window and of its phases."""
    kept: dict[str, Mapping[str, Any]] = {WINDOW: document_of(window)}
    if phases:
        kept[PHASES] = {name: document_of(phase) for name, phase in phases.items()}
    return kept


def counted_of(document: Mapping[str, Any]) -> CountedWindow:
    """The window that ``document_of`` made this of; what an older release left out has its default."""
    histograms = {
        role: Histogram(
            bounds=(*(float(bound) for bound in one["bounds"]), math.inf),
            cumulative=tuple(one["counts"]),
            sum=float(one["sum"]),
            layout=Layout(one["layout"]),
        )
        for role, one in document["histograms"].items()
    }
    plain = {name: _plain(document[name]) for name in _PLAIN if name in document}
    return CountedWindow(document["start"], document["end"], WindowCounts(histograms, **plain))


def kept_counts(kept: Mapping[str, Any] | None) -> CountedWindow | None:
    """The whole window that an experiment keeps the counts of, if it does."""
    document = (kept or {}).get(WINDOW)
    return None if document is None else counted_of(document)


def kept_phase_counts(kept: Mapping[str, Any] | None) -> dict[str, WindowCounts]:
    """The counts that an experiment keeps of its phases, by their names."""
    documents = (kept or {}).get(PHASES) or {}
    return {name: counted_of(document).counts for name, document in documents.items()}


def _plain(value: Any) -> Any:  # noqa: ANN401  any field but the histograms
    return tuple(value) if isinstance(value, list) else value


def _number(value: float) -> float | str:
    # JSON has no infinities and no NaN; float() reads their names.
    return value if math.isfinite(value) else str(value)
