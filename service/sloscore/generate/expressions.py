"""PromQL for what a deployment counted in a window, with nothing left where nothing was counted."""

from collections.abc import Sequence
from typing import Final

from sloscore.core.samples import Family, FamilyKind, Labels
from sloscore.core.shares import Held
from sloscore.core.sli import RATE, SHARE
from sloscore.generate.deployment import Deployment, Indicator
from sloscore.generate.text import Span, either, indented, plain
from sloscore.promql_text import matcher

# What a value past the last bound is above it, at the least: VictoriaMetrics keeps 12 digits.
_JUST_ABOVE = "1.000000000004"
# Drops NaN, which no comparison would ever find to be over a limit.
IS_NUMBER: Final = ">= 0"
_INFINITY = matcher("le", ["+Inf"])
_FINITE = matcher("le", ["+Inf"], negated=True)


class Counts:
    """What the series of a deployment counted over a window; ``function`` is increase or rate."""

    def __init__(self, selector: Labels, window: Span, function: str = "increase") -> None:
        self._selector = [matcher(label, [value]) for label, value in selector]
        self._window = window
        self._function = function

    def requests(self, family: Family) -> str:
        """Requests that a family saw."""
        if family.kind is FamilyKind.COUNTER:
            return self.total(family)
        return f"sum({self._growth(family, '_bucket', _INFINITY)})"

    def buckets(self, family: Family) -> str:
        """The histogram of all instances."""
        return f"sum by (le) ({self._growth(family, '_bucket')})"

    def up_to(self, family: Family, bounds: Sequence[str]) -> str:
        """Requests at or under a bucket bound, by all spellings of its ``le``."""
        return f"sum({self._growth(family, '_bucket', matcher('le', bounds))})"

    def below_infinity(self, family: Family) -> str:
        """Requests at or under the last finite bound."""
        return f"max(sum by (le) ({self._growth(family, '_bucket', _FINITE)}))"

    def sum(self, family: Family) -> str:
        """Sum of all values of a histogram."""
        return f"sum({self._growth(family, '_sum')})"

    def total(self, family: Family) -> str:
        """What a counter counted."""
        return f"sum({self._growth(family, '')})"

    def _growth(self, family: Family, suffix: str, *more: str) -> str:
        """Growth of each series, of the first spelling that an instance shows."""
        matchers = [
            *self._selector,
            *(matcher(label, values) for label, values in family.match),
            *(matcher(label, values, negated=True) for label, values in family.unless),
            *more,
        ]
        spellings = [
            f"{self._function}({_series(name + suffix, matchers)}[{self._window.text}])"
            for name in family.names
        ]
        return " or on (job, instance) ".join(spellings)


def value_of(deployment: Deployment, indicator: Indicator, window: Span) -> str:
    """The value of an SLI over the window, and nothing where it has none."""
    counts = Counts(deployment.selector, window)
    if indicator.sli.within:
        return _goodput(counts, deployment, indicator, window)
    if indicator.sli.statistic == RATE:
        return _rate(counts, deployment, indicator, window)
    if indicator.sli.statistic == SHARE:
        return _error_rate(counts, deployment, indicator)
    if indicator.sli.quantile is None:
        return _mean(counts, indicator)
    return _quantile(counts, indicator, indicator.sli.quantile)


def requests_in(deployment: Deployment, window: Span) -> str:
    """Requests that finished in the window, 0 where there are no series."""
    seen = _most(Counts(deployment.selector, window), deployment.counted)
    return either((*seen, "vector(0)"))


def _quantile(counts: Counts, indicator: Indicator, q: float) -> str:
    """The quantile, if there are enough requests.

    Where it lies past the last bucket bound it is told only if that bound is past the threshold.
    """
    family = indicator.family
    seen = counts.requests(family)
    value = f"histogram_quantile({q!r}, {counts.buckets(family)}){_scale(family)}"
    told = either(
        [
            f"{value}\nand\n{q!r} * {seen} <= {counts.below_infinity(family)}",
            f"{value} * {_JUST_ABOVE} > {plain(indicator.slo.threshold)}",
        ]
    )
    return f"(\n{indented(told)}\n)\nand\n{seen} >= {indicator.min_requests}"


def _mean(counts: Counts, indicator: Indicator) -> str:
    family = indicator.family
    enough = f"({counts.requests(family)} >= {indicator.min_requests})"
    return f"{counts.sum(family)}{_scale(family)}\n/ {enough}\n{IS_NUMBER}"


def _rate(counts: Counts, deployment: Deployment, indicator: Indicator, window: Span) -> str:
    """What was counted in a second; nothing is no value where there were no requests, either."""
    requests = _most(counts, deployment.counted)
    totals = [counts.total(family) for family in indicator.families]
    total = " + ".join(totals or requests)
    rate = f"{f'({total})' if totals[1:] else total} / {plain(window.seconds)}"
    if indicator.sli.signal.is_per_gpu:
        rate += f" / {deployment.gpus}"
    served = either(f"{counted} > 0" for counted in (*totals, *requests))
    return f"{rate}\n{IS_NUMBER}\nand\n(\n{indented(served)}\n)"


def _goodput(counts: Counts, deployment: Deployment, indicator: Indicator, window: Span) -> str:
    """The least of requests that can be within all limits; see core.goodput."""
    (requests,) = _most(counts, deployment.counted)
    lost = []
    for family, bound in zip(indicator.families, indicator.bounds, strict=True):
        seen, within = counts.requests(family), counts.up_to(family, bound)
        held = seen if deployment.counted == (family,) else f"({seen} > {requests} or {requests})"
        lost.append(f"({held} - {within})")
    if indicator.sli.statistic == RATE:
        good = f"clamp_min(({requests} > 0) - {' - '.join(lost)}, 0)"
        return f"{good} / {plain(window.seconds)}"
    enough = f"({requests} >= {indicator.min_requests})"
    return f"clamp_min(1 - ({' + '.join(lost)}) / {enough}, 0)"


def failed_share(counts: Counts, deployment: Deployment, indicator: Indicator) -> str:
    """The share of requests that failed, NaN where there were none at all."""
    errors, requests = (counts.total(family) for family in indicator.families)
    if deployment.told_by is not None:
        errors = f"({errors} or 0 * {counts.total(deployment.told_by)})"
    if deployment.failures.held is Held.NONE:
        return f"{errors} / ({requests} + {errors})"
    # Of failed requests that may be in both counters the share is the largest that is possible.
    return f"clamp_max({errors} / {requests}, 1)"


def _error_rate(counts: Counts, deployment: Deployment, indicator: Indicator) -> str:
    share = f"{failed_share(counts, deployment, indicator)}\n{IS_NUMBER}"
    if indicator.min_requests <= 1:
        return share
    total = " + ".join(
        counts.total(family)
        for family in indicator.families
        if family.role == "requests" or deployment.failures.held is Held.NONE
    )
    return f"{share}\nand\n{total} >= {indicator.min_requests}"


def _most(counts: Counts, families: Sequence[Family]) -> tuple[str, ...]:
    """The largest count of the families that there is; nothing where there are none."""
    most = ""
    for seen in map(counts.requests, families):
        most = f"({most} > {seen} or {seen} or {most})" if most else seen
    return (most,) if most else ()


def _series(name: str, matchers: Sequence[str]) -> str:
    """A selector; a name that could be a word of PromQL, such as inf, stands among the labels."""
    if "_" in name or ":" in name:
        return f"{name}{{{','.join(matchers)}}}"
    return f"{{{','.join([matcher('__name__', [name]), *matchers])}}}"


def _scale(family: Family) -> str:
    """What takes a value to seconds: 9 ms / 1000 are 0.009 s, 9 ms * 0.001 a little more."""
    return "" if family.scale == 1 else f" / {round(1 / family.scale)}"
