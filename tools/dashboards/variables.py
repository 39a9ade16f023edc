"""The variables and annotations that dashboards share."""

from collections.abc import Sequence
from typing import Final

from sloscore import conventions as names
from tools.dashboards.queries import EXPERIMENTS, SOURCE
from tools.dashboards.sdk import dashboard, models, prometheus

_ALL: Final = models.VariableOption(selected=True, text=["All"], value=["$__all"])
_REF: Final = "PrometheusVariableQueryEditor-VariableQuery"
_INFO: Final = names.EXPERIMENT_INFO


def datasource() -> dashboard.DatasourceVariable:
    """Which Prometheus is asked."""
    return dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")


def choice(name: str, label: str, query: str) -> dashboard.QueryVariable:
    """One of the values that the data source has."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .definition(query)
        .query({"qryType": 1, "query": query, "refId": _REF})
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
    )


def choices(name: str, label: str, query: str) -> dashboard.QueryVariable:
    """Any number of those values; all of them at first."""
    every = choice(name, label, query).multi(multi=True).include_all(include_all=True)
    return every.all_value(".*").current(_ALL)


def options(name: str, label: str, values: Sequence[str]) -> dashboard.CustomVariable:
    """One of a few fixed values, the first at first."""
    given = [
        models.VariableOption(selected=place == 0, text=value, value=value)
        for place, value in enumerate(values)
    ]
    variable = dashboard.CustomVariable(name).label(label).values(",".join(values))
    return variable.options(given).current(given[0])


def tasks() -> dashboard.QueryVariable:
    """Tasks that have experiments in the time range."""
    return choices("task", "Task", f"label_values({_INFO}, task)")


def experiments() -> dashboard.QueryVariable:
    """The experiments of the chosen tasks."""
    query = f'label_values({_INFO}{{task=~"$task"}}, experiment)'
    return choices("experiment", "Experiment", query)


def experiment() -> dashboard.QueryVariable:
    """One experiment of the chosen tasks."""
    query = f'label_values({_INFO}{{task=~"$task"}}, experiment)'
    return choice("experiment", "Experiment", query)


def service() -> dashboard.QueryVariable:
    """Where the links to reports and to the service's page lead; sloscore's own port by default."""
    query = (
        f"query_result({names.EXTERNAL_URL_INFO} or on () "
        'label_replace(vector(1), "url", "http://127.0.0.1:8520", "", ""))'
    )
    return (
        choice("service", "Service", query)
        .query({"qryType": 3, "query": query, "refId": _REF})
        .regex('/url="([^"]+)"/')
        .description("sloscore as your browser reaches it: its listen.external_url, for links.")
    )


def page() -> dashboard.DashboardLink:
    """The service's own page."""
    return (
        dashboard.DashboardLink("sloscore's page")
        .type(models.DashboardLinkType.LINK)
        .icon("external link")
        .tooltip("Live and recent experiments, each SLI with a sentence")
        .url("${service}/")
        .target_blank(target_blank=True)
    )


def report() -> dashboard.DashboardLink:
    """The report of the chosen experiment."""
    return (
        dashboard.DashboardLink("Report")
        .type(models.DashboardLinkType.LINK)
        .icon("external link")
        .tooltip("The experiment's score with every SLI, as JSON")
        .url("${service}/api/v1/experiments/${experiment}/score")
        .target_blank(target_blank=True)
    )


def hard_fails() -> dashboard.AnnotationQuery:
    """A red mark where a hard SLO is broken that was not broken a step before."""
    flag = f"{names.SLI_HARD_FAIL}{{{EXPERIMENTS}}}"
    by = "max by (task, experiment, sli)"
    expr = f"{by} ({flag}) == 1 unless {by} ({flag} offset $__interval) == 1"
    query = (
        prometheus.Dataquery()
        .datasource(SOURCE)
        .ref_id("Anno")
        .expr(expr)
        .range()
        .interval("5s")
        .legend_format("{{experiment}} {{sli}}")
    )
    return (
        dashboard.AnnotationQuery()
        .name("Hard fails")
        .datasource(SOURCE)
        .enable(enable=True)
        .icon_color("red")
        .target(query)
        # Grafana 10 reads these two, later releases the target.
        .expr(expr)
        .step("5s")
        .title_format("Hard fail")
        .text_format("{{experiment}} breaks its hard SLO on {{sli}}")
        .tag_keys("task,experiment,sli")
    )
