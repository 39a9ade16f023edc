"""The alerts: what makes each fire, for how long, and what it tells whoever is woken by it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from sloscore import conventions as names
from sloscore.alerting import templates as text

DEFAULT_JOB: Final = "sloscore"
_BY_SLI: Final = f"max by ({', '.join(names.SLI_LABELS)})"
_BY_EXPERIMENT: Final = f"max by ({', '.join(names.EXPERIMENT_LABELS)})"
_ON_SLI: Final = f"and on ({', '.join(names.SLI_LABELS)})"
_ON_EXPERIMENT: Final = f"and on ({', '.join(names.EXPERIMENT_LABELS)})"
# An ended experiment keeps its gauges for the service's retention; nobody can act on it any more.
_WHILE_LIVE: Final = f"{_ON_EXPERIMENT} {_BY_EXPERIMENT} ({names.EXPERIMENT_LIVE}) == 1"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert; ``hold`` (``for``) and ``keep`` (``keep_firing_for``) are durations.

    ``reason`` says why it holds as long. ``base`` is a template of the service's URL, ``path`` what
    an alert links to there.
    """

    name: str
    severity: Literal["warning", "critical"]
    expr: str
    hold: str | None
    keep: str
    reason: str
    summary: str
    description: str
    action: str
    base: str
    path: str


@dataclass(frozen=True, slots=True)
class Group:
    """Alerts that are evaluated together."""

    name: str
    alerts: tuple[Alert, ...]


def groups(job: str = DEFAULT_JOB) -> tuple[Group, ...]:
    """All alerts, for a service that Prometheus scrapes under this job."""
    return (
        Group("sloscore-experiments", tuple(_of_experiments())),
        Group("sloscore-service", tuple(_of_service(job))),
    )


def _of_experiments() -> Iterator[Alert]:
    of_experiment = {
        "base": text.base_of_experiment(),
        "path": "/experiments/{{ $labels.experiment }}",
    }
    # First the alert that inhibits: were the end of the other told before its own, Alertmanager could
    # drop it as inhibited still.
    yield Alert(
        name=names.ALERT_HARD_SLO_VIOLATION,
        severity="critical",
        # The value is the distance, for the description; the flag decides.
        expr=(
            f"{_BY_SLI} ({names.SLI_VIOLATION_RATIO})\n"
            f"{_ON_SLI} {_BY_SLI} ({names.SLI_HARD_FAIL}) == 1\n{_WHILE_LIVE}"
        ),
        hold=None,
        keep="1m",
        reason="A percentile is judged from its minimum of requests on, so the first verdict counts.",
        summary="{{ $labels.experiment }} fails its hard SLO on {{ $labels.sli }}",
        description=text.violation(" and past its hard limit"),
        action=(
            "Stop the load and finish or abort the experiment: as it stands it counts as failed. "
            "Where the candidate is not to blame, look at the server that it runs on."
        ),
        **of_experiment,
    )
    yield Alert(
        name=names.ALERT_SLO_VIOLATION,
        severity="warning",
        expr=f"{_BY_SLI} ({names.SLI_VIOLATION_RATIO}) > 0\n{_WHILE_LIVE}",
        hold="1m",
        keep="1m",
        reason="Every window starts with few requests, whose quantiles jump about.",
        summary="{{ $labels.experiment }} violates its SLO on {{ $labels.sli }}",
        description=text.violation(),
        action=(
            "Nothing at once: the score carries a penalty for it. Where most candidates do this, look "
            "at the load, at the server, and at whether the threshold is meant."
        ),
        **of_experiment,
    )
    yield Alert(
        name=names.ALERT_NO_DATA,
        severity="warning",
        expr=(
            f"{_BY_SLI} ({names.SLI_NO_DATA}) == 1\n{_WHILE_LIVE}\n"
            f"{_ON_EXPERIMENT} {_BY_EXPERIMENT} ({names.EXPERIMENT_START}) < time()"
        ),
        hold="2m",
        keep="1m",
        reason="A load takes a while to give a percentile its requests; a warm-up is left out.",
        summary="{{ $labels.experiment }} has no data for {{ $labels.sli }}",
        description=(
            f"Nothing can be said of {text.WHO}, although its window began more "
            f"than 2 minutes ago; {text.requests()}."
        ),
        action=(
            "Check that the load runs, that Prometheus scrapes the server, and that the experiment "
            "names labels of the server's own series. The score says what is missing."
        ),
        **of_experiment,
    )
    yield Alert(
        name=names.ALERT_BUDGET_SPENT,
        severity="warning",
        expr=f"max by ({names.LABEL_TASK}) ({names.TASK_BUDGET_SPENT}) >= 1",
        hold=None,
        keep="5m",
        reason="A share of the experiments rises with each that fails and falls with each that does not.",
        summary="{{ $labels.task }} has spent its budget of hard SLO violations",
        description=(
            "{{ $value | humanizePercentage }} of the violation budget of task {{ $labels.task }} is "
            f"spent: {text.budget()} of its experiments may break a hard SLO."
        ),
        action=(
            "Stop the search or narrow what it may try: it spends its time on candidates that cannot "
            "be used. Where the limit is too strict, register further experiments with another one."
        ),
        base=text.base_of_task(),
        path='/api/v1/tasks/{{ $labels.task | urlquery | reReplaceAll "[+]" "%20" }}',
    )


def _of_service(job: str) -> Iterator[Alert]:
    of_service = {"base": text.base_of_instance(), "path": "/"}
    up = f'up{{job="{job}"}}'
    yield Alert(
        name=names.ALERT_DOWN,
        severity="critical",
        expr=f"{up} == 0 or absent({up})",
        hold="1m",
        keep="2m",
        reason="A restart takes seconds, and loses nothing.",
        summary="sloscore is down or not scraped",
        description=(
            "Prometheus cannot scrape {{ if $labels.instance }}{{ $labels.instance }}{{ else }}any "
            f"target of the job {job}{{{{ end }}}}: no experiment is scored and no alert on an SLO "
            "can fire."
        ),
        action=(
            "Ask its /-/healthy, read its log and start it again: running windows are taken up where "
            "they were. Where it answers, correct the scrape job."
        ),
        **of_service,
    )
    yield Alert(
        name=names.ALERT_EVALUATION_STALE,
        severity="critical",
        expr=(
            f"time() - {names.EVALUATION_LAST_TIMESTAMP}\n> 30 + 3 * {names.EVALUATION_INTERVAL}"
        ),
        hold="1m",
        keep="2m",
        reason="Rounds begin at each interval, however long those before them take.",
        summary="sloscore has stopped evaluating",
        description=(
            "{{ $labels.instance }} last began an evaluation {{ $value | humanizeDuration }} ago: what "
            "it exports is old, and no alert on an SLO can be trusted."
        ),
        action="Read its log, and restart it: running windows are taken up where they were.",
        **of_service,
    )
    yield Alert(
        name=names.ALERT_STORE_DOWN,
        severity="critical",
        expr=f"{names.STORE_UP} == 0",
        hold="1m",
        keep="1m",
        reason="A lock that another process holds for seconds is waited for, or tried again by clients.",
        summary="sloscore cannot use its store",
        description=(
            "{{ $labels.instance }} cannot read its store, or could not write it when it tried last: it "
            "takes no experiments, and stores no final score."
        ),
        action=(
            "Ask its /-/ready, which says the reason and tries to write again. Make room on the disk, or "
            "bring the database back: what waits is stored then."
        ),
        **of_service,
    )
    yield Alert(
        name=names.ALERT_EVALUATION_ERRORS,
        severity="warning",
        expr=_errors(names.EVALUATION_ERRORS),
        hold="5m",
        keep="5m",
        reason="One error is a retry; one in every 3 minutes for this long is a fault.",
        summary="sloscore cannot evaluate some experiments",
        description="Evaluations on {{ $labels.instance }} keep failing ({{ $labels.kind }}).",
        action="Its log names the experiments and the reason; /experiments/ID does, too.",
        **of_service,
    )
    seen = f"increase({names.SOURCE_QUERY_ERRORS}_total{{job=%q,instance=%q,kind=%q}}[3m]) > 0"
    yield Alert(
        name=names.ALERT_SOURCE_ERRORS,
        severity="warning",
        expr=_errors(names.SOURCE_QUERY_ERRORS),
        hold="5m",
        keep="5m",
        reason="One error is a retry; one in every 3 minutes for this long is a fault.",
        summary="sloscore cannot read its metric source",
        description=(
            "Queries of {{ $labels.instance }} to its metric source keep failing ({{ $labels.kind }}:"
            f'{{{{ range query (printf "{seen}" $labels.job $labels.instance $labels.kind) }}}} '
            "{{ .Labels.error }}{{ end }})."
        ),
        action=(
            "Check that Prometheus is up, that the service may query it, and that an answer takes no "
            "longer than prometheus.timeout; for the kind scrape, that the servers answer."
        ),
        **of_service,
    )
    yield Alert(
        name=names.ALERT_RELOAD_FAILED,
        severity="warning",
        expr=f"{names.CONFIG_RELOAD_SUCCESSFUL} == 0",
        hold="1m",
        keep="1m",
        reason="A mistake that is mended at once needs nobody.",
        summary="sloscore refused its settings",
        description=(
            "{{ $labels.instance }} could not use its settings when it read them again, and goes on with "
            "those before. A restart would fail, or would change what a reload cannot."
        ),
        action="Its log names file, line and mistake: correct it, and reload again.",
        **of_service,
    )


def _errors(counter: str) -> str:
    return f"sum by (job, instance, kind) (increase({counter}_total[3m])) > 0"
