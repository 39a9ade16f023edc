"""Snapshots that are kept: used for later moments only."""

import pytest

from sloscore.core.samples import Family, FamilyKind, InstanceSample, Target
from sloscore.sources.seen import Seen

TARGET = Target("t", (("job", "j"),), (Family("ttft", FamilyKind.HISTOGRAM, ("a:ttft",)),))
AT, CLOCK = 100.0, 7
SNAPSHOT = [InstanceSample(("j", "h:1"), 99.9, up=True, process_start=None, histograms={})]


@pytest.fixture
def seen() -> Seen:
    made = Seen()
    made.keep(TARGET, CLOCK, SNAPSHOT, AT)
    return made


@pytest.mark.parametrize(
    ("clock", "at", "found"),
    [
        (CLOCK, AT, SNAPSHOT),
        (CLOCK, AT + 5, SNAPSHOT),
        (CLOCK + 1, AT + 5, None),
        (None, AT + 5, None),
        # A scrape that came after the times were asked for is in it.
        (CLOCK, AT - 0.1, None),
    ],
)
def test_a_snapshot_stands_for_later_moments_with_the_same_scrapes(
    seen: Seen, clock: int | None, at: float, found: list[InstanceSample] | None
) -> None:
    assert seen.unchanged(TARGET, clock, at) == found


def test_an_earlier_moment_neither_uses_nor_replaces_what_is_kept(seen: Seen) -> None:
    assert (seen.knows(TARGET, AT - 1), seen.knows(TARGET, AT)) == (False, True)

    seen.keep(TARGET, CLOCK + 1, [], AT - 1)

    assert seen.unchanged(TARGET, CLOCK, AT + 1) == SNAPSHOT


def test_what_nobody_asks_for_any_more_is_dropped(seen: Seen) -> None:
    seen.prune(AT + 120)
    assert seen.knows(TARGET, AT + 120)

    seen.prune(AT + 121)

    assert not seen.knows(TARGET, AT + 121)
