"""A window from the raw samples that the source keeps."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from sloscore.core.samples import Target
from sloscore.errors import SourceError
from sloscore.experiments.window import WindowAccumulator
from sloscore.sources.base import MetricSource, Snapshot, SteadySource

Window = TypeVar("Window", bound=WindowAccumulator)

# A window that is taken up later than this, as after a restart of the service, is replayed: a
# server may have restarted since. A younger one has its baseline only.
FRESH_SECONDS = 15.0
# A slow scrape is stored later than quick ones that began after it: an instance that is new would
# lose its first. As long as the longest scrape timeout that is in use.
_LATE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Resumed:
    """A window up to now, and the last samples that it was fed."""

    window: WindowAccumulator
    last: Snapshot


async def open_window(
    source: MetricSource, target: Target, start: float, end: float | None = None
) -> WindowAccumulator:
    """A window with its baseline: what every instance showed last at its start.

    Raises SourceError where the source does not answer.
    """
    return await opened(source, target, WindowAccumulator(start, end))


async def opened(source: MetricSource, target: Target, window: Window) -> Window:
    """The window once it has its baseline; raises SourceError as above."""
    baseline = (await source.snapshot([target], window.start))[target.key]
    if isinstance(baseline, SourceError):
        raise baseline
    window.feed(baseline)
    return window


async def catch_up(
    source: MetricSource, target: Target, window: WindowAccumulator, until: float
) -> None:
    """Feed a window every raw sample up to ``until`` (Unix seconds) that it has not seen.

    Raises SourceError where the source does not answer in full.
    """
    seen = window.last_sample_time()
    after = window.start if seen is None else max(window.start, seen - _LATE_SECONDS)
    window.feed(await source.samples(target, after, until))


async def resumed(
    source: MetricSource, starts: Mapping[Target, float], until: float
) -> dict[str, Resumed]:
    """Windows by their targets' keys of which few samples tell all up to ``until`` (Unix seconds).

    Each is the same that ``open_window`` and ``catch_up`` give, which those want that are left out.
    """
    if not starts or not isinstance(source, SteadySource):
        return {}
    steady = await source.steady(starts, until)
    found = {}
    for target, start in starts.items():
        if (ends := steady[target.key]) is None:
            continue
        window = WindowAccumulator(start)
        window.feed(ends.first)
        if window.continues_in(ends.rest):
            window.feed(ends.rest)
            found[target.key] = Resumed(window, ends.last)
        # Windows of hours have many samples: none may hold the event loop for another's.
        await asyncio.sleep(0)
    return found


async def replay(
    source: MetricSource, target: Target, start: float, end: float | None, until: float
) -> WindowAccumulator:
    """A past window as it would have been counted live; raises SourceError."""
    window = await open_window(source, target, start, end)
    await catch_up(source, target, window, until)
    return window
