"""Where a limit is a bucket bound, so that the requests over it are counted."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from sloscore.core.samples import Family
from sloscore.errors import field_error
from sloscore.generate.deployment import Deployment, Indicator
from sloscore.generate.text import plain
from sloscore.spec.metric import Metric
from sloscore.spec.preset import Preset

# Go prints a float with an exponent from this power of ten on, and below the other one.
_LARGE, _SMALL = 6, -4
_ENOUGH_SHOWN = 12


def bound_at(
    deployment: Deployment, indicator: Indicator, *, assumed: bool
) -> tuple[str, ...] | None:
    """The bound at an SLI's threshold, as the labels ``le`` that it can have.

    One that the server comes with, or an assumed one; None where there is none.
    """
    return _bound(_metric(deployment, indicator.family), indicator.slo.threshold, assumed=assumed)


def why_none(deployment: Deployment, indicator: Indicator) -> str:
    """Why the requests over a threshold are not counted, and what to set."""
    limit = f"its threshold of {plain(indicator.slo.threshold)} s"
    return _why_none(deployment, indicator.family, indicator.slo.threshold, limit)


def with_bounds(deployment: Deployment, *, assumed: bool) -> Deployment:
    """The deployment with the bounds at the limits of its goodput.

    Raises SpecError where one of them is no bound: nobody counts the requests within it then.
    """
    indicators, problems = [], []
    for indicator in deployment.indicators:
        bounds = []
        for (signal, limit), family in zip(indicator.sli.within, indicator.families, strict=False):
            bound = _bound(_metric(deployment, family), limit, assumed=assumed)
            bounds.append(bound or ())
            if bound is None:
                named = f"the limit of {plain(limit)} s of {signal}"
                why = _why_none(deployment, family, limit, named)
                problems.append(f"slo.goodput: cannot be told by a ruler: {why}")
        indicators.append(replace(indicator, bounds=tuple(bounds)))
    if problems:
        raise field_error(*problems, file=deployment.file)
    return replace(deployment, indicators=tuple(indicators))


def _bound(metric: Metric, limit: float, *, assumed: bool) -> tuple[str, ...] | None:
    for bound in metric.buckets:
        if (bound if metric.scale == 1 else _rounded(bound * metric.scale)) == limit:
            return spellings(bound)
    return spellings(_in_unit(limit, metric.scale)) if assumed else None


def _why_none(deployment: Deployment, family: Family, seconds: float, limit: str) -> str:
    metric = _metric(deployment, family)
    if metric.buckets:
        bounds = ", ".join(map(plain, metric.buckets[:_ENOUGH_SHOWN]))
        more = ", ..." if len(metric.buckets) > _ENOUGH_SHOWN else ""
        server = deployment.preset.server
        reason = f"{limit} is no bucket bound of {server} ({bounds}{more} {metric.unit})"
    else:
        reason = f"nobody knows whether {limit} is a bucket bound of the server"
    bound = plain(_in_unit(seconds, metric.scale))
    return f"{reason}. {_how(deployment, family, bound)} Then use --assume-bound."


def spellings(bound: float) -> tuple[str, ...]:
    """What exporters and Prometheus write for a bound: ``5`` and ``5.0``, ``1e+06`` and ``1000000``."""
    exact = Decimal(repr(bound))
    whole = format(exact, "f")
    whole = whole.rstrip("0").rstrip(".") if "." in whole else whole
    _, digits, shift = exact.normalize().as_tuple()
    power = len(digits) - 1 + int(shift)
    found = [whole, repr(bound)]
    if bound and not _SMALL <= power < _LARGE:
        rest = "".join(map(str, digits[1:]))
        found.append(f"{digits[0]}{'.' if rest else ''}{rest}e{power:+03d}")
    return tuple(dict.fromkeys(found))


def _metric(deployment: Deployment, family: Family) -> Metric:
    metrics = {str(role): metric for role, metric in deployment.preset.metrics.items()}
    return metrics[family.role]


def _in_unit(seconds: float, scale: float) -> float:
    return seconds if scale == 1 else _rounded(seconds / scale)


def _rounded(product: float) -> float:
    """Without the noise of a change of units."""
    return float(f"{product:.15g}")


def _how(deployment: Deployment, family: Family, bound: str) -> str:
    flag = _flag(deployment.preset, family.role)
    if flag is not None:
        file = Path(deployment.file).name
        return f"Add {bound} to its buckets with {flag}: sloscore buckets {file} prints it in full."
    help_text = deployment.preset.bucket_help
    return f"Add {bound} to its buckets.{f' {help_text}.' if help_text else ''}"


def _flag(preset: Preset, role: str) -> str | None:
    option = preset.bucket_option
    if option is None:
        return None
    for family, roles in option.families.items():
        if role in roles:
            return option.flag or family
    return None
