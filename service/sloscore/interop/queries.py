"""What a PromQL query measures: the quantile of a histogram, or its requests within a bound."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_NAME: Final = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_STRING: Final = r'"(?:[^"\\]|\\.)*"' + r"|'(?:[^'\\]|\\.)*'"
_SELECTOR: Final = re.compile(rf"({_NAME})\s*\{{((?:[^{{}}\"']|{_STRING})*)\}}|({_NAME})(?=\s*\[)")
_MATCHER: Final = re.compile(rf"\s*({_NAME})\s*(=~|!~|!=|=)\s*({_STRING})\s*(?:,|$)")
_QUANTILE: Final = re.compile(r"\bhistogram_quantile\s*\(\s*([0-9.]+(?:e-?[0-9]+)?)\s*,")


@dataclass(frozen=True, slots=True)
class Selected:
    """The metric that a query selects, by its labels; ``others`` holds matchers other than =."""

    metric: str
    labels: Mapping[str, str]
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Quantile:
    """``histogram_quantile(quantile, ...)`` of a histogram."""

    quantile: float
    histogram: Selected


@dataclass(frozen=True, slots=True)
class Counted:
    """The requests of a histogram, or (``bound``, in the metric's unit) those at or under it."""

    bound: float
    histogram: Selected


def read_query(query: str) -> Quantile | Counted:
    """What a query measures.

    Raises ValueError, with what would be understood, for a query that is neither.
    """
    selected = _selected(query)
    asked = _QUANTILE.search(query)
    if asked is not None:
        histogram = _part(selected, "_bucket")
        return Quantile(float(asked[1]), histogram)
    if selected.metric.endswith("_count"):
        return Counted(math.inf, _part(selected, "_count"))
    histogram = _part(selected, "_bucket")
    bound = dict(histogram.labels).pop("le", None)
    if bound is None:
        raise ValueError('counts buckets without an equality such as le="5"')
    labels = {name: value for name, value in histogram.labels.items() if name != "le"}
    try:
        return Counted(float(bound), Selected(histogram.metric, labels, histogram.others))
    except ValueError:
        raise ValueError(f"has the bound le={bound!a}, which is no number") from None


def _selected(query: str) -> Selected:
    found = {_matchers(match) for match in _SELECTOR.finditer(query)}
    if not found:
        # A bare name, such as x_bucket without labels and range, is not told from a function.
        raise ValueError("selects no metric by labels or range that could be read")
    if len(found) > 1:
        names = ", ".join(sorted({name for name, _, _ in found}))
        raise ValueError(f"selects several kinds of series ({names}); one metric is read")
    name, labels, others = found.pop()
    return Selected(name, dict(labels), others)


def _matchers(match: re.Match[str]) -> tuple[str, tuple[tuple[str, str], ...], tuple[str, ...]]:
    name, text = match[1] or match[3], (match[2] or "").strip()
    labels, others, at = {}, [], 0
    while at < len(text):
        one = _MATCHER.match(text, at)
        if one is None:
            raise ValueError(f"has matchers of {name} that could not be read")
        if one[2] == "=":
            labels[one[1]] = re.sub(r"\\(.)", r"\1", one[3][1:-1])
        else:
            others.append(f"{one[1]}{one[2]}{one[3]}")
        at = one.end()
    return name, tuple(sorted(labels.items())), tuple(others)


def _part(selected: Selected, ending: str) -> Selected:
    if not selected.metric.endswith(ending):
        raise ValueError(
            f"is of {selected.metric}; read are histogram_quantile of ..._bucket, ..._bucket "
            'with le="...", and ..._count'
        )
    return Selected(selected.metric.removesuffix(ending), selected.labels, selected.others)
