"""A window from raw samples, in one go or piece by piece, against the window that is followed."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.memory_source import END, START, MemorySource, plan, sample, source_of

from sloscore.core.samples import InstanceSample
from sloscore.errors import SourceError
from sloscore.evaluation.replay import catch_up, open_window, replay
from sloscore.experiments.window import WindowAccumulator
from sloscore.sources.base import Snapshot


class Step(NamedTuple):
    seconds: float
    requests: int
    restart: bool
    up: bool


steps = st.lists(
    st.builds(Step, st.floats(0.5, 20), st.integers(0, 5), st.booleans(), st.booleans()),
    max_size=12,
)


def history(instance: str, taken: Sequence[Step]) -> list[InstanceSample]:
    """Scrapes of one instance, the first around the start of the window."""
    time, born, count, made = START - 10, START - 100, 0, []
    for step in taken:
        time = round(time + step.seconds, 3)
        if step.restart:
            born, count = time - 0.25, 0
        count += step.requests
        made.append(sample(time, count if step.up else None, instance=instance, born=born))
    return made


@given(steps, steps, st.lists(st.floats(START, END + 60), max_size=4))
async def test_a_replay_in_one_go_or_in_pieces_counts_as_following_live_does(
    first: list[Step], second: list[Step], stops: list[float]
) -> None:
    scrapes = [*history("a", first), *history("b", second)]
    source = source_of(*scrapes)
    source.lags = {"b": 5.0}
    target, until = plan().target, END + 300

    whole = await replay(source, target, START, END, until)
    pieces = await open_window(source, target, START, END)
    for stop in (*sorted(stops), until):
        await catch_up(source, target, pieces, stop)
    live = await open_window(source, target, START, END)
    for each in sorted(scrapes, key=lambda each: each.time):
        live.feed(snapshot_of(await source.snapshot([target], each.time)))

    assert whole.counts() == pieces.counts() == live.counts()


def snapshot_of(found: Mapping[str, Snapshot | SourceError]) -> Snapshot:
    snapshot = found["one"]
    assert not isinstance(snapshot, SourceError)
    return snapshot


async def test_a_replay_fails_with_its_source() -> None:
    target, away = plan().target, MemorySource({}, broken={"one"})

    with pytest.raises(SourceError, match="it is away"):
        await open_window(away, target, START, END)
    with pytest.raises(SourceError, match="it is away"):
        await catch_up(away, target, WindowAccumulator(START, END), END)
