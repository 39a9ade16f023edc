"""How many requests are within several limits at once, by histograms that know each limit by itself."""

from collections.abc import Sequence

from sloscore.core.histogram import Histogram
from sloscore.core.objective import Signal
from sloscore.core.units import amount

Within = tuple[Signal, float, Histogram]
"""A signal, the limit of it in seconds, and its histogram."""


def good_requests(requests: float, within: Sequence[Within]) -> tuple[float, float]:
    """The least and the most of the requests that can be within all limits.

    The bounds of M. Frechet (Fundamenta Mathematicae 25, 1935, 379-387), in requests: those past a
    limit may be others for each limit, or always the same. A limit inside of a bucket leaves open
    what lies in it. Of requests that a histogram does not hold nobody knows that they are within
    its limit; those that it holds besides, as of requests that still run, may be the ones past it.
    Where one histogram both lacks some and holds others besides, its count hides the smaller of
    the two numbers, and the least may be too high by that number; the most holds always.
    """
    least, most = requests, requests
    for _, limit, histogram in within:
        surely, possibly = histogram.counts_around(limit)
        least -= max(requests, histogram.count) - surely
        most = min(most, requests - max(0.0, min(requests, histogram.count) - possibly))
    return max(0.0, least), most


def why_open(within: Sequence[Within]) -> str:
    """What leaves a goodput open, and what would narrow it."""
    inside = [
        f"{signal.words} {amount(limit, signal.unit, 6)}"
        for signal, limit, histogram in within
        if (ends := histogram.counts_around(limit))[0] < ends[1]
    ]
    if inside:
        return f"give the server bucket bounds at {' and '.join(inside)}"
    return "histograms tell how many requests are within each limit, not within all of them"
