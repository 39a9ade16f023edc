"""Checks of the bounds that the server has: alike everywhere, and on the limits of the task."""

import math
from collections.abc import Iterator, Mapping, Sequence

from sloscore.advice.buckets import advise
from sloscore.advice.facts import Facts
from sloscore.advice.findings import Check, Finding, Severity, ok, warning, worst_of
from sloscore.advice.limits import Bucket, Limit, LimitKind, limits_of
from sloscore.advice.options import option_for
from sloscore.advice.words import bounds_text, instances_text
from sloscore.core.samples import Family, FamilyKind
from sloscore.errors import SpecError
from sloscore.sources.scrapes import Instance
from sloscore.spec.metric import Metric
from sloscore.spec.preset import Preset

Bounds = tuple[float, ...]

# Of a bucket this narrow, as a share of the limit inside of it, the verdict is off by no more.
_NARROW = 0.1

_WIDENED = (
    "Requests in that bucket count as past the limit, so goodput is told lower than it may be."
)


def check_buckets(facts: Facts) -> Iterator[Finding]:
    """Whether all series of all instances have the same bounds, metric by metric."""
    differing = False
    histograms = _histogram_families(facts)
    for family in histograms:
        series = _bounds_of_series(facts, family)
        shared = _shared([bounds for _, bounds in series])
        odd = [(one, set(bounds) - set(shared)) for one, bounds in series]
        extra = {bound for _, more in odd for bound in more}
        if not extra:
            continue
        differing = True
        yield warning(
            Check.BUCKETS,
            f"The buckets of {family.role} differ: only some of its series have bounds at "
            f"{bounds_text(extra)} ({instances_text([one for one, more in odd if more])}).",
            f"Only the {len(shared)} common bounds can be used, so verdicts are less certain.",
            "Give all replicas the same buckets.",
        )
    if histograms and facts.servers and not differing:
        yield ok(Check.BUCKETS, "All instances have the same buckets.")


def check_limits(facts: Facts) -> Iterator[Finding]:
    """Whether each limit of the task is a bound of its metric."""
    limits = limits_of(facts.slos)
    if not limits:
        yield ok(Check.LIMITS, "No limit of the task needs a bucket bound.")
        return
    bounds = {
        family.role: _shared([bounds for _, bounds in _bounds_of_series(facts, family)])
        for family in _histogram_families(facts)
    }
    known = [limit for limit in limits if bounds.get(limit.signal.value)]
    groups: dict[tuple[str, Bucket], list[Limit]] = {}
    for limit in known:
        bucket = limit.bucket_in(bounds[limit.signal.value])
        if bucket is not None:
            groups.setdefault((limit.name, bucket), []).append(limit)
    command = _option(facts, bounds) if groups else None
    for (_, bucket), inside in groups.items():
        yield _inside(inside, bucket, facts.preset, command)
    if known and not groups:
        number = (
            "The limit is a bucket bound" if len(known) == 1 else "All limits are bucket bounds"
        )
        yield ok(Check.LIMITS, f"{number}: verdicts follow from counts.")


def _inside(
    limits: Sequence[Limit], bucket: Bucket, preset: Preset, command: str | None
) -> Finding:
    signal, unit = limits[0].signal, limits[0].signal.unit
    named = " and ".join(f"{limit.kind} of {limit.bound:.12g} {unit}" for limit in limits)
    verb = "lies" if len(limits) == 1 else "lie"
    found = f"The {named} of {limits[0].name} {verb} inside the bucket {bucket}."
    at = " and ".join(f"{limit.bound:.12g}" for limit in limits)
    mend = f"Give {signal} {'a bucket bound' if len(limits) == 1 else 'bucket bounds'} at {at}"
    if command is not None:
        mend += ": add this to the command of every replica."
    else:
        mend += f". {preset.bucket_help}." if preset.bucket_help else "."
    severity = worst_of(_severity(limit, bucket) for limit in limits)
    means = _WIDENED if limits[0].kind is LimitKind.WITHIN else _meaning(bucket)
    return Finding(severity, Check.LIMITS, found, means, mend, command or "")


def _severity(limit: Limit, bucket: Bucket) -> Severity:
    if math.isinf(bucket.upper) and limit.kind is not LimitKind.WITHIN:
        return Severity.CRITICAL
    narrow = bucket.upper - bucket.lower <= _NARROW * limit.value
    return Severity.INFO if narrow else Severity.WARNING


def _meaning(bucket: Bucket) -> str:
    if math.isinf(bucket.upper):
        return (
            f"Above {bucket.lower:.12g} nothing is told apart: a value there is no data, or never a "
            "hard fail."
        )
    if bucket.lower == 0:
        return "Below the first bound values are interpolated from 0, so the verdict is a guess."
    return "A value in that bucket has no certain verdict, however many requests there are."


def _option(facts: Facts, bounds: Mapping[str, Bounds]) -> str | None:
    """The server's option for the bounds that it has together with those that it lacks."""
    metrics = {
        role: _with_bounds(metric, bounds.get(str(role)))
        for role, metric in facts.preset.metrics.items()
    }
    try:
        advice = advise(facts.task, facts.preset.model_copy(update={"metrics": metrics}))
    except SpecError:
        # The server lacks a metric that the task needs, which is a finding of its own.
        return None
    return option_for(advice)


def _with_bounds(metric: Metric, seconds: Bounds | None) -> Metric:
    if not seconds:
        return metric
    # Zero is no bound that a server takes; buckets begin there anyway.
    own = tuple(float(f"{bound / metric.scale:.15g}") for bound in seconds if bound > 0)
    return metric.model_copy(update={"buckets": own})


def _histogram_families(facts: Facts) -> list[Family]:
    return [
        family
        for family in facts.target.families
        if family.kind is FamilyKind.HISTOGRAM and not facts.is_only_native(family)
    ]


def _bounds_of_series(facts: Facts, family: Family) -> list[tuple[Instance, Bounds]]:
    """The finite bounds of each series of a family, with its instance."""
    return [
        (sample.instance, tuple(bound for bound in histogram.bounds if math.isfinite(bound)))
        for sample in facts.servers
        for child, histogram in sample.histograms.items()
        if child.role == family.role
    ]


def _shared(each: Sequence[Bounds]) -> Bounds:
    return tuple(sorted(set(each[0]).intersection(*each[1:]))) if each else ()
