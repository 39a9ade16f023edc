"""The committed dashboards: as they are generated, as the SDK's models want them, and as provisioned."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import yaml
from tests.unit.sdk_types import mismatches
from tools.dashboards import experiment
from tools.dashboards.__main__ import DIRECTORY, files
from tools.dashboards.grafana import ALL, Asked, Kind, Span, fill, queries
from tools.dashboards.sdk import JSONEncoder, models, plugins

from sloscore.spec.preset import load_preset

Json = Any
ROOT = DIRECTORY.parent
FILES = sorted(path.name for path in DIRECTORY.glob("*.json"))
DASHBOARD_PROVIDERS = "/etc/grafana/provisioning/dashboards"
# Bookmarks, links and provisioning hold on to these.
UIDS = {
    "experiment.json": "sloscore-experiment",
    "experiments.json": "sloscore-experiments",
    "service.json": "sloscore-service",
}


def read(name: str) -> Json:
    return json.loads((DIRECTORY / name).read_text())


def test_committed_dashboards_are_those_that_are_generated() -> None:
    committed = {name: (DIRECTORY / name).read_text() for name in FILES}
    assert committed == files(), "run: make dashboards"


def test_uids_never_change() -> None:
    assert {name: read(name)["uid"] for name in FILES} == UIDS


@pytest.mark.parametrize("name", FILES)
def test_the_models_of_the_sdk_hold_all_of_a_dashboard(name: str) -> None:
    plugins.register_default_plugins()
    board = read(name)
    assert json.loads(json.dumps(models.Dashboard.from_json(board), cls=JSONEncoder)) == board


@pytest.mark.parametrize("name", FILES)
def test_values_are_of_the_types_that_the_sdk_states(name: str) -> None:
    plugins.register_default_plugins()
    assert list(mismatches(models.Dashboard.from_json(read(name)))) == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda b: b.update(schemaVersion="38"), ".schema_version"),
        (lambda b: b["panels"][1]["gridPos"].update(h="4"), ".panels[1].grid_pos.h"),
        (
            lambda b: b["panels"][1]["options"].update(textMode="valu"),
            ".panels[1].options.text_mode",
        ),
        (lambda b: b["templating"]["list"][1].update(multi="yes"), ".templating.list_val[1].multi"),
    ],
)
def test_a_value_of_another_type_is_found(change: Callable[[Json], None], place: str) -> None:
    plugins.register_default_plugins()
    board = read("experiments.json")
    change(board)
    (found,) = mismatches(models.Dashboard.from_json(board))
    assert found.startswith(f"{place} is ")


def test_grafana_is_given_all_dashboards_and_opens_the_first_of_them() -> None:
    grafana = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]
    mounts = {mount.split(":")[1]: ROOT / mount.split(":")[0] for mount in grafana["volumes"][:-1]}
    providers = mounts[DASHBOARD_PROVIDERS] / "sloscore.yml"
    (provider,) = yaml.safe_load(providers.read_text())["providers"]
    place = provider["options"]["path"]
    assert mounts[place].resolve() == DIRECTORY
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{place}/experiments.json"


@pytest.mark.parametrize("server", ["vllm", "sglang"])
def test_histograms_of_servers_are_offered(server: str) -> None:
    metrics = load_preset(server).metrics.values()
    histograms = {name for metric in metrics if metric.unit == "s" for name in metric.names}
    assert len(histograms) >= 5
    for name in histograms:
        assert re.fullmatch(experiment.HISTOGRAMS, f"{name}_bucket")


def test_other_histograms_are_not_offered() -> None:
    for name in ("sloscore_evaluation_duration_seconds_bucket", "vllm:request_success_total"):
        assert re.fullmatch(experiment.HISTOGRAMS, name) is None


SPAN = Span(start=1000.0, end=2800.0, scrape_interval=5.0, points=100)
BOARD = {
    "templating": {
        "list": [
            {"name": "many", "multi": True, "includeAll": True, "allValue": ".*"},
            {"name": "one", "multi": False, "includeAll": False},
        ]
    }
}


@pytest.mark.parametrize(
    ("text", "chosen", "filled"),
    [
        ('x{a=~"$many"}', {"many": [ALL]}, 'x{a=~".*"}'),
        ('x{a=~"$many"}', {"many": ["b"]}, 'x{a=~"b"}'),
        ('x{a=~"${many}"}', {"many": ["b", "c"]}, 'x{a=~"(b|c)"}'),
        ('x{a=~"$many"}', {"many": ["v1.0 (a+b)"]}, r'x{a=~"v1\\.0 \\(a\\+b\\)"}'),
        ('x{a=~"$many"}', {"many": ["a\\b"]}, r'x{a=~"a\\\\b"}'),
        ("$one{}", {"one": ["vllm:latency_bucket"]}, "vllm:latency_bucket{}"),
        ('x{a="$one"}', {"one": ["v1.0"]}, 'x{a="v1.0"}'),
        ("rate(x[$__rate_interval])", {}, "rate(x[23000ms])"),
        ("x offset $__interval", {}, "x offset 18000ms"),
        ("increase(x[$__range])", {}, "increase(x[1800s])"),
    ],
)
def test_variables_are_filled_in_as_grafana_does(
    text: str, chosen: Mapping[str, Sequence[str]], filled: str
) -> None:
    assert fill(Asked("a test", Kind.RANGE, text), BOARD, chosen, SPAN) == filled


def test_a_variable_that_the_dashboard_lacks_is_an_error() -> None:
    with pytest.raises(KeyError, match="other"):
        fill(Asked("a test", Kind.RANGE, "$other"), BOARD, {}, SPAN)


def expressions(value: Json) -> set[str]:
    """Every PromQL expression that stands anywhere in a dashboard."""
    if isinstance(value, list):
        return set().union(*map(expressions, value))
    if not isinstance(value, dict):
        return set()
    own = {value["expr"]} if "expr" in value else set()
    return own.union(*map(expressions, value.values()))


@pytest.mark.parametrize("name", FILES)
def test_no_query_of_a_dashboard_is_overlooked(name: str) -> None:
    asked = {asked.text for asked in queries(read(name)) if asked.kind is not Kind.VARIABLE}
    assert asked == expressions(read(name)) != set()
