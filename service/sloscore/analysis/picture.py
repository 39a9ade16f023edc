"""The picture of a backtest, with Prometheus' own figures beside those of exact counts."""

import statistics
from collections.abc import Mapping, Sequence

from sloscore.analysis.expressions import expression
from sloscore.analysis.overlay import read_figures
from sloscore.analysis.plot import Picture, draw
from sloscore.errors import SourceError
from sloscore.evaluation.backtest import Row, summarise
from sloscore.evaluation.plan import Plan
from sloscore.settings import PrometheusSettings

# As Grafana's $__rate_interval: with fewer scrapes in its range a rate is missing or jumps.
_SCRAPES_IN_RANGE = 4.0
_STEPS_IN_WINDOW = 4.0


def plot(
    name: str, rows: Sequence[Row], plan: Plan, settings: PrometheusSettings, ending: str
) -> tuple[bytes, str | None]:
    """The picture, and a sentence where it lacks Prometheus' own figures.

    ``plan`` knows the server, ``ending`` is that of the file (``.png``, ``.svg``).
    """
    objective = plan.objective
    summary = summarise(rows, objective.direction)
    length = statistics.median(row.window.seconds for row in rows)
    seconds = max(length, _SCRAPES_IN_RANGE * _scrape_interval(rows))
    expressions = {
        sli.id: written
        for sli, _ in plan.rules.limits
        if (written := expression(sli, plan.target, seconds, plan.setup.gpus)) is not None
    }
    span = min(row.window.start for row in rows), max(row.window.end for row in rows)
    lacks: str | None = (
        "the plot lacks Prometheus' own figures: no window told which server this is"
    )
    own: Mapping[str, object] = {}
    if not plan.is_open:
        try:
            own = read_figures(settings, expressions, span, length / _STEPS_IN_WINDOW)
            lacks = None
        except SourceError as error:
            lacks = f"the plot lacks Prometheus' own figures: {error}"
    selector = ", ".join(f"{label}={value}" for label, value in plan.target.selector)
    picture = Picture(
        title=f"{name}: {objective}, {len(rows)} windows of {length:g} s",
        subtitle=(
            f"{selector}   {summary.scored} scored, {summary.failed} failed, "
            f"{summary.no_data} without data, {summary.errors} with errors"
        ),
        rows=rows,
        limits=plan.rules.limits,
        base_unit=objective.signal.unit,
        own=own,
        own_label=f"Prometheus' rate over the {seconds:g} s before",
    )
    return draw(picture, ending), lacks


def _scrape_interval(rows: Sequence[Row]) -> float:
    known = [
        row.report.window.scrape_interval
        for row in rows
        if row.report and row.report.window and row.report.window.scrape_interval
    ]
    return statistics.median(known) if known else 0.0
