"""Alerts on the verdicts: a soft violation warns, a hard fail pages, missing data is never silent."""

from collections.abc import Iterator
from typing import Final

from sloscore import conventions as names
from sloscore.core.penalty import Slo
from sloscore.core.sli import RATE, SHARE, Sli
from sloscore.core.units import RATIO
from sloscore.generate.deployment import Deployment, Indicator
from sloscore.generate.recording import judged
from sloscore.generate.rules import Alert
from sloscore.generate.text import Span, limit_text
from sloscore.generate.verdicts import title_of

WHAT_TO_DO: Final = (
    "Take load off the deployment or add replicas, and look at what changed: traffic, prompt "
    "lengths, its configuration."
)
# A page does not wait; what only warns must last.
_HOLD: Final = Span(300)
_VALUE: Final = "{{ printf `%.4g` $value }}"
_SHARE: Final = "{{ $value | humanizePercentage }}"


def alert(  # noqa: PLR0913  an alert is made of these
    name: str,
    expr: str,
    deployment: Deployment,
    sli: Sli,
    *,
    severity: str,
    window: Span,
    summary: str,
    description: str,
    hold: Span | None = None,
) -> Alert:
    """An alert on one SLI; in its texts, which are templates, ``{task}`` is the task's name."""
    labels = {
        names.LABEL_SEVERITY: severity,
        names.LABEL_TASK: deployment.task,
        names.LABEL_SLI: sli.id,
        names.LABEL_WINDOW: window.text,
    }
    texts = {"summary": summary, "description": description}
    annotations = {key: text.replace("{task}", deployment.task) for key, text in texts.items()}
    return Alert(name, expr, None if hold is None else hold.text, labels, annotations)


def verdict_alerts(deployment: Deployment, indicator: Indicator, window: Span) -> Iterator[Alert]:
    """A soft violation, a hard fail, and no data."""
    sli, slo = indicator.sli, indicator.slo
    verdict = judged(deployment, indicator, window)
    value = f"{title_of(sli)} of {{task}} over {window.text} is {_shown(sli.signal.unit)}"
    yield alert(
        names.DEPLOYMENT_VIOLATION,
        f"{verdict.violation}\nunless\n{verdict.hard_violation}"
        if slo.hard_fail
        else verdict.violation,
        deployment,
        sli,
        severity="warning",
        window=window,
        hold=_HOLD,
        summary=f"{sli.id} of {{task}} violates its SLO",
        description=f"{value}, {_past(slo)} its {_threshold(sli, slo)}. {WHAT_TO_DO}",
    )
    if slo.hard_fail:
        yield alert(
            names.DEPLOYMENT_HARD_FAIL,
            f"{verdict.violation}\nand\n{verdict.hard_violation}",
            deployment,
            sli,
            severity="critical",
            window=window,
            summary=f"{sli.id} of {{task}} violates its SLO by {_percent(slo.fail_ratio)} or more",
            description=(
                f"{value}, {_past(slo)} its {_threshold(sli, slo)} by at least its hard limit of "
                f"{_percent(slo.fail_ratio)}. {WHAT_TO_DO} If a change of the deployment came "
                "before it, take that back."
            ),
        )
    yield alert(
        names.DEPLOYMENT_NO_DATA,
        verdict.no_value,
        deployment,
        sli,
        severity="warning",
        window=window,
        hold=_HOLD,
        summary=f"{sli.id} of {{task}} has no data",
        description=(
            f"Nothing can be said of {sli.title} of {{task}} over {window.text}: "
            f"{_unknown(indicator)}. Is the deployment up and scraped, and does the task's selector "
            "name labels that its series carry? With little traffic make the rules with a longer "
            "--window."
        ),
    )


def _shown(unit: str) -> str:
    return _SHARE if unit == RATIO else f"{_VALUE} {unit}"


def _unknown(indicator: Indicator) -> str:
    if indicator.sli.statistic == RATE:
        counted = "no tokens and no requests" if indicator.families else "no requests"
        return f"{counted}, or no such series"
    if indicator.sli.statistic == SHARE:
        return "no requests, or no such series"
    few = f"fewer than {indicator.min_requests} requests"
    if indicator.sli.quantile is None:
        return f"{few}, or no such series"
    return f"{few}, no such series, or a value past a last bucket bound under the threshold"


def _threshold(sli: Sli, slo: Slo) -> str:
    name = "minimum" if slo.is_minimum else "threshold"
    return f"{name} of {limit_text(slo.threshold, sli.signal.unit)}"


def _percent(ratio: float) -> str:
    return f"{ratio * 100:.12g}%"


def _past(slo: Slo) -> str:
    return "under" if slo.is_minimum else "over"
