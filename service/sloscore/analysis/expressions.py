"""What PromQL itself says of an SLI: the figure that a dashboard would show."""

from sloscore.core.objective import Signal
from sloscore.core.samples import Family, LabelValues, Target
from sloscore.core.sli import RATE, Sli
from sloscore.evaluation.measure import TOKENS_ROLE
from sloscore.promql_text import matcher, quote, quote_regex


def expression(sli: Sli, target: Target, seconds: float) -> str | None:
    """The SLI over the ``seconds`` before each moment, in its own unit, from ``rate()``.

    None where the target's server has no metric for it.
    """
    role = TOKENS_ROLE if sli.signal is Signal.THROUGHPUT else sli.signal.value
    family = next((family for family in target.families if family.role == role), None)
    if family is None:
        return None
    if sli.statistic == RATE:
        found = f"sum({_rate(family, target, '', seconds)})"
    elif sli.quantile is None:
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
