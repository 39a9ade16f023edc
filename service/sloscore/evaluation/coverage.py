"""Whether a window's counts are those of the experiment's load, or of too much or too little."""

import math
from collections.abc import Sequence
from dataclasses import replace

from sloscore.core.judge import SliResult
from sloscore.core.verdict import Uncertainty
from sloscore.experiments.phases import Span
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
        (
            counts.unseen_tail,
            "last",
            "has it crashed, was it torn down before its last scrape, or does it hide what it showed?",
        ),
    ):
        if seconds > slack:
            return f"nothing was seen of the server in the {where} {seconds:.1f} s of the window: {why}"
    return None


def is_patchy(counts: WindowCounts, span: float) -> bool:
    """Whether a tenth of the window or more, which is ``span`` seconds long, was seen by no scrape."""
    return is_uncertain(counts, span, beyond=0.0)


def is_uncertain(counts: WindowCounts, span: float, beyond: float) -> bool:
    """Whether a tenth of a window or more was unseen, or as much was counted ``beyond`` it (seconds).

    Unseen, too, is what an instance served that no scrape reached.
    """
    return max(_unseen(counts), counts.silent_seconds, beyond) >= _UNCERTAIN_SHARE * span


def inseparable_counts(counts: WindowCounts, start: float, end: float) -> str | None:
    """Why scrapes do not tell a phase from those beside it, if so: half of it has to be seen."""
    span = end - start
    seen = max(0.0, span - counts.unseen_head - counts.unseen_tail)
    if seen >= _LARGEST_UNSEEN_SHARE * span:
        return None
    return (
        f"scrapes tell of {seen:.1f} s of the phase's {span:.1f} s: have the server scraped more "
        "often, or register the experiment with a target, which is scraped at each phase's bounds"
    )


def counted_beyond(counts: WindowCounts, phase: Span | None, warmup: float) -> float:
    """Seconds outside of a window that its scrapes tell of, too, where other load may have been.

    That is within the ``warmup`` seconds before the experiment's window, and on both sides of a phase.
    """
    lead, trail = (0.0, 0.0) if phase is None else (phase.lead, phase.trail)
    return min(counts.widened_head, lead + warmup) + min(counts.widened_tail, trail)


def measured_span(counts: WindowCounts, span: Span, now: float) -> tuple[float, float]:
    """When a phase's requests were counted: not in what scrapes share with the phases beside it.

    All in Unix seconds; load ran there, too, so that a rate is not one over the whole phase.
    """
    end = now if span.end is None else span.end
    return (
        span.start + (counts.unseen_head if math.isfinite(span.since) else 0.0),
        end - (counts.unseen_tail if math.isfinite(span.until) else 0.0),
    )


def with_coverage(
    results: Sequence[SliResult], counts: WindowCounts, span: float, beyond: float = 0.0
) -> Sequence[SliResult]:
    """The results, uncertain where a tenth of the window or more was seen by no scrape.

    So they are where as much was counted ``beyond`` it, all in seconds, or where no scrape of an
    instance succeeded for as long.
    """
    if not is_uncertain(counts, span, beyond):
        return results
    unseen = _unseen(counts)
    if counts.silent_seconds > max(unseen, beyond):
        why = (
            f"every scrape of {counts.silent} failed, for {counts.silent_seconds:.1f} s: what it served "
            "is not counted; leave it out of the selector if it serves nothing"
        )
    elif unseen >= beyond:
        why = f"no scrape tells of {unseen:.1f} s of the {span:.1f} s"
    else:
        why = f"its scrapes reach {beyond:.1f} s beyond the {span:.1f} s"
    return [_uncertain(result, why) if result.certain else result for result in results]


def _uncertain(result: SliResult, why: str) -> SliResult:
    text = result.explanation.removesuffix(".")
    return replace(
        result,
        uncertainty=Uncertainty.WINDOW,
        explanation=f"{text}; the verdict is not certain, because {why}.",
    )


def _unseen(counts: WindowCounts) -> float:
    return counts.unseen_head + counts.unseen_tail + counts.unseen_gaps
