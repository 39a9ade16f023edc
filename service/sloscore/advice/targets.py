"""Checks of what is scraped: which instances, whether they are up, and how often."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from sloscore.advice.facts import Facts
from sloscore.advice.findings import Check, Finding, critical, info, ok, warning
from sloscore.advice.probe import Scraped
from sloscore.advice.words import counted, duration, instances_text, listed, selector_text
from sloscore.core.samples import InstanceSample
from sloscore.sources.scrapes import Instance

FEWEST_SCRAPES = 4


def check_targets(ups: Mapping[Instance, bool | None]) -> Iterator[Finding]:
    """Whether every target of the selector was scraped; None where nobody knows."""
    down = [instance for instance, up in ups.items() if up is False]
    if not down:
        yield ok(Check.TARGETS, f"{counted(len(ups), 'target')} up.")
        return
    found = f"{instances_text(down)} {'is' if len(down) == 1 else 'are'} down: up is 0."
    mend = "Start the server, or see the error of its scrape on Prometheus' page of targets."
    if len(down) == len(ups):
        yield critical(Check.TARGETS, found, "Nothing of this deployment is counted.", mend)
    else:
        yield warning(
            Check.TARGETS, found, "What they do is not counted while others' requests are.", mend
        )


def check_instances(facts: Facts) -> Iterator[Finding]:
    """Whether the selector holds one deployment and nothing else."""
    servers = facts.servers
    if not servers:
        return
    yield from _collisions(facts, servers)
    several = len(servers) > 1
    found = (
        f"{selector_text(facts.selector)} holds {instances_text([s.instance for s in servers])}."
    )
    if several:
        yield info(
            Check.INSTANCES,
            f"{len(servers)} instances: {found}",
            "Their requests are added up: they should be the replicas of one deployment.",
        )
    else:
        yield ok(Check.INSTANCES, found)
    others = [s.instance for s in facts.samples if s not in servers and s.up is not False]
    if others:
        yield info(
            Check.INSTANCES,
            f"The selector also matches {instances_text(others)}, without these metrics.",
            "Targets without them are left out.",
        )


def _collisions(facts: Facts, servers: Sequence[InstanceSample]) -> Iterator[Finding]:
    jobs_of: defaultdict[str, set[str]] = defaultdict(set)
    for sample in servers:
        jobs_of[sample.instance[1]].add(sample.instance[0])
    twice = {address: jobs for address, jobs in jobs_of.items() if len(jobs) > 1}
    jobs = {job for same in jobs_of.values() for job in same}
    if twice:
        address, of = min(twice.items())
        yield critical(
            Check.INSTANCES,
            f"{listed(twice)} is scraped by several jobs: {listed(of)}.",
            "Every request counts as often as it is scraped, so throughput is too high and verdicts "
            "seem surer than they are.",
            f"Add a job to the selector, such as job={min(jobs_of[address])}.",
        )
    elif len(jobs) > 1:
        yield warning(
            Check.INSTANCES,
            f"The selector matches {len(jobs)} jobs: {listed(jobs)}.",
            "Requests of all of them are added up in one score.",
            f"If they are not one deployment, add a job to the selector, such as job={min(jobs)}.",
        )
    label = facts.preset.model_label
    models = {
        value
        for sample in servers
        for child in (*sample.histograms, *sample.counters)
        for name, value in child.labels
        if name == label
    }
    if label is not None and len(models) > 1:
        yield warning(
            Check.INSTANCES,
            f"The selector matches {len(models)} models: {listed(models)}.",
            "Requests of all of them are added up in one score.",
            f"Add the model to the selector, such as {label}={min(models)}.",
        )


def check_restarts(facts: Facts) -> Iterator[Finding]:
    """Whether a restart shows by the start of the process."""
    silent = [sample.instance for sample in facts.servers if sample.process_start is None]
    if silent:
        yield info(
            Check.RESTARTS,
            f"{instances_text(silent)}: no process_start_time_seconds.",
            "A restart shows by falling counts only, so one that has already passed its old counts "
            "at the next scrape is not seen.",
        )
    elif facts.servers:
        yield ok(Check.RESTARTS, "Restarts show by process_start_time_seconds.")


def check_scrapes(facts: Facts) -> Iterator[Finding]:
    """How many scrapes a window holds, and whether any failed."""
    # What is down now is a finding of its own.
    instances = {sample.instance for sample in facts.servers if sample.up is not False}
    seen = {one: each for one, each in facts.scrapes.items() if one in instances}
    if not instances:
        return
    if not seen:
        yield info(
            Check.SCRAPES,
            "There is no series up of these instances.",
            "How often they are scraped, or pushed, cannot be told.",
        )
        return
    interval = max((i for each in seen.values() if (i := interval_of(each))), default=None)
    if interval is None:
        yield warning(
            Check.SCRAPES,
            f"Fewer than two scrapes in the last {duration(facts.lookback)}.",
            "How often the server is scraped cannot be told yet.",
            "Look again when it was scraped a few times, or scrape it every 5 s.",
        )
    else:
        yield _against_window(facts, interval)
        if interval > facts.closing_wait:
            yield warning(
                Check.SCRAPES,
                f"A scrape every {duration(interval)}, and a finished experiment waits "
                f"{duration(facts.closing_wait)} for its last one.",
                "The end of a window is often not seen.",
                "Scrape more often, or raise evaluation.closing_wait.",
            )
    yield from _failures(facts, seen.values())


def _against_window(facts: Facts, interval: float) -> Finding:
    scrapes = facts.window / interval
    found = (
        f"A scrape every {duration(interval)}: a window of {duration(facts.window)} holds "
        f"{counted(scrapes // 1, 'scrape')}."
    )
    if scrapes >= FEWEST_SCRAPES:
        return ok(Check.SCRAPES, found)
    mend = (
        f"Set scrape_interval to {duration(facts.window / FEWEST_SCRAPES)} or less, or take longer "
        "windows, or let sloscore scrape the server itself (target)."
    )
    if scrapes < 1:
        return critical(
            Check.SCRAPES, found, "A window may pass without a scrape inside of it.", mend
        )
    means = "Up to one interval of other requests is counted at either end of the window."
    return warning(Check.SCRAPES, found, means, mend)


def _failures(facts: Facts, scrapes: Iterable[Sequence[Scraped]]) -> Iterator[Finding]:
    every = [one for each in scrapes for one in each]
    failed = sum(not one.succeeded for one in every)
    if failed:
        yield warning(
            Check.SCRAPES,
            f"{failed} of {counted(len(every), 'scrape')} in the last {duration(facts.lookback)} "
            "failed.",
            "What was counted before a restart in such a gap is lost, and windows end later.",
            "See the errors on Prometheus' page of targets; a longer scrape_timeout may help.",
        )


def interval_of(scrapes: Sequence[Scraped]) -> float | None:
    """The median distance of scrapes in seconds, None of fewer than two."""
    gaps = [after.time - before.time for before, after in pairwise(scrapes)]
    return statistics.median(gaps) if gaps else None
