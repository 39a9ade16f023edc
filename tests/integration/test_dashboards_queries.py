"""Every query of the dashboards, as Grafana would ask it, to a Prometheus that has scraped sloscore."""

import json
import math
import re
import urllib.request
from collections.abc import Mapping, Sequence

import pytest
from tests.integration.dashboards import (
    BATCH,
    BATCH_RUNNING,
    EXTERNAL_URL,
    HARD,
    JOB,
    NO_DATA,
    RUNNING,
    SOFT,
    STRANDED,
    TASK,
    Shown,
    instant,
)
from tests.integration.service import Deployments, Json
from tools.dashboards.__main__ import DIRECTORY
from tools.dashboards.grafana import ALL, Asked, Kind, ask, fill, queries

from sloscore.core.sli import signal_of

pytestmark = pytest.mark.prometheus
pytest_plugins = ["tests.integration.shown_fixtures"]

BOARDS: Mapping[str, Json] = {
    path.stem: json.loads(path.read_text()) for path in sorted(DIRECTORY.glob("*.json"))
}
VLLM = "vllm:e2e_request_latency_seconds_bucket"
HISTOGRAMS = (VLLM, "sglang:time_to_first_token_seconds_bucket")

Given = str | Sequence[str]
Choice = Mapping[str, Sequence[str]]


# Which queries may bring nothing though the dashboard shows what there is, and why.
MAY_BE_EMPTY: Mapping[str, Mapping[str, str]] = {
    "service": {"Firing alerts: A": "the Prometheus of the tests evaluates no rules"},
}
# What is not known of an experiment without data is not exported, so nothing of it is drawn.
UNKNOWN_WITHOUT_DATA: Mapping[str, set[str]] = {
    "experiments": {
        "Requests: A",
        *(f"Ranking by score: {ref}" for ref in "ABCD"),
        "State: B",
        "State: C",
        "Penalty: A",
        "Distance of the worst SLI: A",
        *(f"$experiment: {ref}" for ref in "ABC"),
        "annotation Hard fails",
    },
    "experiment": {
        *(f"{title}: A" for title in ("Score", "Penalty", "Multiplier", "Requests")),
        *(f"SLIs: {ref}" for ref in "ABCEF"),
        *(f"Changes: {ref}" for ref in "ABCD"),
        "Change over time: A",
        *(f"$sli: {ref}" for ref in "ABC"),
        *(f"$rate: {ref}" for ref in "ABC"),
        "Multiplier over time: A",
        "Penalty by SLI: A",
        "Distance from the threshold: A",
        "Requests in the window: A",
        "annotation Hard fails",
    },
}


def chosen(**given: Given) -> Choice:
    """Values of all variables: the given ones, else all of them, or one where one must be chosen."""
    values: dict[str, Sequence[str]] = {
        "experiment": [RUNNING],
        "sli": ["latency_p90"],
        "histogram": [VLLM],
        "label": ["instance"],
        "service": [EXTERNAL_URL],
        **{name: [ALL] for name in ("task", "deployment", "job", "instance", "rate")},
    }
    for name, value in given.items():
        values[name] = [value] if isinstance(value, str) else value
    return values


def answers(shown: Shown, board: str, choice: Choice) -> Mapping[str, list[Json]]:
    """What each query of a dashboard brings, by its place; an error of one is an error."""
    model, span = BOARDS[board], shown.span
    return {
        asked.place: ask(shown.url, asked, fill(asked, model, choice, span), span)
        for asked in queries(model)
    }


def empty(found: Mapping[str, list[Json]]) -> set[str]:
    """The places whose queries bring no number and no value."""
    return {place for place, answer in found.items() if not any(map(is_known, answer))}


def is_known(one: Json) -> bool:
    points = [] if isinstance(one, str) else one.get("values") or [one["value"]]
    return isinstance(one, str) or any(not math.isnan(float(value)) for _, value in points)


@pytest.mark.parametrize(
    ("board", "given"),
    [
        ("experiments", {"experiment": ALL}),
        ("experiments", {"experiment": ALL, "task": TASK}),
        ("experiments", {"experiment": HARD, "sli": "ttft"}),
        ("experiments", {"experiment": [RUNNING, HARD, NO_DATA], "task": [TASK, BATCH]}),
        ("experiment", {"experiment": HARD, "sli": ALL}),
        ("experiment", {"experiment": HARD, "task": [TASK, BATCH], "sli": ["ttft", "tpot"]}),
        ("service", {}),
        ("service", {"job": JOB}),
    ],
    ids=str,
)
def test_every_query_brings_data_that_there_is(
    shown: Shown, board: str, given: Mapping[str, Given]
) -> None:
    found = answers(shown, board, chosen(**given))
    assert empty(found) == MAY_BE_EMPTY.get(board, {}).keys()


@pytest.mark.parametrize("experiment", [RUNNING, SOFT, BATCH_RUNNING])
@pytest.mark.parametrize("board", ["experiments", "experiment"])
def test_what_has_not_failed_lacks_nothing_but_a_mark_of_failure(
    shown: Shown, board: str, experiment: str
) -> None:
    found = answers(shown, board, chosen(experiment=experiment))
    assert empty(found) == {"annotation Hard fails"}


@pytest.mark.parametrize("board", ["experiments", "experiment"])
def test_an_experiment_without_data_shows_that_and_no_number(shown: Shown, board: str) -> None:
    found = answers(shown, board, chosen(experiment=NO_DATA))
    assert empty(found) == UNKNOWN_WITHOUT_DATA[board]


@pytest.mark.parametrize("histogram", HISTOGRAMS)
@pytest.mark.parametrize("label", ["instance", "model_name"])
def test_the_distribution_is_that_of_a_chosen_server(
    shown: Shown, deployments: Deployments, histogram: str, label: str
) -> None:
    histograms = answers(shown, "experiment", chosen())["variable histogram"]
    own = f'instance=~"{"|".join(deployments.addresses)}"'
    # Prometheus 2 gets the colon of SGLang as an underscore; other tests' pages may have either.
    (spelled,) = {
        name
        for name in histograms
        if name.replace("sglang_", "sglang:") == histogram
        and instant(shown.url, f"{name}{{{own}}}", shown.span)
    }
    choice = chosen(histogram=spelled, label=label)
    offered = answers(shown, "experiment", choice)["variable deployment"]
    assert offered
    found = answers(shown, "experiment", {**choice, "deployment": offered})
    bounds = {series["metric"]["le"] for series in found["Distribution: A"]}
    assert "+Inf" in bounds
    assert len(bounds) > 10


@pytest.mark.parametrize("instance", ["instance", "stranded"])
def test_service_shows_one_instance_of_several(shown: Shown, instance: str) -> None:
    address = getattr(shown, instance)
    found = answers(shown, "service", chosen(job=JOB, instance=address))
    assert {series["metric"]["instance"] for series in found["Build: A"]} == {address}
    assert {series["metric"]["instance"] for series in found["Staleness: A"]} == {address}
    errors = found["Errors of queries: A"]
    assert bool(errors) == (instance == "stranded")


def test_errors_are_counted_from_the_first_of_a_kind(shown: Shown) -> None:
    found = answers(shown, "service", chosen(job=JOB, instance=shown.stranded))["Errors: A"]
    of_instance = f'{{instance="{shown.stranded}"}}'
    counters = ("sloscore_evaluation_errors_total", "sloscore_source_query_errors_total")
    counted = [
        float(series["value"][1])
        for counter in counters
        for series in instant(shown.url, f"{counter}{of_instance}", shown.span)
    ]
    assert float(found[0]["value"][1]) == sum(counted) > 2


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"experiment": ALL, "task": TASK}, {RUNNING, SOFT, HARD, NO_DATA}),
        ({"experiment": ALL, "task": BATCH}, {BATCH_RUNNING}),
        ({"experiment": ALL, "task": [BATCH, "stranded"]}, {BATCH_RUNNING, STRANDED}),
        ({"experiment": [NO_DATA, BATCH_RUNNING]}, {NO_DATA, BATCH_RUNNING}),
        ({"experiment": "no.data"}, set()),
    ],
    ids=str,
)
def test_only_what_is_chosen_is_shown(
    shown: Shown, given: Mapping[str, Given], names: set[str]
) -> None:
    found = answers(shown, "experiments", chosen(**given))["State: A"]
    assert {series["metric"]["experiment"] for series in found} == names


def test_variables_offer_what_there_is(shown: Shown) -> None:
    found = answers(shown, "experiments", chosen(experiment=ALL, task=[TASK, BATCH]))
    assert {TASK, BATCH} <= set(found["variable task"])
    experiments = {RUNNING, SOFT, HARD, NO_DATA, BATCH_RUNNING}
    assert set(found["variable experiment"]) == experiments
    assert set(found["variable sli"]) == {"latency_p50", "latency_p90", "ttft", "tpot"}
    assert found["variable service"] == [EXTERNAL_URL]
    servers = answers(shown, "experiment", chosen())["variable deployment"]
    assert shown.server in servers
    assert {shown.instance, shown.stranded} <= set(
        answers(shown, "service", chosen())["variable instance"]
    )


def exported(shown: Shown) -> set[str]:
    """The names that Prometheus has of the service, but those that a client library adds."""
    asked = Asked("a test", Kind.VARIABLE, f'label_values({{job="{JOB}"}}, __name__)')
    names = ask(shown.url, asked, asked.text, shown.span)
    return {n for n in names if n.startswith("sloscore_") and not n.endswith("_created")}


def family(name: str) -> str:
    return re.sub(r"_(bucket|count|sum)$", "", name)


def test_dashboards_show_every_metric_of_the_service_and_no_other(shown: Shown) -> None:
    asked = {
        name
        for board in BOARDS.values()
        for query in queries(board)
        for name in re.findall(r"\bsloscore_[a-z_]+", query.text)
    }
    assert asked <= exported(shown)
    assert {family(name) for name in exported(shown)} == {family(name) for name in asked}


def test_the_service_is_looked_for_at_its_own_port_where_it_names_no_url(shown: Shown) -> None:
    (asked,) = (a for a in queries(BOARDS["experiment"]) if a.place == "variable service")
    text = asked.text.replace("sloscore_external_url_info", "sloscore_no_such_info")
    assert ask(shown.url, asked, text, shown.span) == ["http://127.0.0.1:8520"]


def test_states_and_numbers_are_those_of_the_reports(shown: Shown) -> None:
    for name, report in shown.reports.items():
        found = answers(shown, "experiment", chosen(experiment=name, sli=ALL))
        assert [one["metric"] for one in found["Status: A"]] == [{"status": report["status"]}]
        values = {
            one["metric"]["sli"]: pytest.approx(float(one["value"][1])) for one in found["SLIs: A"]
        }
        measured = {
            sli["sli"]: sli["value"]
            for sli in report["slis"]
            if sli["value"] is not None and signal_of(sli["sli"]).unit == "s"
        }
        assert values == measured


def test_ranking_is_in_the_order_of_the_service(shown: Shown) -> None:
    found = answers(shown, "experiments", chosen(experiment=[SOFT, HARD, NO_DATA], task=TASK))
    best_first = sorted(found["Ranking by score: A"], key=lambda one: float(one["value"][1]))
    ranked = [one["metric"]["experiment"] for one in best_first]
    assert ranked == [name for name in shown.ranking if name != NO_DATA]


def test_a_higher_score_is_better_where_it_is_maximised(shown: Shown) -> None:
    found = answers(shown, "experiments", chosen(experiment=BATCH_RUNNING))
    ((_, order),) = (one["value"] for one in found["Ranking by score: A"])
    ((_, score),) = (one["value"] for one in found["Ranking by score: B"])
    assert float(order) == -float(score) < 0


def test_a_hard_fail_is_marked_once_and_where_it_began(shown: Shown) -> None:
    found = answers(shown, "experiments", chosen(experiment=ALL))["annotation Hard fails"]
    (latency,) = (one for one in found if one["metric"]["sli"] == "latency_p90")
    assert latency["metric"]["experiment"] == HARD
    assert len(latency["values"]) == 1


def test_links_of_tables_lead_to_reports_that_the_service_has(shown: Shown) -> None:
    links = {
        link["url"]
        for panel in BOARDS["experiments"]["panels"]
        for override in panel.get("fieldConfig", {}).get("overrides", ())
        for given in override["properties"]
        if given["id"] == "links"
        for link in given["value"]
    }
    own = {link for link in links if link.startswith("${service}")}
    for link in own:
        url = link.replace("${service}", f"http://{shown.instance}")
        with urllib.request.urlopen(url.replace("${__data.fields.experiment}", HARD)) as answer:
            assert answer.status == 200
    (to_board,) = links - own
    path, _, query = to_board.partition("?")
    assert path == f"/d/{BOARDS['experiment']['uid']}"
    variables = {variable["name"] for variable in BOARDS["experiment"]["templating"]["list"]}
    assert set(re.findall(r"var-(\w+)=", query)) <= variables
