"""Rules for dashboards, after those of Grafana's dashboard-linter; each yields what is wrong."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from tools.dashboards.board import SCHEMA_VERSION, WIDTH
from tools.dashboards.grafana import Json, Kind, queries

Rule = Callable[[Json], Iterator[str]]

SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
# In Grafana 10, 11 and 12 under the same name.
PANELS: Final = {"row", "stat", "table", "timeseries", "heatmap", "state-timeline"}
UNITS: Final = {"none", "short", "s", "percentunit", "ops", "reqps"}
# Which value is chosen matters for these, so there is no "all" of them.
SINGLE: Final = {
    ("sloscore-experiments", "sli"),
    ("sloscore-experiment", "experiment"),
    ("sloscore-experiment", "histogram"),
    ("sloscore-experiments", "service"),
    ("sloscore-experiment", "service"),
}
_COUNTER: Final = re.compile(r"\b\w+_(?:total|bucket|count|sum)\b(?:\{[^}]*\})?(\[[^\]]*\])?")
# The first count of a series, which an increase next to it does not see.
_NEW: Final = re.compile(
    r"\((\w+\{[^}]*\}) unless last_over_time\(\1\[1h\] offset (\$__\w+)\)\) or (?=increase\(\1\[\2\]\))"
)
_RATE: Final = re.compile(r"\b(?:rate|increase)\(")
_OF_EXPERIMENTS: Final = re.compile(r"\bsloscore_(?:sli|experiment)_(?!series_)\w+(\{[^}]*\})?")
_OF_TASKS: Final = re.compile(r"\bsloscore_task_\w+(\{[^}]*\})?")
_OF_SERVICE: Final = re.compile(
    # What is joined to another series by its target is narrowed by that one.
    r"\b(?:up\b(?! and on \(job, instance\))|scrape_\w+|sloscore_(?:evaluation|source|build|experiment_series|experiments\b)\w*)"
    r"(\{[^}]*\})?"
)


def schema_version(board: Json) -> Iterator[str]:
    """The oldest Grafana that is supported knows the schema."""
    if board["schemaVersion"] != SCHEMA_VERSION:
        yield f"schemaVersion is {board['schemaVersion']}, not {SCHEMA_VERSION}"


def panel_types(board: Json) -> Iterator[str]:
    """All supported Grafanas have the panel."""
    for panel in board["panels"]:
        if panel["type"] not in PANELS:
            yield f"{panel['title']} is a {panel['type']}"


def titles(board: Json) -> Iterator[str]:
    """Every panel has a title of its own and says what it shows."""
    seen: set[str] = set()
    for panel in _charts(board):
        if panel["title"] in seen:
            yield f"panel {panel['id']} has another panel's title, {panel['title']}"
        seen.add(panel["title"])
    for panel in board["panels"]:
        if not panel.get("title"):
            yield f"panel {panel['id']} has no title"
        elif panel["type"] != "row" and not panel.get("description", "").endswith("."):
            yield f"{panel['title']} has no description"


def units(board: Json) -> Iterator[str]:
    """Every panel has a unit that Grafana knows."""
    for panel in _charts(board):
        unit = panel["fieldConfig"]["defaults"].get("unit")
        if unit not in UNITS:
            yield f"{panel['title']} has the unit {unit}"


def colors(board: Json) -> Iterator[str]:
    """Every number has colours."""
    for panel in _charts(board):
        steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
        if panel["type"] == "stat" and not steps:
            yield f"{panel['title']} has no thresholds"
        if steps and (steps[0]["value"] is not None or _unsorted(steps)):
            yield f"{panel['title']} has thresholds that do not rise from null"


def legends(board: Json) -> Iterator[str]:
    """Every line is named."""
    for panel in _charts(board):
        for target in panel["targets"]:
            drawn = panel["type"] in {"timeseries", "state-timeline", "heatmap"}
            if drawn and not target.get("legendFormat"):
                yield f"{panel['title']}: {target['refId']} has no legend"


def sources(board: Json) -> Iterator[str]:
    """Everything is asked of the data source that the user chose."""
    names = [v["name"] for v in board["templating"]["list"] if v["type"] == "datasource"]
    if names != ["datasource"]:
        yield f"the variables of data sources are {names}"
    asking = [v for v in board["templating"]["list"] if v["type"] == "query"]
    asking += board["annotations"]["list"]
    asking += [annotation["target"] for annotation in board["annotations"]["list"]]
    for panel in _charts(board):
        asking += [panel, *panel["targets"]]
    for one in asking:
        if one.get("datasource") != SOURCE:
            yield f"{one.get('title') or one.get('name') or one} asks {one.get('datasource')}"


def ids(board: Json) -> Iterator[str]:
    """Every panel has an id of its own."""
    seen: set[int] = set()
    for panel in board["panels"]:
        if panel["id"] in seen:
            yield f"{panel['title']} has the id {panel['id']} of another panel"
        seen.add(panel["id"])


def grid(board: Json) -> Iterator[str]:
    """No panel lies over another, or outside of the grid."""
    taken: dict[tuple[int, int], str] = {}
    for panel in board["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if x >= WIDTH:
                    yield f"{panel['title']} leaves the grid"
                elif (x, y) in taken:
                    yield f"{panel['title']} lies over {taken[x, y]}"
                taken[x, y] = panel["title"]


def refs(board: Json) -> Iterator[str]:
    """Every panel asks something, under names of its own."""
    for panel in _charts(board):
        names = [target["refId"] for target in panel["targets"]]
        if not names or len(set(names)) < len(names):
            yield f"{panel['title']} asks {names}"


def counters(board: Json) -> Iterator[str]:
    """Counters are rates over as long as Grafana says, or increases over all that is shown."""
    for asked in queries(board):
        if "irate(" in asked.text:
            yield f"{asked.place}: irate() shows two samples of many"
        if asked.kind is Kind.VARIABLE:
            continue
        allowed = {"[$__rate_interval]", *(["[$__range]"] if asked.kind is Kind.INSTANT else [])}
        text = _NEW.sub("", asked.text)
        for match in _COUNTER.finditer(text):
            before = text[: match.start()]
            if match[1] not in allowed or not _RATE.search(before[-9:]):
                yield f"{asked.place}: {match[0]} is no rate over $__rate_interval"


def matchers(board: Json) -> Iterator[str]:
    """What belongs to a task or a service is narrowed to those that were chosen."""
    for asked in queries(board):
        if asked.kind is Kind.VARIABLE:
            continue
        for match in _OF_EXPERIMENTS.finditer(asked.text):
            if not _narrowed(match[1], "task", "experiment"):
                yield f"{asked.place}: {match[0]} is of all experiments"
        for match in _OF_TASKS.finditer(asked.text):
            if not _narrowed(match[1], "task"):
                yield f"{asked.place}: {match[0]} is of all tasks"
        for match in _OF_SERVICE.finditer(asked.text):
            if not _narrowed(match[1], "job", "instance"):
                yield f"{asked.place}: {match[0]} is of all services"


def variables(board: Json) -> Iterator[str]:
    """Every variable is labelled, used, and can be all of its values unless one must be chosen."""
    text = str([board["panels"], board["annotations"], board["links"]]) + str(
        [variable.get("query") for variable in board["templating"]["list"]]
    )
    for variable in board["templating"]["list"]:
        name = variable["name"]
        if not variable.get("label"):
            yield f"${name} has no label"
        if not re.search(rf"\${name}\b|\$\{{{name}\b|'repeat': '{name}'", text):
            yield f"${name} is used nowhere"
        if variable["type"] != "query" or (board["uid"], name) in SINGLE:
            continue
        if not variable["multi"] or not variable["includeAll"] or variable["allValue"] != ".*":
            yield f"${name} cannot be all of its values"
        if variable["refresh"] != 2:
            yield f"${name} keeps its values when the time range changes"


RULES: Final[tuple[Rule, ...]] = (
    schema_version,
    panel_types,
    titles,
    units,
    colors,
    legends,
    sources,
    ids,
    grid,
    refs,
    counters,
    matchers,
    variables,
)


def _charts(board: Json) -> list[Json]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def _unsorted(steps: Json) -> bool:
    values = [step["value"] for step in steps[1:]]
    return values != sorted(values)


def _narrowed(selector: str | None, *labels: str) -> bool:
    return all(f'{label}=~"${label}"' in (selector or "") for label in labels)
