"""Statistics of a histogram with everything that is not known of them."""

from dataclasses import replace

from sloscore.core.confidence import mean_bounds, mean_error, quantile_bounds, quantile_error
from sloscore.core.histogram import Histogram
from sloscore.core.nodata import NoData
from sloscore.core.sli import Estimate


def measured_mean(histogram: Histogram, confidence: float) -> Estimate | NoData:
    """The exact mean of the window, and where the deployment's mean lies at ``confidence``."""
    mean = histogram.mean()
    if isinstance(mean, NoData):
        return mean
    return replace(
        mean,
        sampled=mean_bounds(histogram, confidence),
        confidence=confidence,
        error=mean_error(histogram),
        histogram=histogram,
    )


def measured_quantile(histogram: Histogram, q: float, confidence: float) -> Estimate | NoData:
    """A quantile of the window, and where the deployment's own one lies at ``confidence``."""
    quantile = histogram.quantile(q)
    if isinstance(quantile, NoData):
        return quantile
    return replace(
        quantile,
        sampled=quantile_bounds(histogram, q, confidence),
        confidence=confidence,
        error=quantile_error(histogram, q),
        histogram=histogram,
    )
