"""Alerts on how fast an error budget is spent: the share of requests over a threshold.

A quantile's SLO is a budget: that P99 be at or under 10 s allows 1 % of requests to take longer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sloscore import conventions as names
from sloscore.core.objective import Signal
from sloscore.generate.alerting import WHAT_TO_DO, alert
from sloscore.generate.bounds import bound_at, why_none
from sloscore.generate.deployment import Deployment, Indicator
from sloscore.generate.expressions import IS_NUMBER, Counts, failed_share
from sloscore.generate.rules import Alert, Group, Recording, small_groups
from sloscore.generate.text import Span, limit_text
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
    """The ``share`` of requests that an SLI lets be over its threshold, or lets fail.

    The threshold is a bucket bound, of which ``le`` has all spellings; failures need none.
    """

    deployment: Deployment
    indicator: Indicator
    share: Decimal
    le: tuple[str, ...] = ()

    @property
    def is_of_failures(self) -> bool:
        """Whether it is spent by failed requests, not by slow ones."""
        return self.indicator.sli.signal is Signal.ERROR_RATE

    @property
    def rates(self) -> tuple[BurnRate, ...]:
        """The burn rates that can be reached: with 10 % of all requests allowed, no more than 10."""
        return tuple(rate for rate in BURN_RATES if rate.factor * self.share < 1)

    @property
    def windows(self) -> tuple[Span, ...]:
        """The windows that these look at, ascending."""
        spans = {span for rate in self.rates for span in (rate.long, rate.short)}
        return tuple(sorted(spans, key=lambda span: span.seconds))

    def name(self, window: Span) -> str:
        """The name under which what is spent is recorded."""
        name = names.RULE_FAILED if self.is_of_failures else names.RULE_OVER_THRESHOLD
        return name.format(window=window.text)

    def spent_over(self, window: Span) -> str:
        """The recorded share of requests that spend it."""
        return sli_selector(self.name(window), self.deployment.task, self.indicator.sli)

    def spent(self, window: Span) -> str:
        """The expression that is recorded."""
        counts = Counts(self.deployment.selector, window, "rate")
        if self.is_of_failures:
            return f"{failed_share(counts, self.deployment, self.indicator)}\n{IS_NUMBER}"
        family = self.indicator.family
        within, total = counts.up_to(family, self.le), counts.requests(family)
        return f"1 - {within}\n/ ({total} > 0)"


def budgets_of(
    deployment: Deployment, *, assume_bounds: bool
) -> tuple[tuple[Budget, ...], tuple[str, ...]]:
    """The budgets that requests are counted against, and of all other SLIs why they are not."""
    budgets: list[Budget] = []
    remarks: list[str] = []
    for indicator in deployment.indicators:
        sli = indicator.sli
        budget = _budget(deployment, indicator, assume_bounds=assume_bounds)
        if isinstance(budget, str):
            remarks.append(f"No burn-rate alerts for {sli.id}: {budget}")
            continue
        budgets.append(budget)
        if missing := [rate for rate in BURN_RATES if rate not in budget.rates]:
            times = " or ".join(str(rate.factor) for rate in missing)
            remarks.append(
                f"No alert for {sli.id} at a burn rate of {times}: its budget is "
                f"{_percent(budget.share)} of all requests, which cannot be spent so fast."
            )
    return tuple(budgets), tuple(remarks)


def _budget(deployment: Deployment, indicator: Indicator, *, assume_bounds: bool) -> Budget | str:
    """The budget of an SLI, or why it has none."""
    sli = indicator.sli
    if sli.signal is Signal.ERROR_RATE:
        return Budget(deployment, indicator, Decimal(repr(indicator.slo.threshold)))
    if sli.quantile is None:
        return f"a {sli.statistic} has no budget."
    le = bound_at(deployment, indicator, assumed=assume_bounds)
    if le is None:
        return why_none(deployment, indicator)
    return Budget(deployment, indicator, 1 - Decimal(sli.statistic[1:]) / 100, le)


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
    limit = limit_text(slo.threshold, sli.signal.unit)
    spent, allows = f"took longer than {limit}", sli.statistic.upper()
    if budget.is_of_failures:
        spent, allows = "failed", "the threshold"
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
                f"{rate.long.text} {spent}, where {allows} allows "
                f"{_percent(budget.share)}, and the last {rate.short.text} are no better. At this "
                f"rate {rate.spent} of the budget of 30 days goes in {rate.long.text}. {WHAT_TO_DO}"
            ),
        )
    if not budget.rates or budget.is_of_failures:
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
    sli, slo = budget.indicator.sli, budget.indicator.slo
    which = (
        "that failed"
        if budget.is_of_failures
        else (f"over {limit_text(slo.threshold, sli.signal.unit)}")
    )
    return Recording(
        budget.name(window),
        budget.spent(window),
        {names.LABEL_TASK: budget.deployment.task, names.LABEL_SLI: sli.id},
        f"Share of requests {which}.",
    )


def _is_slow(window: Span) -> bool:
    return window.seconds >= _SLOW.seconds


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f}%"
