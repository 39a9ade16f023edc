"""Histograms to compare, and differences that are known."""

import math

from sloscore.core.compare import Difference
from sloscore.core.histogram import Histogram
from sloscore.core.nodata import NoData

INF = math.inf
BOUNDS = (0.5, 1.0, 2.0, 5.0, INF)


def histogram(*cumulative: float, total: float = 0.0) -> Histogram:
    return Histogram(BOUNDS, cumulative, total)


def of_values(values: list[float], bounds: tuple[float, ...]) -> Histogram:
    counts = [float(sum(value <= bound for value in values)) for bound in (*bounds, INF)]
    return Histogram((*bounds, INF), tuple(counts), math.fsum(values))


def known(found: Difference | NoData) -> Difference:
    assert isinstance(found, Difference), found
    return found
