"""Answers read by columns hold what the same answers hold that are read as documents."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.answer_rows import (
    ONE,
    TOKENS,
    TTFT,
    TWO,
    Row,
    alive,
    body,
    chunk,
    row,
    time_of,
    ttft,
)

from sloscore.core.samples import Family, FamilyKind, InstanceSample, Labels
from sloscore.errors import SourceError
from sloscore.sources import columns
from sloscore.sources.base import Snapshot
from sloscore.sources.columns import ColumnReader
from sloscore.sources.decode import SnapshotAnswer, decode_snapshot
from sloscore.sources.promql import Chunk

MILLISECONDS = Family("ttft", FamilyKind.HISTOGRAM, ("a:ttft",), scale=0.001)
# Also what is part of two families, and what is narrowed to some children.
ERRORS = Family("errors", FamilyKind.COUNTER, ("a:ttft_count",), match=(("model", ("m",)),))
FAMILIES = st.sampled_from([(TTFT, TOKENS), (MILLISECONDS,), (TTFT, ERRORS), (TOKENS,)])
VALUES: st.SearchStrategy[float | str] = st.sampled_from([0, 3, 4, 1e300, "NaN", "+Inf", "x"])
TEXTS = st.sampled_from(["m", "", "a}b", 'a"b', "\\", "é", ',"instance":"h:2"', '"},{"metric":{"'])
TIMES = st.sampled_from([990.0, 990.25, 975.0])


@st.composite
def rows_of(draw: st.DrawFn, instance: str) -> list[Row]:
    """What an instance may show: nearly always all of one scrape, at times anything."""
    often = st.integers(0, 9).map(bool)
    time = draw(TIMES)
    own = draw(st.sampled_from([{}, {"pod": instance + "-pod"}, {"pod": draw(TEXTS)}]))
    start = draw(st.sampled_from([500.5, None]))
    up = 1 if draw(often) else 0
    found = [*alive(time if draw(often) else draw(TIMES), instance, up, start, **own)]
    for name in ("a:ttft", "a_ttft")[: draw(st.sampled_from([1, 1, 1, 2]))]:
        for model in dict.fromkeys(["m", draw(TEXTS)] if draw(often) else []):
            labels = {"engine": draw(TEXTS), "model": model, **own}
            found += ttft(time, instance, name, draw(st.integers(1, 9)), **labels)
    if draw(often):
        found += [
            row("a:tokens_total", 7 if draw(often) else draw(VALUES), instance, **own),
            time_of("a:tokens_total", time, instance, **own),
        ]
    if not draw(often):
        found.pop(draw(st.integers(0, len(found) - 1)))
    if not draw(often):
        found.append(row("a:ttft_bucket", draw(VALUES), instance, le=draw(TEXTS), **own))
    if not draw(often):
        del found[draw(st.integers(0, len(found) - 1))]["metric"]["job"]
    return found


def told(answer: SnapshotAnswer) -> dict[Labels, tuple[Snapshot | str, object]]:
    return {
        selector: (str(found) if isinstance(found, SourceError) else found, answer.hidden[selector])
        for selector, found in answer.samples.items()
    }


def outcome(reader: ColumnReader | None, answer: bytes, asked: Chunk) -> object:
    try:
        if reader is None:
            return told(decode_snapshot(answer, asked, {}))
        return told(reader.read(answer, asked, {}))
    except SourceError as error:
        return str(error)


@given(
    first=rows_of("h:1"),
    others=st.lists(st.sampled_from(["h:2", "h:3"]).flatmap(rows_of), max_size=2),
    families=FAMILIES,
)
def test_an_answer_means_the_same_whichever_way_it_is_read(
    first: list[Row], others: list[list[Row]], families: tuple[Family, ...]
) -> None:
    answer = body([*first, *(one for rows in others for one in rows)])
    reader, asked = ColumnReader(), chunk(ONE, TWO, families=families)

    expected = outcome(None, answer, asked)

    assert outcome(reader, answer, asked) == expected
    # By then it knows the rows.
    assert outcome(reader, answer, asked) == expected


def plain(*instances: str) -> list[Row]:
    return [
        one
        for instance in instances
        for one in (*alive(990, instance), *ttft(990, instance, model="m"))
    ]


@pytest.fixture
def documents(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The answers whose documents were built."""
    built: list[bytes] = []

    def decode(
        answer: bytes, asked: Chunk, known: dict[Labels, frozenset[tuple[str, str]]]
    ) -> object:
        built.append(answer)
        return decode_snapshot(answer, asked, known)

    monkeypatch.setattr(columns, "decode_snapshot", decode)
    return built


@pytest.mark.parametrize("part_bytes", [1, 400, 256 * 1024])
def test_no_document_is_built_of_an_answer_as_servers_give_it(
    documents: list[bytes], monkeypatch: pytest.MonkeyPatch, part_bytes: int
) -> None:
    monkeypatch.setattr(columns, "_PART_BYTES", part_bytes)
    reader = ColumnReader()

    answer = reader.read(body(plain("h:1", "h:2")), chunk(ONE, TWO), {})

    assert documents == []
    assert told(answer) == told(decode_snapshot(body(plain("h:1", "h:2")), chunk(ONE, TWO), {}))


def test_one_server_that_is_down_does_not_have_the_document_of_all_built(
    documents: list[bytes],
) -> None:
    rows = [*plain("h:1"), *alive(990, "h:2", up=0, start=None)]

    (down,) = _samples(ColumnReader().read(body(rows), chunk(ONE, TWO), {}), TWO)

    assert documents == []
    assert down.up is False


def test_what_is_remembered_of_rows_stays_within_bounds(
    documents: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "_MOST_SHAPES", 12)
    monkeypatch.setattr(columns, "_MOST_LAYOUTS", 1)
    reader = ColumnReader()
    rows = [*alive(990), *ttft(990, model="m"), *alive(990, "h:2"), *ttft(990, "h:2", model="n")]

    answer = reader.read(body(rows), chunk(ONE, TWO), {})

    assert documents == []
    assert told(answer) == told(decode_snapshot(body(rows), chunk(ONE, TWO), {}))


def _samples(answer: SnapshotAnswer, selector: Labels) -> Sequence[InstanceSample]:
    found = answer.samples[selector]
    assert not isinstance(found, SourceError)
    return found
