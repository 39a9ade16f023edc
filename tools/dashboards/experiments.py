"""*Experiments*: the experiments of a task next to each other."""

from collections.abc import Sequence
from typing import Final

from sloscore import conventions as names
from tools.dashboards import variables
from tools.dashboards.board import Band, Board, Panel, Row
from tools.dashboards.panels import (
    BAD,
    DOUBTFUL,
    NEUTRAL,
    PENALTY,
    SECONDS,
    STATUS,
    SURE,
    background,
    between,
    cells,
    colored,
    columns,
    lines,
    one,
    properties,
    shaded,
    symlog,
)
from tools.dashboards.queries import (
    EXPERIMENTS,
    count,
    experiment,
    finite,
    in_seconds,
    interval,
    line,
    now,
    rows,
    sli,
)
from tools.dashboards.sdk import table, timeseries

UID: Final = "sloscore-experiments"

_EXPERIMENT_URL: Final = (
    "/d/sloscore-experiment?var-datasource=${datasource}&var-experiment=${__data.fields.experiment}"
    "&var-service=${service:percentencode}&${__url_time_range}"
)
_REPORT_URL: Final = "${service}/api/v1/experiments/${__data.fields.experiment}/score"
_LINKS: Final = [
    {"title": "Its dashboard", "url": _EXPERIMENT_URL, "targetBlank": False},
    {"title": "Its report (JSON)", "url": _REPORT_URL, "targetBlank": True},
    {"title": "sloscore's page", "url": "${service}/", "targetBlank": True},
]
_SCORE: Final = experiment(names.EXPERIMENT_SCORE)
_MINIMIZED: Final = experiment(names.EXPERIMENT_INFO, more=', objective=~"minimize_.+"')
_MAXIMIZED: Final = experiment(names.EXPERIMENT_INFO, more=', objective=~"maximize_.+"')
# What the ranking is sorted by: lower is better even where a higher score is.
_ORDER: Final = (
    f"{_SCORE} * on (task, experiment) {_MINIMIZED}"
    f" or -1 * {_SCORE} * on (task, experiment) {_MAXIMIZED}"
)
_STATUS: Final = (
    f"max by (task, experiment, objective, status) ({names.EXPERIMENT_INFO}{{{EXPERIMENTS}}})"
)
_ALL_SLIS: Final = ""


def make() -> Board:
    """The dashboard."""
    slis = f"label_values({in_seconds(names.SLI_THRESHOLD)}{{{EXPERIMENTS}}}, sli)"
    return Board(
        uid=UID,
        title="sloscore / Experiments",
        description="Tuning experiments side by side: scores, penalties, hard fails, and how sure they are.",
        variables=[
            variables.datasource(),
            variables.tasks(),
            variables.experiments(),
            variables.choice("sli", "SLI", slis),
            variables.service(),
        ],
        annotations=[variables.hard_fails()],
        links=[variables.page()],
        rows=[
            Row("Now", [Band(4, _numbers()), Band(9, [(_ranking(), 12), (_states(), 12)])]),
            Row("Tasks", [Band(5, [(_tasks(), 24)])]),
            Row("Over time", [Band(9, [(_penalties(), 12), (_ratios(), 12)])]),
            Row("$sli against its threshold", [Band(7, [(_against_threshold(), 24)])]),
        ],
    )


def _numbers() -> Sequence[tuple[Panel, int]]:
    live = f"{experiment(names.EXPERIMENT_LIVE)} == 1"
    failed = f"{experiment(names.EXPERIMENT_HARD_FAIL)} == 1"
    soft = f"({experiment(names.EXPERIMENT_PENALTY)} > 0) unless ({failed})"
    unknown = f"{experiment(names.EXPERIMENT_NO_DATA)} == 1"
    unsure = f"{sli(names.SLI_CERTAIN, function='min', more=_ALL_SLIS)} == 0"
    requests = f"sum({experiment(names.EXPERIMENT_REQUESTS)})"
    return [
        (
            one(
                "Live",
                "Experiments whose load runs, or whose window waits for its closing scrape.",
                now(count(live)),
                NEUTRAL,
            ),
            4,
        ),
        (
            one(
                "Hard fails",
                "Experiments that break an SLO with `hard_fail` by its `fail_ratio` or more.",
                now(count(failed)),
                BAD,
            ),
            4,
        ),
        (
            one(
                "Soft violations",
                "Experiments over a threshold that carry a penalty, but have not failed.",
                now(count(soft)),
                DOUBTFUL,
            ),
            4,
        ),
        (
            one(
                "Without a score",
                "Experiments that cannot be scored for want of data: neither met nor violated.",
                now(count(unknown)),
                DOUBTFUL,
            ),
            4,
        ),
        (
            one(
                "Uncertain verdicts",
                "SLIs whose verdict could be another one: the threshold lies inside a bucket, or there are too few requests.",
                now(count(unsure)),
                DOUBTFUL,
            ),
            4,
        ),
        (
            one(
                "Requests",
                "Requests that the windows of the chosen experiments hold.",
                now(requests),
                NEUTRAL,
            ),
            4,
        ),
    ]


def _ranking() -> table.Panel:
    scored = f" and on (task, experiment) {_SCORE}"
    panel = cells(
        "Ranking by score",
        "Best first, by each experiment's objective. A hard fail is infinite and last; what has no score is not ranked. Only scores of one task and one objective can be compared.",
        [
            rows(_ORDER),
            rows(_SCORE),
            rows(f"{experiment(names.EXPERIMENT_PENALTY_MULTIPLIER)}{scored}"),
            rows(f"{_STATUS}{scored}"),
        ],
    )
    shown = {
        "experiment": "Experiment",
        "task": "Task",
        "objective": "Objective",
        "status": "Status",
        "Value #B": "Score",
        "Value #C": "Multiplier",
    }
    columns(panel, shown, sort="Value #A")
    panel.override_by_name("Experiment", properties({"links": _LINKS}))
    panel.override_by_name("Status", properties(background(STATUS)))
    panel.override_by_name("Score", properties({"unit": "short", "decimals": 3}))
    return panel.override_by_name(
        "Multiplier",
        properties(colored((("green", None), ("orange", 1.000001), ("red", 10)), decimals=2)),
    )


def _states() -> table.Panel:
    by = "sum by (task, experiment)"
    panel = cells(
        "State",
        "What each experiment is at. Click on one for its dashboard, its report, or sloscore's page.",
        [
            rows(_STATUS),
            rows(experiment(names.EXPERIMENT_PENALTY)),
            rows(experiment(names.EXPERIMENT_REQUESTS)),
            rows(f"{by} ({sli(names.SLI_HARD_FAIL, more=_ALL_SLIS)})"),
            rows(f"{by} ({sli(names.SLI_NO_DATA, more=_ALL_SLIS)})"),
            rows(experiment(names.SLI_CERTAIN, function="min")),
            # Grafana's times are in milliseconds.
            rows(f"1000 * {experiment(names.EXPERIMENT_START)}"),
        ],
    )
    shown = {
        "status": "Status",
        "experiment": "Experiment",
        "Value #G": "Start",
        "Value #B": "Penalty",
        "Value #C": "Requests",
        "Value #D": "SLIs failed",
        "Value #E": "SLIs unmeasured",
        "Value #F": "Verdict",
    }
    columns(panel, shown, sort="experiment")
    panel.override_by_name("Status", properties(background(STATUS)))
    panel.override_by_name("Experiment", properties({"links": _LINKS}))
    panel.override_by_name("Start", properties({"unit": "dateTimeFromNow"}))
    panel.override_by_name("Penalty", properties(colored(PENALTY, decimals=2)))
    panel.override_by_name("SLIs failed", properties(colored(BAD)))
    panel.override_by_name("SLIs unmeasured", properties(colored(DOUBTFUL)))
    return panel.override_by_name("Verdict", properties(background(SURE)))


def _tasks() -> table.Panel:
    chosen = 'task=~"$task"'
    states = {"running": "Live", "scored": "Scored", "failed": "Failed", "no_data": "No data"}
    counts = [
        rows(f'max by (task) ({names.TASK_EXPERIMENTS}{{{chosen}, state="{state}"}})')
        for state in states
    ]
    panel = cells(
        "Violation budgets",
        "All experiments of each task in the store, and how much of its budget of hard violations is spent. Without a `violation_budget` in the task there is none.",
        [
            *counts,
            rows(f"max by (task) ({names.TASK_BUDGET}{{{chosen}}})"),
            rows(f"max by (task) ({names.TASK_BUDGET_SPENT}{{{chosen}}})"),
        ],
    )
    shown = {"task": "Task"} | {
        f"Value #{chr(ord('A') + place)}": title
        for place, title in enumerate([*states.values(), "May fail", "Budget spent"])
    }
    columns(panel, shown, sort="task")
    panel.override_by_name("Failed", properties(colored(BAD)))
    panel.override_by_name("No data", properties(colored(DOUBTFUL)))
    spent = (("green", None), ("orange", 0.8), ("red", 1))
    return panel.override_by_name(
        "Budget spent", properties(colored(spent, unit="percentunit", decimals=0))
    )


def _penalties() -> timeseries.Panel:
    panel = lines(
        "Penalty",
        "The sum of an experiment's penalties, on an axis that is logarithmic from 1 on; 0 means that every SLO is met. An infinite one is not drawn.",
        [line(finite(experiment(names.EXPERIMENT_PENALTY)), "{{experiment}}")],
    )
    return symlog(panel)


def _ratios() -> timeseries.Panel:
    worst = f"max by (task, experiment) ({sli(names.SLI_VIOLATION_RATIO, more=_ALL_SLIS)})"
    panel = lines(
        "Distance of the worst SLI",
        "How far the worst SLI of each experiment is past its threshold, as a share of it. At or below 0 all are met.",
        [line(worst, "{{experiment}}")],
        unit="percentunit",
    )
    return shaded(panel, (("transparent", None), ("red", 1e-9)))


def _against_threshold() -> timeseries.Panel:
    panel = lines(
        "$experiment",
        "The value (line), where the buckets leave it (band), and the threshold (dashed). Above the last bucket bound the band has no upper end.",
        interval(', sli="$sli"'),
        unit=SECONDS,
    )
    between(panel).min(0)
    return panel.repeat("experiment").repeat_direction("h").max_per_row(3)
