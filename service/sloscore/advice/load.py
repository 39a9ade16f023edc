"""Check of the load: whether the last window held enough requests for the percentiles asked."""

from collections.abc import Iterator

from sloscore.advice.facts import Facts
from sloscore.advice.findings import Check, Finding, info, ok, warning
from sloscore.advice.words import counted, duration
from sloscore.core.samples import InstanceSample
from sloscore.core.sli import minimum_requests
from sloscore.evaluation.measure import requests_in
from sloscore.experiments.window import WindowAccumulator
from sloscore.sources.base import Snapshot

# A process born right before its first scrape is no reason to begin later.
_SLACK = 2.0


def window_start(facts: Facts) -> float:
    """Where the last window began, but not before all instances were scraped."""
    start = facts.at - facts.window
    servers = {sample.instance for sample in facts.servers}
    firsts = [each[0].time for one, each in facts.scrapes.items() if one in servers and each]
    if firsts and max(firsts) > facts.at - facts.lookback + _SLACK:
        return max(start, *firsts)
    return start


def check_requests(facts: Facts, before: Snapshot, start: float) -> Iterator[Finding]:
    """Whether the requests between two snapshots are enough; ``before`` was taken at ``start``."""
    window = WindowAccumulator(start)
    window.feed(before)
    window.feed(_after(facts.samples, start))
    count = requests_in(window.counts())
    span = facts.at - start
    if count == 0:
        yield info(
            Check.REQUESTS,
            f"No requests finished in the last {duration(span)}.",
            "Whether a window holds enough of them shows under load only.",
        )
        return
    needed, sli = max(_needs(facts), default=(1, ""))
    found = f"{counted(count, 'request')} finished in the last {duration(span)}"
    expected = count * facts.window / span
    if span < facts.window:
        found += f", which makes {expected:.0f} in {duration(facts.window)}"
    if expected >= needed:
        yield ok(Check.REQUESTS, f"{found}: enough for every SLO.")
        return
    wanted = duration(max(1.0, round(span * needed / count)))
    yield warning(
        Check.REQUESTS,
        f"{found}: too few for {sli}, which needs {needed}.",
        "A window with fewer requests is reported as no_data.",
        f"Under this load a window takes about {wanted}; send more load, ask for a lower "
        "percentile, or set slo.min_requests.",
    )


def _needs(facts: Facts) -> Iterator[tuple[int, str]]:
    minimum = facts.task.slo.min_requests if facts.task.slo else None
    for sli, _ in facts.slos:
        yield minimum or minimum_requests(sli.statistic), sli.id


def _after(samples: Snapshot, start: float) -> list[InstanceSample]:
    return [sample for sample in samples if sample.time > start]
