"""Large answers to a snapshot's query, read row by row without building their document.

Nearly all of such an answer is the same the next time, and the same for each instance: names and
labels. What they mean is worked out once; then a row costs one match, two look-ups and one number.
Whatever is not as expected is left to ``decode``, which reads all that Prometheus can answer.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from sloscore.core.samples import Family, InstanceSample, Labels
from sloscore.errors import SourceError
from sloscore.sources.base import Snapshot
from sloscore.sources.decode import SnapshotAnswer, SnapshotDecoder, decode_snapshot
from sloscore.sources.layout import Layout, Shape, layout_of
from sloscore.sources.promql import PART_LABEL, PART_TIME_PREFIX, UP, Chunk
from sloscore.sources.scrapes import Instance, child_labels

_HEAD: Final = b'{"status":"success","data":{"resultType":"vector","result":['
# Quotes inside of a string are escaped, so that no label can hold this.
_BETWEEN: Final = b'},{"metric":'
_TAIL: Final = b"]}}"
_UP_TIME: Final = re.compile(
    rb'\{"%s":"%s%s",[^}]*\}' % tuple(text.encode() for text in (PART_LABEL, PART_TIME_PREFIX, UP))
)
# A string of JSON with its escapes, which are never looked at twice; and a label with its comma.
_STRING: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_LABEL: Final = rb"(?:%s:%s,)" % (_STRING, _STRING)
_VALUE: Final = rb'\}),"value":\[[^",\]]*,"([^"\\]*)"\]\}'
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MEANT_OF_SERIES: Final = frozenset({"__name__", "le", PART_LABEL})
# Other threads wait while a part is searched.
_PART_BYTES: Final = 256 * 1024
# More than these are no kinds of rows, but rows.
_MOST_SHAPES: Final = 20_000
_MOST_LAYOUTS: Final = 1_000
_MOST_TABLES: Final = 64

_Where = tuple[bytes, ...]
_Rows = dict[Shape, float]


class ColumnReader:
    """Reads answers to ``promql.snapshot_query`` and remembers what their rows mean."""

    def __init__(self) -> None:
        self._tables: dict[tuple[tuple[Family, ...], tuple[str, ...]], _Table] = {}

    def read(
        self, body: bytes, chunk: Chunk, known: Mapping[Labels, Collection[Instance]]
    ) -> SnapshotAnswer:
        """The same as ``decode_snapshot`` gives; raises SourceError as that does."""
        found = None
        if not any(known.get(selector) for selector in chunk.selectors):
            table = self._table_for(body, chunk)
            found = table and table.read(body, chunk)
        return found or decode_snapshot(body, chunk, known)

    def _table_for(self, body: bytes, chunk: Chunk) -> "_Table | None":
        """What is known of rows with the labels that Prometheus gives these targets."""
        sample = _UP_TIME.search(body)
        if sample is None:
            return None
        try:
            labels = orjson.loads(sample[0]).keys() - {PART_LABEL}
        except orjson.JSONDecodeError:
            return None
        names = tuple(sorted({*labels, *chunk.label_names, "instance", "job"}))
        key = chunk.families, names
        table = self._tables.get(key)
        if table is None:
            if not _can_be_cut(names, chunk.families):
                return None
            if len(self._tables) >= _MOST_TABLES:
                self._tables.clear()
            table = self._tables[key] = _Table(chunk.families, names)
        return table


def _can_be_cut(names: Sequence[str], families: Sequence[Family]) -> bool:
    """Whether the labels can be told from what makes a series another series of its instance."""
    told = {label for family in families for label, _ in (*family.match, *family.unless)}
    return not (told | _MEANT_OF_SERIES) & set(names) and all(
        _PLAIN_NAME.fullmatch(name) for name in names
    )


@dataclass(slots=True)
class _Place:
    """The rows that share the labels of one target."""

    instance: Instance
    labels: Mapping[str, str]
    rows: _Rows = field(default_factory=dict)


class _Table:
    """Rows in which the labels ``names`` tell whose they are, and all else tells what they are."""

    def __init__(self, families: tuple[Family, ...], names: tuple[str, ...]) -> None:
        self._families = families
        self._names = names
        between = rb"(,%s*?)" % _LABEL
        inner = between.join(rb'"%s":"([^"\\]*)"' % name.encode() for name in names)
        begin = rb'\{"metric":(\{%s*?)' % _LABEL
        self._row = re.compile(begin + inner + rb"([^}]*" + _VALUE)
        self._shapes: dict[_Where, Shape] = {}
        self._layouts: dict[tuple[Shape, ...], Layout | None] = {}

    def read(self, body: bytes, chunk: Chunk) -> SnapshotAnswer | None:
        """The answer, or None where any of its rows is another."""
        places = self._places(body)
        if places is None:
            return None
        by_values = {tuple(v for _, v in selector): selector for selector in chunk.selectors}
        owners: dict[Instance, Labels | None] = {}
        found: dict[Labels, list[_Place]] = {selector: [] for selector in chunk.selectors}
        for place in places:
            selector = by_values.get(tuple(place.labels[name] for name in chunk.label_names))
            if owners.setdefault(place.instance, selector) != selector:
                return None
            if selector is not None:
                found[selector].append(place)
        told = {selector: self._told(own, chunk, selector) for selector, own in found.items()}
        return SnapshotAnswer(
            {selector: samples for selector, (samples, _) in told.items()},
            {selector: hidden for selector, (_, hidden) in told.items()},
        )

    def _told(
        self, places: Sequence[_Place], chunk: Chunk, selector: Labels
    ) -> tuple[Snapshot | SourceError, frozenset[Instance]]:
        """What the rows say of a selector, and which of its instances are hidden."""
        taken = [self._sample(place) for place in places]
        plain = [sample for sample in taken if sample is not None]
        # The rows of an instance are in several places where its series have other labels.
        if len({place.instance for place in places}) == len(plain) == len(taken):
            return sorted(plain, key=lambda sample: sample.instance), frozenset()
        targets = tuple(target for target in chunk.targets if target.selector == selector)
        decoder = SnapshotDecoder(Chunk(chunk.families, targets))
        for place in places:
            for shape, value in place.rows.items():
                decoder.file({"metric": {**shape.labels, **place.labels}, "value": [0.0, value]})
        answer = decoder.answer({})
        return answer.samples[selector], answer.hidden[selector]

    def _places(self, body: bytes) -> Collection[_Place] | None:
        places: dict[_Where, _Place] = {}
        number = 0
        for part in _parts_of(body):
            rows = self._row.findall(part)
            number += len(rows)
            if len(rows) != part.count(_BETWEEN) + 1 or not self._file(rows, places):
                return None
        is_whole = number > 0 and number == sum(len(place.rows) for place in places.values())
        return places.values() if is_whole else None

    def _file(self, rows: Sequence[_Where], places: dict[_Where, _Place]) -> bool:
        shapes = self._shapes
        try:
            for row in rows:
                what, where = row[:-1:2], row[1:-1:2]
                shape = shapes.get(what)
                if shape is None:
                    shape = self._learn(what)
                place = places.get(where)
                if place is None:
                    place = places[where] = self._place(where)
                place.rows[shape] = float(row[-1])
        except ValueError:
            return False
        return True

    def _place(self, where: _Where) -> _Place:
        labels = {name: value.decode() for name, value in zip(self._names, where, strict=True)}
        return _Place((labels["job"], labels["instance"]), labels)

    def _learn(self, what: _Where) -> Shape:
        if len(self._shapes) >= _MOST_SHAPES:
            self._shapes.clear()
            self._layouts.clear()
        cut = [b'"%s":""' % name.encode() for name in self._names]
        text = b"".join(part for pair in zip(what, [*cut, b""], strict=True) for part in pair)
        labels: dict[str, str] = orjson.loads(text)
        for name in self._names:
            del labels[name]
        part = labels.get(PART_LABEL, "")
        is_time = part.startswith(PART_TIME_PREFIX)
        name = part.removeprefix(PART_TIME_PREFIX) if is_time else labels.get("__name__", "")
        child = child_labels({label: v for label, v in labels.items() if label != PART_LABEL})
        shape = self._shapes[what] = Shape(name, is_time, labels.get("le", ""), child, labels)
        return shape

    def _sample(self, place: _Place) -> InstanceSample | None:
        shapes = tuple(place.rows)
        try:
            layout = self._layouts[shapes]
        except KeyError:
            if len(self._layouts) >= _MOST_LAYOUTS:
                self._layouts.clear()
            layout = self._layouts[shapes] = layout_of(shapes, self._families)
        if layout is None:
            return None
        return layout.sample(place.instance, child_labels(place.labels), [*place.rows.values()])


def _parts_of(body: bytes) -> Iterator[bytes]:
    """The rows of an answer in parts of bounded size; none of what is another answer."""
    start, end = len(_HEAD), len(body) - len(_TAIL)
    if not (body.startswith(_HEAD) and body.endswith(_TAIL)):
        return
    while start < end:
        cut = body.find(_BETWEEN, start + _PART_BYTES, end)
        # With the brace that ends the row.
        stop = end if cut < 0 else cut + 1
        yield body[start:stop]
        start = stop + 1
