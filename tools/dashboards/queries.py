"""What the dashboards ask: PromQL over the names of sloscore.conventions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sloscore import conventions as names
from tools.dashboards.sdk import Builder, common_models, prometheus, prometheus_models

SOURCE: Final = common_models.DataSourceRef(type_val="prometheus", uid="${datasource}")
EXPERIMENTS: Final = 'task=~"$task", experiment=~"$experiment"'
SERVICE: Final = 'job=~"$job", instance=~"$instance"'

_SECONDS: Final = names.UNIT_NAMES["s"]
_NOT_SECONDS: Final = [unit for unit in names.UNIT_NAMES.values() if unit != _SECONDS]
_BY_EXPERIMENT: Final = "by (task, experiment)"
_BY_SLI: Final = "by (task, experiment, sli)"


@dataclass(frozen=True, slots=True)
class Query:
    """An expression, the legend of its series, and how its answer is taken."""

    expr: str
    legend: str = ""
    instant: bool = False
    format: prometheus_models.PromQueryFormat = prometheus_models.PromQueryFormat.TIME_SERIES


def line(expr: str, legend: str) -> Query:
    """Series over the dashboard's time range."""
    return Query(expr, legend)


def now(expr: str, legend: str = "") -> Query:
    """Values at the end of the time range."""
    return Query(expr, legend, instant=True)


def rows(expr: str) -> Query:
    """Values at the end of the time range, as rows of a table with their labels."""
    return Query(expr, "", instant=True, format=prometheus_models.PromQueryFormat.TABLE)


def buckets(expr: str) -> Query:
    """Rates of a histogram's buckets over the time range."""
    return Query(expr, "{{le}}", format=prometheus_models.PromQueryFormat.HEATMAP)


def targets(queries: Sequence[Query]) -> list[Builder[prometheus_models.Dataquery]]:
    """The queries of a panel, named A, B and so on."""
    return [_target(query, chr(ord("A") + place)) for place, query in enumerate(queries)]


def experiment(metric: str, *, function: str = "max", more: str = "") -> str:
    """A gauge of the chosen experiments; one series each, whatever scraped it."""
    return f"{function} {_BY_EXPERIMENT} ({metric}{{{EXPERIMENTS}{more}}})"


def sli(metric: str, *, function: str = "max", more: str = ', sli=~"$sli"') -> str:
    """A gauge of the SLIs of the chosen experiments."""
    return f"{function} {_BY_SLI} ({metric}{{{EXPERIMENTS}{more}}})"


def finite(expr: str) -> str:
    """Only what can be drawn: an infinite value would stretch the axis without end."""
    return f"{expr} < Inf > -Inf"


def count(expr: str) -> str:
    """How many series there are; 0 where there are none."""
    return f"count({expr}) or vector(0)"


def since(counter: str, window: str) -> str:
    """How much a counter grew, which is the whole of it where the series is new.

    increase() does not see what a series begins with, and that of a kind of error begins with one.
    """
    new = f"{counter} unless last_over_time({counter}[1h] offset {window})"
    return f"({new}) or increase({counter}[{window}])"


def in_seconds(gauge: str) -> str:
    """The name of a gauge of SLIs that are times."""
    return gauge.format(unit=_SECONDS)


def in_other_units(gauge: str) -> str:
    """A matcher for the names of a gauge of SLIs that are no times."""
    return f'__name__=~"{"|".join(gauge.format(unit=unit) for unit in _NOT_SECONDS)}"'


def interval(more: str) -> Sequence[Query]:
    """The value of an SLI in seconds, its bounds and its threshold."""
    return _interval(lambda gauge: sli(in_seconds(gauge), more=more))


def interval_of_others(more: str) -> Sequence[Query]:
    """The same of an SLI that is no time."""
    return _interval(lambda gauge: f"max {_BY_SLI} ({_of_others(gauge, more)})")


def _of_others(gauge: str, more: str) -> str:
    names_of_it = (gauge.format(unit=unit) for unit in _NOT_SECONDS)
    return " or ".join(f"{name}{{{EXPERIMENTS}{more}}}" for name in names_of_it)


def _interval(expression: Callable[[str], str]) -> Sequence[Query]:
    return [
        line(expression(names.SLI_VALUE), "value"),
        line(expression(names.SLI_LOWER), "at least"),
        line(finite(expression(names.SLI_UPPER)), "at most"),
        line(expression(names.SLI_THRESHOLD), "threshold"),
    ]


def _target(query: Query, ref: str) -> Builder[prometheus_models.Dataquery]:
    built = (
        prometheus.Dataquery()
        .datasource(SOURCE)
        .ref_id(ref)
        .expr(query.expr)
        .format(query.format)
        .editor_mode(prometheus_models.QueryEditorMode.CODE)
    )
    built = built.instant() if query.instant else built.range()
    return built.legend_format(query.legend) if query.legend else built
