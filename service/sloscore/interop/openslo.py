"""OpenSLO v1: the objectives of SLO documents on latency, as limits of a task."""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from sloscore.core.sli import parse_percentile
from sloscore.interop.fields import Fields
from sloscore.interop.metrics import Known, known_histogram
from sloscore.interop.queries import Counted, Quantile, Selected, read_query
from sloscore.interop.task import Draft
from sloscore.spec.document import Document, Place

VERSION: Final = "openslo/v1"
REASONS: Final[Mapping[str, str]] = {
    "timeWindow": "a window is that of an experiment's load",
    "budgetingMethod": "requests of one window are counted; there are no slices and no error budget",
    "timeSliceTarget": "a window has no slices",
    "timeSliceWindow": "a window has no slices",
    "alertPolicies": "alerts are those of the service, or of sloscore rules",
    "metricSourceRef": "the settings of the service say where Prometheus is",
    "target": "the statistic of one window is judged, which meets its limit or does not",
    "targetPercent": "the statistic of one window is judged, which meets its limit or does not",
    "labels": "a task has no labels of its own",
    "annotations": "a task has no annotations",
    "displayName": "a limit is named by what it measures",
    "description": "a limit has no description",
}


def read_openslo(documents: Sequence[Document], draft: Draft) -> list[Fields]:
    """Add the objectives of all SLO documents to a draft; SLIs may be referred to by name.

    Raises SpecError for what is not OpenSLO v1, and for names that nothing has.
    """
    all_fields = [Fields(document, REASONS) for document in documents]
    slis: dict[str, Fields] = {}
    slos = []
    for fields in all_fields:
        kind, name = _head(fields)
        if kind == "SLO":
            slos.append((name, fields))
        elif kind == "SLI":
            slis[name] = fields
        else:
            fields.refuse((), f"{kind} documents are not part of a task")
    services = {fields.text("spec", "service") for _, fields in slos}
    draft.name = (services.pop() if len(services) == 1 else None) or (slos[0][0] if slos else "")
    for name, fields in slos:
        draft.descriptions.append(
            fields.text("spec", "description") or fields.text("metadata", "displayName") or name
        )
        if fields.at("spec", "budgetingMethod") == "Occurrences":
            fields.take("spec", "budgetingMethod")
        for place in fields.places("spec", "objectives"):
            _objective(fields, place, slis, draft)
    return all_fields


def _head(fields: Fields) -> tuple[str, str]:
    version = fields.text("apiVersion")
    if version != VERSION:
        raise fields.error(("apiVersion",), f"must be {VERSION}, got {version!a}")
    kind, name = fields.text("kind"), fields.text("metadata", "name")
    for place, found in ((("kind",), kind), (("metadata", "name"), name)):
        if not found:
            raise fields.error(place, "is required")
    return str(kind), str(name)


def _objective(fields: Fields, place: Place, slis: Mapping[str, Fields], draft: Draft) -> None:
    owner, sli = _indicator(fields, place, slis)
    if owner.at(*sli) is None:
        raise owner.error(sli, "has neither ratioMetric nor thresholdMetric")
    try:
        if owner.at(*sli, "thresholdMetric") is not None:
            known, labels, percentile, limit = _threshold(fields, place, owner, sli)
        else:
            known, labels, percentile, limit = _ratio(fields, place, owner, sli)
        weight = fields.number(*place, "compositeWeight")
        if weight is not None:
            limit["weight"] = weight
        draft.reads(known)
        draft.add(known.signal, percentile, limit)
    except ValueError as error:
        fields.refuse(place, str(error))
    else:
        draft.select(owner, sli, labels)


def _indicator(fields: Fields, place: Place, slis: Mapping[str, Fields]) -> tuple[Fields, Place]:
    """The document that holds the objective's SLI, and the place of its metric there."""
    for around in (place, ("spec",)):
        if fields.at(*around, "indicator") is not None:
            fields.take(*around, "indicator", "metadata", "name")
            return fields, (*around, "indicator", "spec")
        name = fields.text(*around, "indicatorRef")
        if name is not None:
            if name not in slis:
                raise fields.error((*around, "indicatorRef"), f"no SLI document is named {name!a}")
            return slis[name], ("spec",)
    raise fields.error(place, "has no SLI: there is neither indicator nor indicatorRef")


def _query(fields: Fields, place: Place) -> Quantile | Counted:
    """The query of a metric; raises ValueError where it is no PromQL that is understood."""
    source = (*place, "metricSource")
    kind = fields.text(*source, "type")
    if kind is not None and kind.lower() != "prometheus":
        raise ValueError(f"queries of {kind} are not read, those of Prometheus are")
    query = fields.text(*source, "spec", "query")
    if query is None:
        raise fields.error((*source, "spec"), "needs a query")
    try:
        return read_query(query)
    except ValueError as error:
        line = fields.document.line_of((*source, "spec", "query"))
        raise ValueError(f"its query at line {line} {error}") from None


def _usable(fields: Fields, place: Place, histogram: Selected) -> Known:
    known = known_histogram(histogram.metric)
    for matcher in histogram.others:
        fields.refuse(
            (*place,), f"the matcher {matcher} narrows the query; a selector knows = only"
        )
    return known


def _threshold(
    fields: Fields, place: Place, owner: Fields, sli: Place
) -> tuple[Known, Mapping[str, str], str, dict[str, object]]:
    found = _query(owner, (*sli, "thresholdMetric"))
    if not isinstance(found, Quantile):
        raise ValueError("its query is no histogram_quantile")  # noqa: TRY004  it is text that is wrong
    op, value = fields.text(*place, "op"), fields.number(*place, "value")
    if op not in {"lte", "lt"}:
        raise ValueError(f"a latency is limited from above: op is lte or lt, not {op}")
    if value is None:
        raise fields.error((*place, "value"), "is required with thresholdMetric")
    if op == "lt":
        fields.refuse((*place, "op"), "a value at the limit meets it: lte was taken")
    known = _usable(owner, sli, found.histogram)
    limit: dict[str, object] = {"threshold": seconds(value, known)}
    return known, found.histogram.labels, percentile_of(found.quantile), limit


def _ratio(
    fields: Fields, place: Place, owner: Fields, sli: Place
) -> tuple[Known, Mapping[str, str], str, dict[str, object]]:
    ratio = (*sli, "ratioMetric")
    owner.take(*ratio, "counter")
    if owner.at(*ratio, "good") is None:
        raise ValueError("its ratio is of bad or raw figures; good buckets of a histogram are read")
    good, total = _query(owner, (*ratio, "good")), _query(owner, (*ratio, "total"))
    if not isinstance(good, Counted) or math.isinf(good.bound):
        raise ValueError('its good requests are no ..._bucket with le="..."')
    if not isinstance(total, Counted) or not math.isinf(total.bound):
        raise ValueError("its total is no ..._count")
    if good.histogram != total.histogram:
        raise ValueError("good and total select different series")
    target = fields.number(*place, "target")
    percent = fields.number(*place, "targetPercent")
    if (target is None) == (percent is None):
        raise fields.error(place, "needs either target or targetPercent")
    share = Decimal(str(target)) if percent is None else Decimal(str(percent)) / 100
    known = _usable(owner, sli, good.histogram)
    limit: dict[str, object] = {"threshold": seconds(good.bound, known)}
    return known, good.histogram.labels, percentile_of(float(share)), limit


def percentile_of(quantile: float) -> str:
    """``p95`` of 0.95; raises ValueError for what no percentile of a limit is."""
    name = f"p{(Decimal(str(quantile)) * 100).normalize():f}"
    try:
        parse_percentile(name)
    except ValueError:
        raise ValueError(f"{quantile:g} is no percentile of a limit: p1 to p99.9 are") from None
    return name


def seconds(value: float, known: Known) -> float:
    """A figure in the histogram's unit, in seconds."""
    return float(Decimal(str(value)) * Decimal(str(known.metric.scale)))
