"""Alerts on how fast an error budget is spent: the share of requests over a threshold.

A quantile's SLO is a budget: that P99 be at or under 10 s allows 1 % of requests to take longer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sloscore import conventions as names
from sloscore.generate.alerting import WHAT_TO_DO, alert
from sloscore.generate.bounds import bound_at, why_none
from sloscore.generate.deployment import Deployment, Indicator
from sloscore.generate.expressions import Counts
from sloscore.generate.rules import Alert, Group, Recording, small_groups
from sloscore.generate.text import Span, plain
from sloscore.generate.verdicts import sli_selector


@dataclass(frozen=True, slots=True)
class BurnRate:
    """An alert where the budget is spent ``factor`` times too fast over both windows.

    ``spent`` is the share of the budget of 30 days that goes in the long window at that rate.
    """

    long: Span
    short: Span
    factor: Decimal
    spent: str
    severity: str


_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
# The Site Reliability Workbook (Google, 2018), chapter 5, "Alerting on SLOs", table 5-8:
# https://sre.google/workbook/alerting-on-slos/
BURN_RATES: Final = (
    BurnRate(Span(_HOUR), Span(5 * _MINUTE), Decimal("14.4"), "2%", "critical"),
    BurnRate(Span(6 * _HOUR), Span(30 * _MINUTE), Decimal(6), "5%", "critical"),
    BurnRate(Span(3 * _DAY), Span(6 * _HOUR), Decimal(1), "10%", "warning"),
)
# Windows from here on move slowly and are costly to read.
_SLOW: Final = Span(6 * _HOUR)
_SLOW_INTERVAL: Final = Span(2 * _MINUTE)
_BOUND_WINDOW: Final = Span(5 * _MINUTE)
_BOUND_MISSING_HOLD: Final = Span(15 * _MINUTE)


@dataclass(frozen=True, slots=True)
class Budget:
    """The ``share`` of requests that an SLI lets be over its threshold, which is a bucket bound."""

    deployment: Deployment
    indicator: Indicator
    le: tuple[str, ...]
    share: Decimal

    @property
    def rates(self) -> tuple[BurnRate, ...]:
        """The burn rates that can be reached: with 10 % of all requests allowed, no more than 10."""
        return tuple(rate for rate in BURN_RATES if rate.factor * self.share < 1)

    @property
    def windows(self) -> tuple[Span, ...]:
        """The windows that these look at, ascending."""
        spans = {span for rate in self.rates for span in (rate.long, rate.short)}
        return tuple(sorted(spans, key=lambda span: span.seconds))

    def spent_over(self, window: Span) -> str:
        """The recorded share of requests over the threshold."""
        name = names.RULE_OVER_THRESHOLD.format(window=window.text)
        return sli_selector(name, self.deployment.task, self.indicator.sli)


def budgets_of(
    deployment: Deployment, *, assume_bounds: bool
) -> tuple[tuple[Budget, ...], tuple[str, ...]]:
    """The budgets that requests are counted against, and of all other SLIs why they are not."""
    budgets: list[Budget] = []
    remarks: list[str] = []
    for indicator in deployment.indicators:
        sli = indicator.sli
        if sli.quantile is None:
            remarks.append(f"No burn-rate alerts for {sli.id}: a {sli.statistic} has no budget.")
            continue
        le = bound_at(deployment, indicator, assumed=assume_bounds)
        if le is None:
            remarks.append(f"No burn-rate alerts for {sli.id}: {why_none(deployment, indicator)}")
            continue
        share = 1 - Decimal(sli.statistic[1:]) / 100
        budget = Budget(deployment, indicator, le, share)
        budgets.append(budget)
        if missing := [rate for rate in BURN_RATES if rate not in budget.rates]:
            times = " or ".join(str(rate.factor) for rate in missing)
            remarks.append(
                f"No alert for {sli.id} at a burn rate of {times}: its budget is {_percent(share)} of "
                "all requests, which cannot be spent so fast."
            )
    return tuple(budgets), tuple(remarks)


def burn_groups(
    deployment: Deployment, budgets: Sequence[Budget], interval: Span
) -> tuple[Group, ...]:
    """The shares of requests over the thresholds, in the windows of all burn rates."""
    fast = [_recording(b, window) for b in budgets for window in b.windows if not _is_slow(window)]
    slow = [_recording(b, window) for b in budgets for window in b.windows if _is_slow(window)]
    seldom = max(interval, _SLOW_INTERVAL, key=lambda span: span.seconds)
    return (
        *small_groups("burn", deployment.task, interval, fast),
        *small_groups("slow-burn", deployment.task, seldom, slow),
    )


def burn_alerts(budget: Budget) -> Iterator[Alert]:
    """An alert for each burn rate, and one for a bound that is not there, where none could fire."""
    sli, slo = budget.indicator.sli, budget.indicator.slo
    limit = f"{plain(slo.threshold)} {sli.signal.unit}"
    for rate in budget.rates:
        allowed = f"{rate.factor} * {budget.share}"
        yield alert(
            names.DEPLOYMENT_BUDGET_BURN,
            f"{budget.spent_over(rate.long)} > {allowed}\n"
            f"and\n{budget.spent_over(rate.short)} > {allowed}",
            budget.deployment,
            sli,
            severity=rate.severity,
            window=rate.long,
            summary=f"{sli.id} of {{task}} has a burn rate above {rate.factor}",
            description=(
                "{{ $value | humanizePercentage }} of the requests of the last "
                f"{rate.long.text} took longer than {limit}, where {sli.statistic.upper()} allows "
                f"{_percent(budget.share)}, and the last {rate.short.text} are no better. At this "
                f"rate {rate.spent} of the budget of 30 days goes in {rate.long.text}. {WHAT_TO_DO}"
            ),
        )
    if not budget.rates:
        return
    counts = Counts(budget.deployment.selector, _BOUND_WINDOW, "rate")
    family = budget.indicator.family
    yield alert(
        names.DEPLOYMENT_BOUND_MISSING,
        f"{counts.requests(family)} > 0\nunless\n{counts.up_to(family, budget.le)}",
        budget.deployment,
        sli,
        severity="warning",
        window=_BOUND_WINDOW,
        hold=_BOUND_MISSING_HOLD,
        summary=f"{sli.id} of {{task}} has no bucket bound at its threshold",
        description=(
            f"{family.names[0]} has no bucket that ends at {limit}, so no burn-rate alert of "
            f"{sli.id} can fire. Give the server that bound, or make the rules again with the "
            "server's own bounds."
        ),
    )


def _recording(budget: Budget, window: Span) -> Recording:
    counts = Counts(budget.deployment.selector, window, "rate")
    sli, family = budget.indicator.sli, budget.indicator.family
    within, total = counts.up_to(family, budget.le), counts.requests(family)
    return Recording(
        names.RULE_OVER_THRESHOLD.format(window=window.text),
        f"1 - {within}\n/ ({total} > 0)",
        {names.LABEL_TASK: budget.deployment.task, names.LABEL_SLI: sli.id},
        f"Share of requests over {plain(budget.indicator.slo.threshold)} {sli.signal.unit}.",
    )


def _is_slow(window: Span) -> bool:
    return window.seconds >= _SLOW.seconds


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f}%"
