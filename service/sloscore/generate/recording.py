"""Recording rules: values from the server's series, and everything else from those values.

No rule reads what another one made of a value. Where a ruler sends its results elsewhere before it
can read them, as vmalert does, verdicts are those of the evaluation before, and never older.
"""

from collections.abc import Iterator

from sloscore import conventions as names
from sloscore.core.curve import PenaltyFunction
from sloscore.core.penalty import Slo
from sloscore.generate.curves import FORMULAS
from sloscore.generate.deployment import Deployment, Indicator
from sloscore.generate.expressions import requests_in, value_of
from sloscore.generate.rules import Group, Recording
from sloscore.generate.text import Span, either, indented, limit_text
from sloscore.generate.verdicts import Judged, sli_selector, title_of, value_name


def judged(deployment: Deployment, indicator: Indicator, window: Span) -> Judged:
    """The recorded value of an SLI against its limit."""
    name = value_name(indicator.sli, window.text)
    selector = sli_selector(name, deployment.task, indicator.sli)
    return Judged(selector, indicator.slo)


def recording_group(deployment: Deployment, window: Span, interval: Span) -> Group:
    """All that the score of a deployment is made of, in one group: of one moment."""
    slis = [judged(deployment, indicator, window) for indicator in deployment.indicators]
    rules = (
        *(_value(deployment, indicator, window) for indicator in deployment.indicators),
        *_by_sli(deployment, slis, window),
        *_of_task(deployment, slis, window),
    )
    return Group(f"sloscore-slis-{deployment.task}", interval.text, rules)


def _value(deployment: Deployment, indicator: Indicator, window: Span) -> Recording:
    sli = indicator.sli
    return Recording(
        value_name(sli, window.text),
        value_of(deployment, indicator, window),
        {names.LABEL_TASK: deployment.task, names.LABEL_SLI: sli.id},
        f"{title_of(sli)}, {_limit(indicator.slo, sli.signal.unit)}.",
    )


def _by_sli(deployment: Deployment, slis: list[Judged], window: Span) -> tuple[Recording, ...]:
    """Rules whose labels are those of the values; the task's is there for linters to see."""
    parts = (
        (
            names.RULE_VIOLATION,
            [sli.ratio for sli in slis],
            "How far each SLI is past its threshold, as a share of it; met at 0 and below.",
        ),
        *_penalties(slis),
        (
            names.RULE_HARD_FAIL,
            [sli.hard_fail for sli in slis],
            "1 where the violation ratio of an SLI with hard_fail reaches its fail ratio.",
        ),
        (
            names.RULE_NO_DATA,
            [sli.no_data for sli in slis],
            "1 where an SLI has no value, which never counts as met.",
        ),
    )
    labels = {names.LABEL_TASK: deployment.task}
    return tuple(
        Recording(name.format(window=window.text), either(expressions), labels, comment)
        for name, expressions, comment in parts
    )


def _penalties(slis: list[Judged]) -> Iterator[tuple[str, list[str], str]]:
    """A rule for each penalty function that a limit has, as its name says which that is."""
    for function in PenaltyFunction:
        penalties = [sli.penalty for sli in slis if sli.slo.curve.function is function]
        if penalties:
            yield names.RULE_PENALTY[function], penalties, FORMULAS[function]


def _of_task(deployment: Deployment, slis: list[Judged], window: Span) -> tuple[Recording, ...]:
    # Each term loses its labels, so that a sum with a part that is missing is missing, too.
    penalties = "\n+ ".join(f"max({sli.penalty})" for sli in slis)
    hard_fails = either(sli.fails for sli in slis)
    missing = either(sli.no_value for sli in slis)
    parts = (
        (
            names.RULE_TASK_REQUESTS,
            requests_in(deployment, window),
            "Requests that finished in the window.",
        ),
        (
            names.RULE_TASK_PENALTY,
            penalties,
            "The sum of all penalties, and nothing where one of them is not known.",
        ),
        (
            names.RULE_TASK_MULTIPLIER,
            f"1 + (\n{indented(penalties)}\n)",
            "What a base score is multiplied with, or divided by where it is maximised.",
        ),
        (
            names.RULE_TASK_HARD_FAIL,
            f"max(\n{indented(hard_fails)}\n)\nor\nvector(0)",
            "1 where any SLI fails hard.",
        ),
        (
            names.RULE_TASK_NO_DATA,
            f"max(\n{indented(missing)}\n)\nor\nvector(0)",
            "1 where any SLI has no value.",
        ),
    )
    labels = {names.LABEL_TASK: deployment.task}
    return tuple(
        Recording(name.format(window=window.text), expr, labels, comment)
        for name, expr, comment in parts
    )


def _limit(slo: Slo, unit: str) -> str:
    side, past = ("above", "under") if slo.is_minimum else ("under", "over")
    text = f"met at and {side} {limit_text(slo.threshold, unit)}"
    if slo.hard_fail:
        text += f", a hard fail from {slo.fail_ratio * 100:.12g}% {past} it"
    return text
