"""What Grafana does between a dashboard and Prometheus: the queries with their variables filled in."""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

Json = Any
ALL: Final = "$__all"

_VARIABLE: Final = re.compile(r"\$(\w+)|\$\{(\w+)\}")
_FUNCTION: Final = re.compile(
    r"label_values\((?P<selector>.+),\s*(?P<label>\w+)\)|query_result\((?P<query>.+)\)"
)
_SPECIAL: Final = re.compile(r"[$^*{}\[\]'+?.()|]")


class Kind(StrEnum):
    """How a query is asked."""

    RANGE = "range"
    INSTANT = "instant"
    VARIABLE = "variable"


@dataclass(frozen=True, slots=True)
class Asked:
    """A query of a dashboard: where it stands, and its text with the variables in it."""

    place: str
    kind: Kind
    text: str
    legend: str = ""
    regex: str = ""
    min_step: float = 0.0


@dataclass(frozen=True, slots=True)
class Span:
    """The time range shown, how often its data source scrapes, and how many points a panel has."""

    start: float
    end: float
    scrape_interval: float
    points: int = 400

    def step(self, least: float = 0.0) -> float:
        """$__interval in seconds, for a query that asks for ``least`` at least."""
        # Whole milliseconds, as in Prometheus.
        share = round((self.end - self.start) / self.points, 3)
        return max(share, self.scrape_interval, least)

    def built_in(self, least: float = 0.0) -> Mapping[str, str]:
        """The variables that Grafana works out itself."""
        rate = max(self.step() + self.scrape_interval, 4 * self.scrape_interval)
        return {
            "__interval": _duration(self.step(least)),
            "__rate_interval": _duration(rate),
            "__range": f"{round(self.end - self.start)}s",
        }


def queries(board: Json) -> Iterator[Asked]:
    """Everything that a dashboard asks its data source."""
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            query = variable["query"]["query"]
            regex = variable.get("regex", "").strip("/")
            yield Asked(f"variable {variable['name']}", Kind.VARIABLE, query, regex=regex)
    for annotation in board["annotations"]["list"]:
        target = annotation["target"]
        step = float(target["interval"].removesuffix("s"))
        place = f"annotation {annotation['name']}"
        yield Asked(place, _kind(target), target["expr"], min_step=step)
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield query_of(panel, target)


def query_of(panel: Json, target: Json) -> Asked:
    """One query of a panel."""
    place = f"{panel['title']}: {target['refId']}"
    return Asked(place, _kind(target), target["expr"], target.get("legendFormat", ""))


def fill(asked: Asked, board: Json, chosen: Mapping[str, Sequence[str]], span: Span) -> str:
    """A query with the chosen values of its variables; raises KeyError for an unknown variable."""
    built_in = span.built_in(asked.min_step)
    models = {variable["name"]: variable for variable in board["templating"]["list"]}

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name in built_in:
            return built_in[name]
        return _interpolate(models[name], chosen[name])

    return _VARIABLE.sub(value, asked.text)


def ask(url: str, asked: Asked, text: str, span: Span) -> list[Json]:
    """What Prometheus answers to a filled-in query; raises ValueError with its words for an error."""
    if asked.kind is Kind.VARIABLE:
        return _values(url, asked, text, span)
    if asked.kind is Kind.INSTANT:
        answer = _get(url, "query", {"query": text, "time": span.end})
    else:
        # Grafana aligns the range to the step.
        step = span.step(asked.min_step)
        start, end = (time // step * step for time in (span.start, span.end))
        given = {"query": text, "start": start, "end": end, "step": _duration(step)}
        answer = _get(url, "query_range", given)
    if answer.get("warnings"):
        raise ValueError(f"{text}: {answer['warnings']}")
    found: list[Json] = answer["data"]["result"]
    return found


def _values(url: str, asked: Asked, text: str, span: Span) -> list[Json]:
    """The values that a variable offers."""
    match = _FUNCTION.fullmatch(text)
    if match is None:
        raise ValueError(f"{asked.place} asks {text}, which is no function of variables")
    if match["query"]:
        answer = _get(url, "query", {"query": match["query"], "time": span.end})
        texts = [_described(series) for series in answer["data"]["result"]]
    else:
        given = {"start": span.start, "end": span.end, "match[]": match["selector"]}
        texts = _get(url, f"label/{match['label']}/values", given)["data"]
    if asked.regex:
        texts = [found[1] for text in texts if (found := re.search(asked.regex, text))]
    return sorted(texts)


def _described(series: Json) -> str:
    labels = dict(series["metric"])
    name = labels.pop("__name__", "")
    inside = ",".join(f'{label}="{value}"' for label, value in labels.items())
    return f"{name}{{{inside}}} {series['value'][1]} {series['value'][0] * 1000:.0f}"


def _interpolate(variable: Json, values: Sequence[str]) -> str:
    if list(values) == [ALL]:
        every: str = variable["allValue"]
        return every
    if not (variable.get("multi") or variable.get("includeAll")):
        (value,) = values
        return value.replace("\\", "\\\\").replace("'", "\\\\'")
    escaped = [_SPECIAL.sub(r"\\\\\g<0>", value.replace("\\", "\\\\\\\\")) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def _kind(target: Json) -> Kind:
    return Kind.INSTANT if target.get("instant") else Kind.RANGE


def _duration(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def _get(url: str, path: str, given: Mapping[str, object]) -> Json:
    where = f"{url}/api/v1/{path}?{urllib.parse.urlencode(given)}"
    try:
        with urllib.request.urlopen(where, timeout=30) as answer:  # noqa: S310  http by construction
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise ValueError(f"{given}: {json.load(error).get('error')}") from error
