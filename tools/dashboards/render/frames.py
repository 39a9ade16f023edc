"""What a dashboard shows: its panels at their places with the answers to their queries."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tools.dashboards.board import WIDTH
from tools.dashboards.grafana import ALL, Asked, Json, Span, ask, fill, queries, query_of

Value = float | str | None
Chosen = Mapping[str, Sequence[str]]

_LEGEND: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Line:
    """A series with its name as in the legend; ``labels`` are its own."""

    name: str
    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Shown:
    """A panel with its title, its place on the grid and the series of each of its queries."""

    panel: Json
    title: str
    x: int
    y: int
    width: int
    height: int
    answers: Mapping[str, Sequence[Line]]
    marks: Sequence[float] = ()

    @property
    def lines(self) -> Sequence[Line]:
        """The series of all queries."""
        return [line for lines in self.answers.values() for line in lines]


def _marks(url: str, board: Json, chosen: Chosen, span: Span) -> list[float]:
    """The times of the annotations."""
    found: list[float] = []
    for asked in queries(board):
        if asked.place.startswith("annotation"):
            series = ask(url, asked, fill(asked, board, chosen, span), span)
            found += [float(one["values"][0][0]) for one in series]
    return found


def shown(url: str, board: Json, chosen: Chosen, span: Span) -> Iterator[Shown]:
    """All panels; one that is repeated is there for each value of its variable."""
    shift = 0
    marks = _marks(url, board, chosen, span)
    for panel in board["panels"]:
        place = panel["gridPos"]
        variable = panel.get("repeat")
        values = _offered(url, board, variable, chosen, span) if variable else [None]
        columns = min(int(panel.get("maxPerRow", 1)), len(values)) if variable else 1
        width = WIDTH // columns if variable else place["w"]
        for number, value in enumerate(values):
            own = chosen if value is None else {**chosen, variable: [value]}
            yield Shown(
                panel,
                _text(panel.get("title", ""), own),
                place["x"] + number % columns * width,
                place["y"] + shift + number // columns * place["h"],
                width,
                place["h"],
                _answers(url, board, panel, own, span),
                marks,
            )
        shift += (len(values) - 1) // columns * place["h"]


def _answers(
    url: str, board: Json, panel: Json, chosen: Chosen, span: Span
) -> Mapping[str, Sequence[Line]]:
    found = {}
    for target in panel.get("targets", ()):
        asked = query_of(panel, target)
        series = ask(url, asked, fill(asked, board, chosen, span), span)
        found[target["refId"]] = [_line(asked, one) for one in series]
    return found


def _line(asked: Asked, series: Json) -> Line:
    labels: Mapping[str, str] = series["metric"]
    name = _LEGEND.sub(lambda match: labels.get(match[1], ""), asked.legend)
    points = series.get("values") or [series["value"]]
    return Line(name, labels, [(float(at), float(value)) for at, value in points])


def _offered(url: str, board: Json, variable: str, chosen: Chosen, span: Span) -> Sequence[str]:
    if list(chosen[variable]) != [ALL]:
        return chosen[variable]
    (asked,) = (a for a in queries(board) if a.place == f"variable {variable}")
    return ask(url, asked, fill(asked, board, chosen, span), span)


def _text(text: str, chosen: Chosen) -> str:
    def value(match: re.Match[str]) -> str:
        values = chosen[match[1]]
        return "All" if list(values) == [ALL] else " + ".join(values)

    return re.sub(r"\$(\w+)", value, text)


def table(one: Shown) -> tuple[list[str], list[list[Value]]]:
    """The titles and rows of a table, after its transformations."""
    transformations = {t["id"]: t["options"] for t in one.panel["transformations"]}
    single = len(one.answers) == 1
    merged: dict[frozenset[tuple[str, str]], dict[str, Value]] = {}
    common = set.intersection(*(set(line.labels) for line in one.lines)) if one.lines else set()
    for ref, lines in one.answers.items():
        for line in lines:
            key = frozenset((name, line.labels[name]) for name in common)
            row = merged.setdefault(key, {})
            row |= dict(line.labels)
            row["Value" if single else f"Value #{ref}"] = line.points[-1][1]
    (order,) = transformations["sortBy"]["sort"]
    rows = sorted(merged.values(), key=lambda row: _sortable(row.get(order["field"])))
    titles = transformations["organize"]["renameByName"]
    return list(titles.values()), [[row.get(name) for name in titles] for row in rows]


def _sortable(value: Value) -> tuple[bool, str, float]:
    """Texts by the alphabet, numbers by size, what is not there at the end."""
    text, number = (value, 0.0) if isinstance(value, str) else ("", value or 0.0)
    return (value is None, text, number)
