"""Whether a window's counts are those of the experiment's load, or of too much or too little."""

from dataclasses import replace

from sloscore.core.judge import SliResult
from sloscore.core.verdict import Uncertainty
from sloscore.experiments.window import WindowCounts

# A scrape comes within an interval, and is late by up to its own timeout, an interval at most.
_INTERVALS = 2
_LATE_SECONDS = 1.0
_LARGEST_UNSEEN_SHARE = 0.5
_UNCERTAIN_SHARE = 0.1


def foreign_counts(counts: WindowCounts) -> str | None:
    """Why the counts hold requests of another load or another server, if they do."""
    if counts.mixed is not None:
        return (
            f"several processes answer at {counts.mixed} in turn, as behind a load balancer: "
            "scrape each of them by itself"
        )
    if counts.scrape_interval is None:
        return None
    slack = _INTERVALS * counts.scrape_interval + _LATE_SECONDS
    for seconds, where in (
        (counts.widened_head, "before the window's start"),
        (counts.widened_tail, "after the window's end"),
    ):
        if seconds > slack:
            return (
                f"the nearest scrape lies {seconds:.1f} s {where}, so requests of another load are "
                "counted, too: was Prometheus away?"
            )
    return None


def missing_counts(counts: WindowCounts, start: float, end: float) -> str | None:
    """Why too much of the window was seen by no scrape, if so."""
    if not counts.histograms and not counts.counters:
        # Nothing was counted at all, which has reasons of its own.
        return None
    span = end - start
    slack = _LARGEST_UNSEEN_SHARE * span
    if counts.scrape_interval is not None:
        slack = min(slack, _INTERVALS * counts.scrape_interval + _LATE_SECONDS)
    for seconds, where, why in (
        (counts.unseen_head, "first", "was it not scraped yet?"),
        (counts.unseen_tail, "last", "has it crashed, or was it torn down before its last scrape?"),
    ):
        if seconds > slack:
            return f"nothing was seen of the server in the {where} {seconds:.1f} s of the window: {why}"
    return None


def is_patchy(counts: WindowCounts, span: float) -> bool:
    """Whether a tenth of the window or more, which is ``span`` seconds long, was seen by no scrape."""
    return _unseen(counts) >= _UNCERTAIN_SHARE * span


def with_coverage(result: SliResult, counts: WindowCounts, span: float) -> SliResult:
    """The result, uncertain where a tenth of the window or more was seen by no scrape."""
    if not result.certain or not is_patchy(counts, span):
        return result
    unseen = _unseen(counts)
    text = result.explanation.removesuffix(".")
    return replace(
        result,
        uncertainty=Uncertainty.WINDOW,
        explanation=(
            f"{text}; the verdict is not certain, because no scrape tells of {unseen:.1f} s of the "
            f"{span:.1f} s."
        ),
    )


def _unseen(counts: WindowCounts) -> float:
    return counts.unseen_head + counts.unseen_tail + counts.unseen_gaps
