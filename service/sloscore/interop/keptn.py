"""Keptn's ``slo.yaml``, with the queries of ``sli.yaml``: objectives on latency as limits."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sloscore.interop.fields import Fields
from sloscore.interop.metrics import Known, known_histogram, signal_in
from sloscore.interop.openslo import percentile_of, seconds
from sloscore.interop.queries import Quantile, read_query
from sloscore.interop.task import Draft
from sloscore.spec.document import Document, Place

VERSION: Final = re.compile(r"(?:0\.1|1)\.\d+(?:\.\d+)?")
REASONS: Final[Mapping[str, str]] = {
    "comparison": "experiments are compared with a baseline, which limits nothing",
    "total_score": "an experiment has a score, and a status; penalties are added up, not points",
    "filter": "no query uses it",
    "displayName": "a limit is named by what it measures",
    "indicators": "no objective uses it",
    "warning": "only what fails hard (key_sli) has a second border, its fail_ratio",
}
_CRITERION: Final = re.compile(r"\s*(<=|<|>=|>|=)?\s*([+-]?)\s*(\d+(?:\.\d*)?|\.\d+)\s*(%?)\s*")
_PERCENTILE: Final = re.compile(r"_?p(\d{1,2}(?:[._]\d)?)$")
_SCALES: Final = {"s": "1", "ms": "0.001", "us": "0.000001"}
_PLACEHOLDER: Final = re.compile(r"\$(\w+)")


@dataclass(frozen=True, slots=True)
class Measured:
    """What an objective measures: ``known`` and its labels where a query tells."""

    signal: str
    percentile: str
    known: Known | None
    labels: Mapping[str, str]


def read_keptn(documents: Sequence[Document], draft: Draft, unit: str | None) -> list[Fields]:
    """Add the objectives to a draft.

    ``unit`` (s, ms or us) is that of criteria whose SLI no query of a histogram tells. Raises
    SpecError for what is not Keptn's, and for criteria without a unit.
    """
    all_fields = [Fields(document, REASONS) for document in documents]
    indicators: dict[str, tuple[Fields, Place]] = {}
    slos = []
    for fields in all_fields:
        version = str(fields.take("spec_version"))
        if not VERSION.fullmatch(version):
            raise fields.error(("spec_version",), f"must be 1.0, got {version!a}")
        found = fields.at("indicators")
        if isinstance(found, dict):
            indicators |= {name: (fields, ("indicators", name)) for name in found}
        elif fields.at("objectives") is not None:
            slos.append(fields)
        else:
            raise fields.error((), "has neither objectives nor indicators")
    for fields in slos:
        for place in fields.places("objectives"):
            _objective(fields, place, indicators, draft, unit)
    return all_fields


def _objective(
    fields: Fields,
    place: Place,
    indicators: Mapping[str, tuple[Fields, Place]],
    draft: Draft,
    unit: str | None,
) -> None:
    name = fields.text(*place, "sli")
    if not name:
        raise fields.error(place, "sli: is required")
    try:
        measured = _measured(fields, name, indicators)
        limit = _limit(fields, place, measured, unit)
        if measured.known is not None:
            draft.reads(measured.known)
        draft.add(measured.signal, measured.percentile, limit)
    except ValueError as error:
        fields.refuse(place, str(error))
        return
    if measured.known is not None:
        draft.select(*indicators[name], measured.labels)


def _measured(
    fields: Fields, name: str, indicators: Mapping[str, tuple[Fields, Place]]
) -> Measured:
    if name in indicators:
        owner, at = indicators[name]
        query = _PLACEHOLDER.sub(lambda one: _filled(fields, one), owner.text(*at) or "")
        try:
            found = read_query(query)
        except ValueError as error:
            where = f"{owner.document.name}:{owner.document.line_of(at)}"
            raise ValueError(f"its query ({where}) {error}") from None
        if not isinstance(found, Quantile):
            raise ValueError("its query is no histogram_quantile")
        known = known_histogram(found.histogram.metric)
        for matcher in found.histogram.others:
            owner.refuse(at, f"the matcher {matcher} narrows the query; a selector knows = only")
        labels = found.histogram.labels
        return Measured(known.signal, percentile_of(found.quantile), known, labels)
    signal, percentile = signal_in(name), _PERCENTILE.search(name)
    if signal is None or percentile is None:
        raise ValueError(f"{name} tells no signal and percentile, as latency_p95 does")
    quantile = float(Decimal(percentile[1].replace("_", ".")) / 100)
    return Measured(signal, percentile_of(quantile), None, {})


def _filled(fields: Fields, placeholder: re.Match[str]) -> str:
    """The value of a filter, by its name or Keptn's own in capitals; else what stands there."""
    for name in (placeholder[1], placeholder[1].lower()):
        if fields.at("filter", name) is not None:
            return str(fields.take("filter", name))
    return placeholder[0]


def _limit(fields: Fields, place: Place, measured: Measured, unit: str | None) -> dict[str, object]:
    if fields.at(*place, "pass") is None:
        raise ValueError("has no pass, so it judges nothing")
    border = _border(fields, (*place, "pass"))
    if border is None:
        raise ValueError("its pass has no upper limit by itself, such as <=600")
    if measured.known is None and unit is None:
        raise fields.error(
            (*place, "pass"),
            "criteria have no unit, and no query tells it: give --unit s, ms or us",
        )

    def in_seconds(value: Decimal) -> float:
        if measured.known is not None:
            return seconds(float(value), measured.known)
        return float(value * Decimal(_SCALES[unit or "s"]))

    limit: dict[str, object] = {"threshold": in_seconds(border)}
    weight = fields.number(*place, "weight")
    if weight is not None:
        limit["weight"] = weight
    if fields.take(*place, "key_sli") is True:
        fails = border
        if fields.at(*place, "warning") is not None:
            fails = max(border, _border(fields, (*place, "warning")) or border)
        ratio = (fails - border) / border if border else Decimal(0)
        limit |= {"hard_fail": True, "fail_ratio": float(round(ratio, 6))}
    return limit


def _border(fields: Fields, place: Place) -> Decimal | None:
    """The upper limit of criteria: the lowest of those that hold together, of several the highest."""
    borders = []
    for group in fields.places(*place):
        together = []
        for criterion in fields.places(*group, "criteria"):
            value = _upper_limit(fields, criterion)
            if value is not None:
                together.append(value)
        if together:
            borders.append(min(together))
    return max(borders, default=None)


def _upper_limit(fields: Fields, place: Place) -> Decimal | None:
    text = str(fields.take(*place))
    match = _CRITERION.fullmatch(text)
    if match is None:
        raise fields.error(place, f"must be a criterion such as <=600 or <=+10%, got {text!a}")
    comparison, sign, number, percent = match.groups()
    if sign or percent:
        fields.refuse(place, f"{text} is relative to earlier results; limits are fixed")
        return None
    if comparison not in {"<", "<="}:
        fields.refuse(place, f"{text} is no upper limit, and a latency has no other")
        return None
    if comparison == "<":
        fields.refuse(place, f"a value at the limit meets it: <={number} was taken")
    return Decimal(number)
