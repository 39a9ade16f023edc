"""Checks of which server it is, and whether it exposes what the task needs."""

import difflib
import math
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

from sloscore.advice.facts import Facts, telling
from sloscore.advice.findings import Check, Finding, critical, info, ok, warning
from sloscore.advice.limits import limits_of
from sloscore.advice.words import counted, instances_text, listed
from sloscore.core.histogram import Layout
from sloscore.core.samples import Family, FamilyKind, InstanceSample
from sloscore.errors import SpecError
from sloscore.sources.scrapes import native_name
from sloscore.spec.detect import recognise
from sloscore.spec.model import TaskSpec
from sloscore.spec.preset import Preset, load_preset, preset_for, roles_for

_FIRST_REQUEST = (
    "many servers show a metric only after their first request: send one and look again"
)
_MOST_CLOSE = 3
_CLOSE = 0.5


def find_preset(task: TaskSpec, names: Collection[str]) -> tuple[Preset | None, Finding]:
    """The preset that the task names or, where it names none, that the metrics tell.

    One that it names although other metrics are there is none.
    """
    named = preset_for(task)
    try:
        told = recognise(telling(names))
    except SpecError as error:
        if named is not None:
            return named, ok(Check.SERVER, f"The task names {named.server}.")
        problem = error.problems[0].removeprefix("server: ")
        return None, critical(
            Check.SERVER,
            f"The task names no server, and it {problem}"
            if problem.startswith("cannot")
            else f"The task names no server: {problem}",
            "Nothing can be read without knowing the server's metrics.",
            f"Name the server in the task or with --server. Or {_FIRST_REQUEST}.",
        )
    if named is None:
        return load_preset(told), ok(Check.SERVER, f"The metrics are those of {told}.")
    exposed = _exposed(names)
    if told != named.server and task.metrics is None and not _shows_any(named, exposed):
        return None, critical(
            Check.SERVER,
            f"The task names {named.server}, and the metrics are those of {told}.",
            f"No metric of {named.server} is there, so nothing would be counted.",
            f"Set server: {told} in the task, or select another deployment.",
        )
    return named, ok(Check.SERVER, f"The task names {named.server}.")


def check_metrics(facts: Facts) -> Iterator[Finding]:
    """Whether everything that scoring the task reads is exposed, by every instance."""
    asked = roles_for(facts.task, facts.preset)
    lacking = [role for role in asked if role not in facts.preset.metrics]
    for role in lacking:
        yield _lacking(facts.preset, role)
    # A server that shows no failed requests before the first lacks nothing without them.
    appears_later = "errors" if facts.preset.failures.zero_with else None
    families = [one for one in facts.target.families if one.role != appears_later]
    missing = [family for family in families if not _is_exposed(family, facts.names)]
    for family in missing:
        yield _missing(family, facts.names)
    partial = [
        finding
        for family in families
        if family not in missing
        for finding in _not_everywhere(family, facts)
    ]
    yield from partial
    if not (lacking or missing or partial):
        what = counted(len(families), "metric")
        yield ok(Check.METRICS, f"{what} needed, all there: {listed(f.role for f in families)}.")


def check_natives(facts: Facts) -> Iterator[Finding]:
    """Whether any histogram is native only, whose exponential bounds nobody can put on a limit."""
    limited = {limit.signal.value for limit in limits_of(facts.slos)}
    for family in facts.target.families:
        if not facts.is_only_native(family):
            continue
        name = next(name for name in family.names if name in facts.names)
        width = _exponential_width(family, facts)
        if family.role in limited and width is not None:
            yield info(
                Check.NATIVE,
                f"{name} is a native histogram only, with buckets {width:.2g} % wide.",
                "Its bounds cannot be put on a limit: as close as that to one, a verdict is "
                "uncertain.",
                "If that is too wide, keep the classic histogram as well "
                "(always_scrape_classic_histograms) and give it bounds at the limits.",
            )
        else:
            yield info(Check.NATIVE, f"{name} is a native histogram only.")


def _exponential_width(family: Family, facts: Facts) -> float | None:
    """How much wider than its lower bound each bucket is at most, in per cent."""
    ratios = [
        min(high / low for low, high in pairwise(bounds))
        for sample in facts.servers
        for child, histogram in sample.histograms.items()
        if child.role == family.role and histogram.layout is Layout.EXPONENTIAL
        if len(bounds := [bound for bound in histogram.bounds if 0 < bound < math.inf]) > 1
    ]
    return (max(ratios) - 1) * 100 if ratios else None


def _lacking(preset: Preset, role: str) -> Finding:
    try:
        preset.families([role])
    except SpecError as error:
        (problem,) = error.problems
    else:
        raise ValueError(f"{preset.server} has {role}")
    return critical(
        Check.METRICS,
        f"{problem[:1].upper()}{problem[1:]}.",
        "The task is refused for this server.",
        "Take an SLO and an objective on what it has, or name the metric under metrics in the task.",
    )


def _missing(family: Family, names: Collection[str]) -> Finding:
    exposed = _exposed(names)
    counted_only = [name for name in family.names if f"{name}_count" in names]
    if family.kind is FamilyKind.HISTOGRAM and counted_only:
        return critical(
            Check.METRICS,
            f"{counted_only[0]} has no buckets.",
            f"It is a summary, or its buckets are dropped: {family.role} cannot be measured.",
            "Keep its _bucket series (metric_relabel_configs), or name a histogram under metrics.",
        )
    close = difflib.get_close_matches(family.names[0], exposed, _MOST_CLOSE, _CLOSE)
    instead = f"The nearest that is there: {listed(close)}." if close else _what_is_there(exposed)
    return critical(
        Check.METRICS,
        f"{' or '.join(family.names)} is not exposed. {instead}",
        f"{family.role} cannot be measured, and reports say no_data.",
        f"Check how the server's metrics are switched on; {_FIRST_REQUEST}. A renamed metric can be "
        "named under metrics in the task.",
    )


def _what_is_there(exposed: Collection[str]) -> str:
    return f"There are {listed(exposed)}." if exposed else "No metrics are there."


def _not_everywhere(family: Family, facts: Facts) -> Iterator[Finding]:
    """A finding where some instances expose a metric and others do not."""
    servers = facts.servers
    if family.role == "errors" and servers and not _has_part(family, servers):
        yield warning(
            Check.METRICS,
            f"{family.names[0]} is exposed, but not its part {_part(family)}.",
            "Nobody can tell whether requests fail, and the error rate is reported as no_data.",
            "Name the counter of failed requests under metrics in the task, or update the server.",
        )
    having = {
        sample.instance
        for sample in servers
        for child in (*sample.histograms, *sample.counters)
        if child.role == family.role
    }
    without = [sample.instance for sample in servers if sample.instance not in having]
    if having and without:
        yield warning(
            Check.METRICS,
            f"{instances_text(without)} without {family.role}, which other instances expose.",
            f"{family.role} is measured on a part of the requests only.",
            f"Select what belongs together; or {_FIRST_REQUEST}.",
        )


def _has_part(family: Family, servers: Sequence[InstanceSample]) -> bool:
    return any(child.role == family.role for sample in servers for child in sample.counters)


def _part(family: Family) -> str:
    labels = (
        *(f"{label}={' or '.join(values)}" for label, values in family.match),
        *(f"{label} other than {' or '.join(values)}" for label, values in family.unless),
    )
    return f"with {', '.join(labels)}" if labels else "of any request"


def _is_exposed(family: Family, names: Collection[str]) -> bool:
    if any(native_name(family, name) in names for name in family.names):
        return True
    suffix = "" if family.kind is FamilyKind.COUNTER else "_bucket"
    return any(name + suffix in names for name in family.names)


def _exposed(names: Collection[str]) -> list[str]:
    """Names of histograms without their parts, and of everything else as it is."""
    histograms = {name.removesuffix("_bucket") for name in names if name.endswith("_bucket")}
    parts = {
        f"{name}_{part}" for name in histograms for part in ("bucket", "sum", "count", "created")
    }
    return sorted((telling(names) - parts) | histograms)


def _shows_any(preset: Preset, exposed: Collection[str]) -> bool:
    return any(name in exposed for metric in preset.metrics.values() for name in metric.names)
