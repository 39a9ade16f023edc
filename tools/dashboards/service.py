"""*Service*: sloscore itself, its evaluations and its source."""

from collections.abc import Sequence
from typing import Final

from sloscore import conventions as names
from tools.dashboards import variables
from tools.dashboards.board import Band, Board, Panel, Row
from tools.dashboards.panels import (
    BAD,
    NEUTRAL,
    SECONDS,
    cells,
    columns,
    heat,
    lines,
    one,
    stacked,
)
from tools.dashboards.queries import SERVICE, buckets, line, now, rows, since

UID: Final = "sloscore-service"

_ERRORS: Final = f"{names.EVALUATION_ERRORS}_total{{{SERVICE}}}"
_QUERIES: Final = f"{names.SOURCE_QUERIES}_total{{{SERVICE}}}"
_QUERY_ERRORS: Final = f"{names.SOURCE_QUERY_ERRORS}_total{{{SERVICE}}}"
_EXPIRED: Final = f"{names.EXPERIMENT_SERIES_EXPIRED}_total{{{SERVICE}}}"
_AGE: Final = f"time() - {names.EVALUATION_LAST_TIMESTAMP}{{{SERVICE}}}"
_STALE: Final = (("green", None), ("orange", 30), ("red", 60))


def make() -> Board:
    """The dashboard."""
    build = names.BUILD_INFO
    return Board(
        uid=UID,
        title="sloscore / Service",
        description="sloscore itself: is it up, does it evaluate in time, does its metric source answer.",
        variables=[
            variables.datasource(),
            variables.choices("job", "Job", f"label_values({build}, job)"),
            variables.choices(
                "instance", "Instance", f'label_values({build}{{job=~"$job"}}, instance)'
            ),
        ],
        rows=[
            Row("Now", [Band(4, _numbers())]),
            Row("Evaluations", [Band(8, _evaluations())]),
            Row("Metric source", [Band(8, _source())]),
            Row("Pace, clock, store and settings", [Band(8, _upkeep())]),
            Row("Experiments and series", [Band(8, _experiments())]),
        ],
    )


def _numbers() -> Sequence[tuple[Panel, int]]:
    live = f'{names.EXPERIMENTS_BY_STATE}{{{SERVICE}, state=~"running|settling"}}'
    errors = " + ".join(
        f"(sum({since(counter, '$__range')}) or vector(0))" for counter in (_ERRORS, _QUERY_ERRORS)
    )
    versions = cells(
        "Build",
        "The version of each instance.",
        [rows(f"max by (job, instance, version) ({names.BUILD_INFO}{{{SERVICE}}})")],
    )
    shown = {"job": "Job", "instance": "Instance", "version": "Version"}
    return [
        (
            one(
                "Down",
                "Instances that Prometheus cannot scrape.",
                now(f"sum(1 - up{{{SERVICE}}})"),
                BAD,
            ),
            4,
        ),
        (
            one(
                "Last evaluation",
                "Time since the instance that lags most began a round of evaluations.",
                now(f"max({_AGE})"),
                _STALE,
                unit=SECONDS,
                decimals=1,
            ),
            4,
        ),
        (
            one(
                "Errors",
                "Evaluations and queries that failed in the time range.",
                now(errors),
                BAD,
                decimals=0,
            ),
            4,
        ),
        (
            one(
                "Live experiments",
                "Experiments in the store that run, or that wait for their closing scrape.",
                now(f"sum({live})"),
                NEUTRAL,
            ),
            4,
        ),
        (columns(versions, shown, sort="instance"), 8),
    ]


def _evaluations() -> Sequence[tuple[Panel, int]]:
    duration = names.EVALUATION_DURATION
    rate = f"sum by (le) (rate({duration}_bucket{{{SERVICE}}}[$__rate_interval]))"
    return [
        (
            heat(
                "Evaluation time",
                "Evaluations a second by how long they took, each of a group of experiments.",
                buckets(rate),
                unit=SECONDS,
            ),
            8,
        ),
        (
            lines(
                "Failed evaluations",
                "Evaluations that failed from one point to the next, by kind of error. The next round tries again.",
                [line(f"sum by (kind) ({since(_ERRORS, '$__rate_interval')})", "{{kind}}")],
            ).min(0),
            8,
        ),
        (
            lines(
                "Staleness",
                "Time since each instance began a round of evaluations: a saw-tooth as high as the interval. Far above it, figures are old.",
                [
                    line(f"max by (instance) ({_AGE})", "{{instance}}"),
                    line(f"max({names.EVALUATION_INTERVAL}{{{SERVICE}}})", "interval"),
                ],
                unit=SECONDS,
            ).min(0),
            8,
        ),
    ]


def _source() -> Sequence[tuple[Panel, int]]:
    bucket = f"{names.SOURCE_QUERY_DURATION}_bucket{{{SERVICE}}}"
    rate = f"sum by (le, kind) (rate({bucket}[$__rate_interval]))"
    return [
        (
            lines(
                "Latency of queries",
                "Median and 99th percentile of the time until an answer is decoded, by kind of query.",
                [
                    line(f"histogram_quantile(0.5, {rate})", "{{kind}} p50"),
                    line(f"histogram_quantile(0.99, {rate})", "{{kind}} p99"),
                ],
                unit=SECONDS,
            ).min(0),
            8,
        ),
        (
            lines(
                "Queries",
                "Queries a second to Prometheus, or scrapes of servers, by kind.",
                [line(f"sum by (kind) (rate({_QUERIES}[$__rate_interval]))", "{{kind}}")],
                unit="ops",
            ).min(0),
            8,
        ),
        (
            lines(
                "Errors of queries",
                "Queries that failed from one point to the next, by kind and error. Experiments have no data meanwhile.",
                [
                    line(
                        f"sum by (kind, error) ({since(_QUERY_ERRORS, '$__rate_interval')})",
                        "{{kind}}: {{error}}",
                    )
                ],
            ).min(0),
            8,
        ),
    ]


def _upkeep() -> Sequence[tuple[Panel, int]]:
    rounds = f"{names.EVALUATION_ROUNDS}_total{{{SERVICE}}}"
    late = f"{names.EVALUATION_LATE}_total{{{SERVICE}}}"
    reloaded = f"time() - {names.CONFIG_RELOAD_TIMESTAMP}{{{SERVICE}}}"
    dropped = f"{names.LOG_LINES_DROPPED}_total{{{SERVICE}}}"
    return [
        (
            lines(
                "Late evaluations",
                "Rounds of evaluations from one point to the next, and the experiments that they passed over, as their last evaluation had not ended.",
                [
                    line(f"sum({since(rounds, '$__rate_interval')})", "rounds"),
                    line(f"sum({since(late, '$__rate_interval')})", "experiments passed over"),
                ],
            ).min(0),
            7,
        ),
        (
            lines(
                "Clock of the source",
                "By how much the clock of Prometheus is ahead of the service's. Windows have no data where it is too much.",
                [
                    line(
                        f"max by (instance) ({names.SOURCE_CLOCK_OFFSET}{{{SERVICE}}})",
                        "{{instance}}",
                    )
                ],
                unit=SECONDS,
            ),
            7,
        ),
        (
            one(
                "Store fails",
                "Instances whose store could not be read or written when it was tried last.",
                now(f"sum(1 - {names.STORE_UP}{{{SERVICE}}})"),
                BAD,
            ),
            3,
        ),
        (
            one(
                "Reload failed",
                "Instances whose last reload of the settings was refused: the old ones are in force.",
                now(f"sum(1 - {names.CONFIG_RELOAD_SUCCESSFUL}{{{SERVICE}}})"),
                BAD,
            ),
            3,
        ),
        (
            one(
                "Settings read",
                "Time since the settings in force were read.",
                now(f"max({reloaded})"),
                NEUTRAL,
                unit=SECONDS,
                decimals=0,
            ),
            2,
        ),
        (
            one(
                "Log lines dropped",
                "Lines of the log that were dropped in the time range, as nobody read them in time.",
                now(f"sum({since(dropped, '$__range')})"),
                BAD,
                decimals=0,
            ),
            2,
        ),
    ]


def _experiments() -> Sequence[tuple[Panel, int]]:
    by_state = f"sum by (state) ({names.EXPERIMENTS_BY_STATE}{{{SERVICE}}})"
    alerts = cells(
        "Firing alerts",
        "Alerts of sloscore that fire now.",
        [
            rows(
                'max by (alertname, severity, experiment, sli) (ALERTS{alertname=~"Sloscore.+", '
                'alertstate="firing"})'
            )
        ],
    )
    alerts.no_value("none")
    shown = {"severity": "Severity", "alertname": "Alert", "experiment": "Experiment", "sli": "SLI"}
    return [
        (
            stacked(
                lines(
                    "Experiments by state",
                    "Every experiment in the store, whichever task it belongs to.",
                    [line(by_state, "{{state}}")],
                )
            ),
            8,
        ),
        (
            lines(
                "Series",
                "Samples that a scrape of sloscore brings, and finished experiments whose series left after the retention.",
                [
                    line(f"sum(scrape_samples_scraped{{{SERVICE}}})", "samples a scrape"),
                    line(f"sum(increase({_EXPIRED}[$__rate_interval]))", "experiments left"),
                ],
            ).min(0),
            8,
        ),
        (columns(alerts, shown, sort="severity"), 8),
    ]
