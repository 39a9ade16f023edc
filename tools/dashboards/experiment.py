"""*Experiment*: one experiment, its SLIs, its window, and its deployment's own histogram."""

from collections.abc import Sequence
from typing import Final

from sloscore import conventions as names
from tools.dashboards import variables
from tools.dashboards.board import Band, Board, Panel, Row
from tools.dashboards.panels import (
    COMPARED,
    DOUBTFUL,
    MEASURED,
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
    heat,
    lines,
    mapping,
    one,
    properties,
    shaded,
    states,
    symlog,
)
from tools.dashboards.queries import (
    EXPERIMENTS,
    buckets,
    experiment,
    finite,
    in_other_units,
    in_seconds,
    interval,
    interval_of_others,
    line,
    now,
    rows,
    sli,
)
from tools.dashboards.sdk import common_models, stat, table, timeseries

UID: Final = "sloscore-experiment"

# Of vLLM and SGLang; the second spelling is what OpenMetrics escaping makes of the colon.
HISTOGRAMS: Final = (
    "(vllm:|sglang:|sglang_)(e2e_request_latency|time_to_first_token|request_time_per_output_token"
    "|inter_token_latency|(request_)?queue_time)_seconds_bucket"
)
_DEPLOYMENT: Final = '$label=~"$deployment"'
_COUNT: Final = f'$histogram{{le="+Inf", {_DEPLOYMENT}}}'
_ALL_SLIS: Final = ""


def make() -> Board:
    """The dashboard."""
    slis = f"label_values({in_seconds(names.SLI_THRESHOLD)}{{{EXPERIMENTS}}}, sli)"
    others = f"label_values({{{EXPERIMENTS}, {in_other_units(names.SLI_THRESHOLD)}}}, sli)"
    histograms = f'label_values({{__name__=~"{HISTOGRAMS}"}}, __name__)'
    return Board(
        uid=UID,
        title="sloscore / Experiment",
        description="One tuning experiment: its SLIs against their thresholds, its penalty, its window and its deployment.",
        variables=[
            variables.datasource(),
            variables.tasks(),
            variables.experiment(),
            variables.choices("sli", "SLI", slis),
            variables.choices("rate", "Rate or share", others),
            variables.choice("histogram", "Histogram", histograms),
            variables.options(
                "label", "Label", ["instance", "model_name", "job", "pod", "service"]
            ),
            variables.choices("deployment", "Deployment", "label_values($histogram, $label)"),
            variables.service(),
        ],
        annotations=[variables.hard_fails()],
        links=[variables.report(), variables.page()],
        rows=[
            Row("$experiment", [Band(4, _numbers()), Band(7, [(_slis(), 24)])]),
            Row("SLIs against their thresholds", [Band(8, [(_against_threshold(), 24)])]),
            Row("Rates and shares against their thresholds", [Band(8, [(_rates(), 24)])]),
            Row("Next to the baseline", [Band(6, [(_changes(), 12), (_change(), 12)])]),
            Row("Penalty", [Band(8, _consequences())]),
            Row("Window", [Band(7, _window())]),
            Row("$histogram of $deployment", [Band(9, [(_heat(), 12), (_quantiles(), 12)])]),
        ],
    )


def _numbers() -> Sequence[tuple[Panel, int]]:
    surest = f"min({experiment(names.SLI_CERTAIN, function='min')})"
    return [
        (_status(), 4),
        (
            one(
                "Score",
                "Base score and penalty together; infinite on a hard fail.",
                now(experiment(names.EXPERIMENT_SCORE)),
                NEUTRAL,
                decimals=3,
            ),
            4,
        ),
        (
            one(
                "Penalty",
                "The sum of the penalties of all SLIs; 0 means that every SLO is met.",
                now(experiment(names.EXPERIMENT_PENALTY)),
                PENALTY,
                decimals=2,
            ),
            4,
        ),
        (
            one(
                "Multiplier",
                "1 + the penalty: what makes the base score worse.",
                now(experiment(names.EXPERIMENT_PENALTY_MULTIPLIER)),
                (("green", None), ("orange", 1.000001), ("red", 10)),
                decimals=2,
            ),
            4,
        ),
        (
            one(
                "Requests",
                "Requests that finished in the window, counted exactly as scraped.",
                now(experiment(names.EXPERIMENT_REQUESTS)),
                NEUTRAL,
            ),
            4,
        ),
        (
            one(
                "Verdict",
                "Whether the verdict on every SLI is the same over the whole interval of its value.",
                now(surest),
                (("orange", None), ("green", 1)),
                unit="none",
            ).mappings([mapping(SURE)]),
            4,
        ),
    ]


def _status() -> stat.Panel:
    status = f"max by (status) ({names.EXPERIMENT_INFO}{{{EXPERIMENTS}}})"
    panel = one(
        "Status",
        "RUNNING until its window is closed; then SUCCESS, FAILED on a hard fail, or NO_DATA.",
        now(status, "{{status}}"),
        NEUTRAL,
        unit="none",
    ).text_mode(common_models.BigValueTextMode.NAME)
    for name, (_, color) in STATUS.items():
        panel.override_by_name(name, properties({"color": {"mode": "fixed", "fixedColor": color}}))
    return panel


def _slis() -> table.Panel:
    chosen = ', sli=~"$sli"'
    panel = cells(
        "SLIs",
        "The value lies between `at least` and `at most`: the buckets tell no more. Rates and shares have panels of their own below.",
        [
            rows(sli(in_seconds(names.SLI_VALUE), more=chosen)),
            rows(sli(in_seconds(names.SLI_LOWER), more=chosen)),
            rows(sli(in_seconds(names.SLI_UPPER), more=chosen)),
            rows(sli(in_seconds(names.SLI_THRESHOLD), more=chosen)),
            rows(sli(names.SLI_VIOLATION_RATIO, more=chosen)),
            rows(sli(names.SLI_PENALTY, more=chosen)),
            rows(sli(names.SLI_HARD_FAIL, more=chosen)),
            rows(sli(names.SLI_NO_DATA, more=chosen)),
            rows(sli(names.SLI_CERTAIN, function="min", more=chosen)),
        ],
        unit=SECONDS,
    )
    shown = {
        "sli": "SLI",
        "Value #A": "Value",
        "Value #B": "At least",
        "Value #C": "At most",
        "Value #D": "Threshold",
        "Value #E": "Past threshold",
        "Value #F": "Penalty",
        "Value #G": "Hard fail",
        "Value #H": "Data",
        "Value #I": "Verdict",
    }
    columns(panel, shown, sort="sli")
    over = (("green", None), ("orange", 1e-9))
    panel.override_by_name(
        "Past threshold", properties(colored(over, unit="percentunit", decimals=1))
    )
    panel.override_by_name("Penalty", properties(colored(PENALTY, decimals=2)))
    failed = {"0": ("no", "transparent"), "1": ("hard fail", "red")}
    panel.override_by_name("Hard fail", properties(background(failed)))
    panel.override_by_name("Data", properties(background(MEASURED)))
    return panel.override_by_name("Verdict", properties(background(SURE)))


def _against_threshold() -> timeseries.Panel:
    panel = lines(
        "$sli",
        "The value (line), where the buckets leave it (band), and the threshold (dashed). Above the last bucket bound the band has no upper end.",
        interval(', sli=~"$sli"'),
        unit=SECONDS,
    )
    between(panel).min(0)
    return panel.repeat("sli").repeat_direction("h").max_per_row(4)


def _rates() -> timeseries.Panel:
    panel = lines(
        "$rate",
        "The same of what is no time: tokens or requests in a second, per GPU where its name says so, and shares, from 0 to 1. Empty without such an SLO.",
        interval_of_others(', sli=~"$rate"'),
    )
    between(panel).min(0)
    return panel.repeat("rate").repeat_direction("h").max_per_row(4)


def _changes() -> table.Panel:
    panel = cells(
        "Changes",
        "What differs from the baseline, as a share of it, and between which limits at the report's confidence. Empty without a baseline.",
        [
            rows(sli(names.SLI_CHANGE, more=_ALL_SLIS)),
            rows(sli(names.SLI_CHANGE_LOWER, more=_ALL_SLIS)),
            rows(sli(names.SLI_CHANGE_UPPER, more=_ALL_SLIS)),
            rows(sli(names.SLI_CHANGE_VERDICT, more=_ALL_SLIS)),
        ],
        unit="percentunit",
    )
    shown = {
        "sli": "SLI",
        "Value #A": "Change",
        "Value #B": "At least",
        "Value #C": "At most",
        "Value #D": "Verdict",
    }
    columns(panel, shown, sort="sli")
    return panel.override_by_name("Verdict", properties(background(COMPARED)))


def _change() -> timeseries.Panel:
    return lines(
        "Change over time",
        "The difference to the baseline so far, as a share of it. It settles as requests come in.",
        [line(finite(sli(names.SLI_CHANGE, more=_ALL_SLIS)), "{{sli}}")],
        unit="percentunit",
    )


def _consequences() -> Sequence[tuple[Panel, int]]:
    return [(_penalties(), 8), (_multiplier(), 8), (_ratios(), 8)]


def _penalties() -> timeseries.Panel:
    panel = lines(
        "Penalty by SLI",
        "What each SLI adds, on an axis that is logarithmic from 1 on. An infinite one is not drawn.",
        [line(finite(sli(names.SLI_PENALTY, more=_ALL_SLIS)), "{{sli}}")],
    )
    return symlog(panel)


def _multiplier() -> timeseries.Panel:
    panel = lines(
        "Multiplier over time",
        "What the base score is multiplied by, or divided by where it is maximised. 1 is no penalty.",
        [line(finite(experiment(names.EXPERIMENT_PENALTY_MULTIPLIER)), "multiplier")],
    )
    return symlog(panel)


def _ratios() -> timeseries.Panel:
    panel = lines(
        "Distance from the threshold",
        "How far each SLI is past its threshold, as a share of it. At or below 0 it is met.",
        [line(sli(names.SLI_VIOLATION_RATIO, more=_ALL_SLIS), "{{sli}}")],
        unit="percentunit",
    )
    return shaded(panel, (("transparent", None), ("red", 1e-9)))


def _window() -> Sequence[tuple[Panel, int]]:
    up = f"up and on (job, instance) last_over_time({_COUNT}[10m])"
    certain = sli(names.SLI_CERTAIN, function="min", more=_ALL_SLIS)
    return [
        (
            lines(
                "Requests in the window",
                "It grows while the load runs. Where it stands still, nothing finishes or nothing is scraped.",
                [line(experiment(names.EXPERIMENT_REQUESTS), "requests")],
            ).min(0),
            5,
        ),
        (
            states(
                "Certainty",
                "Whether each verdict is the same wherever the value lies in its interval.",
                [line(certain, "{{sli}}")],
                SURE,
            ),
            6,
        ),
        (
            states(
                "Measured",
                "Whether each SLI could be measured: enough requests, and its metric is there.",
                [line(sli(names.SLI_NO_DATA, more=_ALL_SLIS), "{{sli}}")],
                MEASURED,
            ),
            5,
        ),
        (
            states(
                "Scrapes of the deployment",
                "Whether Prometheus reaches the servers that expose the chosen histogram.",
                [line(f"min by (instance) ({up})", "{{instance}}")],
                {"1": ("scraped", "green"), "0": ("down", "red")},
            ),
            5,
        ),
        (
            one(
                "Restarts",
                "How often the servers' counters began anew in the time range.",
                now(f"sum(resets({_COUNT}[$__range]))"),
                DOUBTFUL,
            ),
            3,
        ),
    ]


def _heat() -> Panel:
    return heat(
        "Distribution",
        "Requests a second in each bucket of the servers' own histogram: what the quantiles are made of.",
        buckets(f"sum by (le) (rate($histogram{{{_DEPLOYMENT}}}[$__rate_interval]))"),
        unit=SECONDS,
    )


def _quantiles() -> timeseries.Panel:
    rates = f"sum by (le) (rate($histogram{{{_DEPLOYMENT}}}[$__rate_interval]))"
    return lines(
        "Quantiles of the last moments",
        "Of the last few scrapes, not of the window: a warm-up or a drift of the load shows here first.",
        [line(f"histogram_quantile({q}, {rates})", f"p{q * 100:g}") for q in (0.5, 0.9, 0.99)],
        unit=SECONDS,
    ).min(0)
