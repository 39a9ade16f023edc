"""The rules for dashboards: the committed ones keep them, and each rule finds what it is for."""

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from tools.dashboards import lint
from tools.dashboards.__main__ import DIRECTORY

Json = Any

BOARDS: Mapping[str, Json] = {
    path.stem: json.loads(path.read_text()) for path in sorted(DIRECTORY.glob("*.json"))
}


def panel(board: Json, title: str) -> Json:
    (found,) = (one for one in board["panels"] if one["title"] == title)
    return found


def variable(board: Json, name: str) -> Json:
    (found,) = (one for one in board["templating"]["list"] if one["name"] == name)
    return found


def expression(title: str, old: str, new: str) -> Callable[[Json], None]:
    """A mistake in the first query of a panel."""

    def make(board: Json) -> None:
        target = panel(board, title)["targets"][0]
        assert old in target["expr"]
        target["expr"] = target["expr"].replace(old, new)

    return make


def a_panel(title: str, /, **given: Json) -> Callable[[Json], None]:
    """A mistake in a panel's own settings."""
    return lambda board: panel(board, title).update(given)


def a_variable(name: str, /, **given: Json) -> Callable[[Json], None]:
    """A mistake in a variable's settings."""
    return lambda board: variable(board, name).update(given)


def unit(board: Json) -> None:
    del panel(board, "Staleness")["fieldConfig"]["defaults"]["unit"]


def steps(board: Json) -> None:
    panel(board, "Down")["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["value"] = 1


def legend(board: Json) -> None:
    del panel(board, "Queries")["targets"][0]["legendFormat"]


def fixed_source(board: Json) -> None:
    panel(board, "Queries")["targets"][0]["datasource"]["uid"] = "prometheus"


def second_source(board: Json) -> None:
    board["templating"]["list"].append({**variable(board, "datasource"), "name": "other"})


def overlap(board: Json) -> None:
    panel(board, "Queries")["gridPos"]["x"] -= 1


def outside(board: Json) -> None:
    panel(board, "Errors of queries")["gridPos"]["w"] += 1


def same_id(board: Json) -> None:
    panel(board, "Queries")["id"] = panel(board, "Down")["id"]


def same_ref(board: Json) -> None:
    panel(board, "Latency of queries")["targets"][1]["refId"] = "A"


# Each is made in the dashboard of the service.
MISTAKES: Mapping[str, tuple[lint.Rule, Callable[[Json], None], str]] = {
    "newer schema": (lint.schema_version, lambda b: b.update(schemaVersion=42), "42"),
    "old panel": (lint.panel_types, a_panel("Queries", type="graph"), "graph"),
    "no title": (lint.titles, a_panel("Queries", title=""), "no title"),
    "no description": (lint.titles, a_panel("Queries", description=""), "no description"),
    "same title": (lint.titles, a_panel("Queries", title="Staleness"), "another panel's title"),
    "no unit": (lint.units, unit, "unit None"),
    "no lowest step": (lint.colors, steps, "do not rise"),
    "no legend": (lint.legends, legend, "Queries: A has no legend"),
    "fixed source": (lint.sources, fixed_source, "asks"),
    "second source": (lint.sources, second_source, "other"),
    "overlap": (lint.grid, overlap, "lies over Latency of queries"),
    "outside": (lint.grid, outside, "leaves the grid"),
    "same id": (lint.ids, same_id, "another panel"),
    "same ref": (lint.refs, same_ref, "['A', 'A']"),
    "no query": (lint.refs, a_panel("Queries", targets=[]), "[]"),
    "fixed window": (
        lint.counters,
        expression("Queries", "$__rate_interval", "5m"),
        "no rate over $__rate_interval",
    ),
    "raw counter": (
        lint.counters,
        expression("Errors", "increase(", "delta("),
        "no rate over $__rate_interval",
    ),
    "whole range in a graph": (
        lint.counters,
        expression("Queries", "$__rate_interval", "$__range"),
        "no rate over $__rate_interval",
    ),
    "another window for what is new": (
        lint.counters,
        expression("Errors", "offset $__range", "offset $__interval"),
        "no rate over $__rate_interval",
    ),
    "irate": (lint.counters, expression("Queries", "rate(", "irate("), "irate()"),
    "all services": (
        lint.matchers,
        expression("Build", 'job=~"$job", ', ""),
        "is of all services",
    ),
    "one value only": (lint.variables, a_variable("instance", multi=False), "cannot be all"),
    "no all": (lint.variables, a_variable("instance", includeAll=False), "cannot be all"),
    "values kept": (lint.variables, a_variable("job", refresh=1), "keeps its values"),
    "no label": (lint.variables, a_variable("job", label=""), "no label"),
    "unused": (lint.variables, a_variable("job", name="region"), "used nowhere"),
}


@pytest.mark.parametrize("rule", lint.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("board", BOARDS)
def test_dashboards_keep_the_rules(board: str, rule: lint.Rule) -> None:
    assert list(rule(BOARDS[board])) == []


@pytest.mark.parametrize("mistake", MISTAKES)
def test_rules_find_mistakes(mistake: str) -> None:
    rule, make, message = MISTAKES[mistake]
    board = copy.deepcopy(BOARDS["service"])
    make(board)
    found = list(rule(board))
    assert found
    assert message in found[0]


@pytest.mark.parametrize(
    ("title", "old", "message"),
    [
        ("Penalty", 'task=~"$task", ', "is of all experiments"),
        ("Violation budgets", 'task=~"$task", ', "is of all tasks"),
    ],
)
def test_queries_of_all_tasks_are_found(title: str, old: str, message: str) -> None:
    board = copy.deepcopy(BOARDS["experiments"])
    expression(title, old, "")(board)
    found = list(lint.matchers(board))
    assert found
    assert message in found[0]


def test_every_rule_has_a_mistake_that_it_finds() -> None:
    assert {rule for rule, _, _ in MISTAKES.values()} == set(lint.RULES)
