"""What PromQL itself says of an SLI: the figure that a dashboard would show."""

from sloscore.core.samples import Family, FamilyKind, LabelValues, Target
from sloscore.core.sli import RATE, Sli
from sloscore.promql_text import matcher, quote, quote_regex


def expression(sli: Sli, target: Target, seconds: float, gpus: int | None = None) -> str | None:
    """The SLI over the ``seconds`` before each moment, in its own unit, from ``rate()``.

    ``gpus`` is how many the deployment runs on. None where the target's server has no metric for it.
    """
    if sli.statistic == RATE:
        return _of_window(sli, target, seconds, gpus)
    family = _family(target, sli.signal.value)
    if family is None:
        return None
    if sli.quantile is None:
        total, count = (_rate(family, target, part, seconds) for part in ("_sum", "_count"))
        found = f"sum({total}) / sum({count})"
    else:
        buckets, native = (_rate(family, target, part, seconds) for part in ("_bucket", ""))
        # A native histogram counts where its classic one is not there.
        found = " or ".join(
            f"histogram_quantile({sli.quantile!r}, {total})"
            for total in (f"sum by (le) ({buckets})", f"sum({native})")
        )
    return found if family.scale == 1 else f"{family.scale!r} * ({found})"


def _of_window(sli: Sli, target: Target, seconds: float, gpus: int | None) -> str | None:
    """A rate: of counters, or of the requests that the latency counts, or else a counter."""
    families = [family for role in sli.roles if (family := _family(target, role))]
    if not sli.roles:
        counting = (_family(target, role) for role in ("latency", "requests"))
        families = [family for family in counting if family][:1]
    if not families or len(families) < len(sli.roles):
        return None
    rates = (
        _rate(family, target, "_count" if family.kind is FamilyKind.HISTOGRAM else "", seconds)
        for family in families
    )
    found = " + ".join(f"sum({rate})" for rate in rates)
    return f"({found}) / {gpus}" if sli.signal.is_per_gpu else found


def _family(target: Target, role: str) -> Family | None:
    return next((family for family in target.families if family.role == role), None)


def _rate(family: Family, target: Target, suffix: str, seconds: float) -> str:
    names = [name + suffix for name in family.names]
    matchers = [
        matcher("__name__", names),
        *(matcher(label, [value]) for label, value in target.selector),
        *_each(family.match, "=~"),
        *_each(family.unless, "!~"),
    ]
    return f"rate({{{','.join(matchers)}}}[{max(1, round(seconds * 1000))}ms])"


def _each(labels: LabelValues, operator: str) -> list[str]:
    return [
        f"{label}{operator}{quote('|'.join(quote_regex(value) for value in values))}"
        for label, values in labels
    ]
