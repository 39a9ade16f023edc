"""SLIs and the base score from a window's counts."""

import math

from sloscore.core.confidence import DEFAULT_CONFIDENCE
from sloscore.core.measured import measured_mean, measured_quantile
from sloscore.core.nodata import NoData
from sloscore.core.objective import Objective, Signal
from sloscore.core.sli import MEAN, RATE, Estimate, Sli, minimum_requests
from sloscore.experiments.window import WindowCounts

REQUESTS_ROLE = "requests"
TOKENS_ROLE = "tokens_out"


def requests_in(counts: WindowCounts) -> float:
    """Requests that finished in the window.

    Counted by the histogram of end-to-end latency; a server without one by its counter of
    requests, and without that by the histogram that saw most.
    """
    histogram = counts.histograms.get(Signal.LATENCY)
    if histogram is not None:
        return histogram.count
    if REQUESTS_ROLE in counts.counters:
        return counts.counters[REQUESTS_ROLE]
    return max((seen.count for seen in counts.histograms.values()), default=0.0)


def measure(
    sli: Sli,
    counts: WindowCounts,
    window: tuple[float, float],
    *,
    confidence: float = DEFAULT_CONFIDENCE,
    min_requests: int | None = None,
) -> Estimate | NoData:
    """What the window's counts say of one SLI, in seconds (throughput: tokens/s).

    ``window`` is the load's start and end in Unix seconds. Fewer requests than the statistic needs
    (``min_requests`` overrides how many) are no data. ``confidence`` is that of the interval that
    sampling leaves open.
    """
    if unseen := _unseen(counts, window[0]):
        return unseen
    if sli.signal is Signal.THROUGHPUT:
        return _throughput(counts, window)
    histogram = counts.histograms.get(sli.signal.value)
    if histogram is None:
        return NoData(f"the server exposed no histogram of {sli.signal} in the window")
    needed = minimum_requests(sli.statistic) if min_requests is None else min_requests
    if 0 < histogram.count < needed:
        return NoData(
            f"{histogram.count:.0f} requests are too few for {sli.statistic}, which needs {needed}"
        )
    if sli.quantile is None:
        return measured_mean(histogram, confidence)
    return measured_quantile(histogram, sli.quantile, confidence)


def measure_base(
    objective: Objective, counts: WindowCounts, window: tuple[float, float]
) -> Estimate | NoData:
    """The objective's value over the window: a mean in seconds, or tokens/s."""
    signal = objective.signal
    statistic = RATE if signal is Signal.THROUGHPUT else MEAN
    estimate = measure(Sli(signal.value, signal, statistic), counts, window)
    if isinstance(estimate, NoData):
        return estimate
    if not 0 <= estimate.value < math.inf:
        return NoData(f"the {statistic} of {signal} came out as {estimate.value}")
    return estimate


def _unseen(counts: WindowCounts, start: float) -> NoData | None:
    if counts.instances == 0:
        return NoData("the selector matched no series of this server's metrics in the window")
    if counts.ambiguous:
        return NoData(
            f"several jobs scrape {counts.ambiguous[0]}, whose requests may be counted more than "
            "once: add its job to the selector"
        )
    if counts.observed_end is not None and counts.observed_end <= start:
        return NoData("no scrape showed the server after the window's start")
    return None


def _throughput(counts: WindowCounts, window: tuple[float, float]) -> Estimate | NoData:
    """Output tokens over the seconds that they were made in.

    Tokens are counted between the scrapes around the window. If load ran on outside of it,
    dividing by the scrapes' distance is right; if all load ran inside, dividing by the window's
    seconds is. The value is the lower of both, so that it never promises too much.
    """
    tokens = counts.counters.get(TOKENS_ROLE)
    start, end = window
    if tokens is None or counts.observed_start is None or counts.observed_end is None:
        return NoData("the server exposed no counter of output tokens in the window")
    if requests_in(counts) == 0 and tokens == 0:
        return NoData("no requests finished in the window")
    observed = counts.observed_end - counts.observed_start
    shortest, longest = sorted((end - start, observed))
    if shortest <= 0:
        return NoData("the window holds no two scrapes")
    return Estimate(tokens / longest, tokens / longest, tokens / shortest)
