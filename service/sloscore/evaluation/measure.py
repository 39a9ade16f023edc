"""SLIs and the base score from a window's counts."""

import math
from dataclasses import dataclass

from sloscore.core.confidence import DEFAULT_CONFIDENCE
from sloscore.core.goodput import Within, good_requests, why_open
from sloscore.core.measured import measured_mean, measured_quantile
from sloscore.core.nodata import NoData
from sloscore.core.objective import Signal
from sloscore.core.shares import UNKNOWN_FAILURES, Failures, Part, failed_share, part_between
from sloscore.core.sli import RATE, SHARE, Estimate, Sli, minimum_requests
from sloscore.experiments.window import WindowCounts

REQUESTS_ROLE = "requests"
_ERRORS_ROLE = "errors"
_TOKENS = {"tokens_in": "prompt", "tokens_out": "output"}
_EDGES = "the ends of the window lie between scrapes; scrape more often, or measure for longer"


@dataclass(frozen=True, slots=True)
class Setup:
    """What measuring a deployment needs to know besides what was counted.

    ``gpus`` is how many GPUs it runs on, None where nobody has said so; ``failures`` how its server
    counts failed requests.
    """

    gpus: int | None = None
    failures: Failures = UNKNOWN_FAILURES


UNKNOWN_SETUP = Setup()


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


def measure(  # noqa: PLR0913  an estimate rests on these
    sli: Sli,
    counts: WindowCounts,
    window: tuple[float, float],
    *,
    setup: Setup = UNKNOWN_SETUP,
    confidence: float = DEFAULT_CONFIDENCE,
    min_requests: int | None = None,
) -> Estimate | NoData:
    """What the window's counts say of one SLI, in its unit.

    ``window`` is the load's start and end in Unix seconds. Fewer requests than the statistic needs
    (``min_requests`` overrides how many) are no data. ``confidence`` is that of the interval that
    sampling leaves open.
    """
    if unseen := _unseen(counts, window[0]):
        return unseen
    if sli.signal.is_goodput:
        return _goodput(sli, counts, window, confidence, min_requests)
    if sli.statistic == RATE:
        return _rate(sli, counts, window, setup)
    if sli.statistic == SHARE:
        return _error_rate(counts, setup.failures, confidence, min_requests)
    return _of_histogram(sli, counts, confidence, min_requests)


def _of_histogram(
    sli: Sli, counts: WindowCounts, confidence: float, min_requests: int | None
) -> Estimate | NoData:
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
    base: Sli, counts: WindowCounts, window: tuple[float, float], setup: Setup = UNKNOWN_SETUP
) -> Estimate | NoData:
    """The objective's value over the window, of which ``base`` is the SLI: a mean or a rate."""
    estimate = measure(base, counts, window, setup=setup)
    if isinstance(estimate, NoData):
        return estimate
    if not 0 <= estimate.value < math.inf:
        return NoData(f"the {base.statistic} of {base.signal} came out as {estimate.value}")
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


def _rate(
    sli: Sli, counts: WindowCounts, window: tuple[float, float], setup: Setup
) -> Estimate | NoData:
    """What was counted over the seconds that it was made in.

    It is counted between the scrapes around the window. If load ran on outside of it,
    dividing by the scrapes' distance is right; if all load ran inside, dividing by the window's
    seconds is. The value is the lower of both, so that it never promises too much.
    """
    total = _total(sli, counts)
    if isinstance(total, NoData):
        return total
    share = setup.gpus if sli.signal.is_per_gpu else 1
    if share is None:
        return NoData("nobody has said on how many GPUs the deployment runs")
    if requests_in(counts) == 0 and total == 0:
        return NoData("no requests finished in the window")
    return _in_a_second(total / share, total / share, counts, window, _EDGES)


def _in_a_second(
    least: float, most: float, counts: WindowCounts, window: tuple[float, float], open_because: str
) -> Estimate | NoData:
    observed = (counts.observed_end or 0.0) - (counts.observed_start or 0.0)
    shortest, longest = sorted((window[1] - window[0], observed))
    if shortest <= 0:
        return NoData("the window holds no two scrapes")
    rate = least / longest
    return Estimate(rate, rate, most / shortest, open_because=open_because)


def _goodput(
    sli: Sli,
    counts: WindowCounts,
    window: tuple[float, float],
    confidence: float,
    min_requests: int | None,
) -> Estimate | NoData:
    """Requests that are within all limits: the least that can be, so that it never promises too much."""
    requests = requests_in(counts)
    within: list[Within] = []
    for signal, limit in sli.within:
        histogram = counts.histograms.get(signal.value)
        if histogram is None:
            return NoData(f"the server exposed no histogram of {signal} in the window")
        within.append((signal, limit, histogram))
    if not requests > 0:
        return NoData("no requests finished in the window")
    needed = min_requests or 1
    if requests < needed:
        return NoData(
            f"{requests:.0f} requests are too few for {sli.id}, of {needed} that are asked"
        )
    least, most = good_requests(requests, within)
    because = why_open(within)
    if sli.statistic == RATE:
        return _in_a_second(least, most, counts, window, because)
    at_least = Part(least, requests)
    return part_between(at_least, Part(most, requests), at_least, confidence, because)


def _error_rate(
    counts: WindowCounts, failures: Failures, confidence: float, min_requests: int | None
) -> Estimate | NoData:
    """The share of failed requests.

    A server that shows no counter of them has none where it is known to show it from the first on.
    """
    requests = counts.counters.get(REQUESTS_ROLE)
    if requests is None:
        return NoData("the server exposed no counter of requests in the window")
    shown = counts.shown_by
    counting = shown.get(REQUESTS_ROLE, 0)
    told = max(shown.get(_ERRORS_ROLE, 0), shown.get(failures.zero_with or "", 0))
    errors = counts.counters.get(_ERRORS_ROLE)
    if told < counting or (errors is None and failures.zero_with not in counts.counters):
        return NoData(
            "the server exposed no counter of failed requests in the window, and nothing that "
            "tells that there were none"
        )
    found = failed_share(errors or 0.0, requests, failures.held, confidence)
    if isinstance(found, NoData):
        return found
    needed = min_requests or 1
    if (found.requests or 0.0) < needed:
        return NoData(
            f"{found.requests:.0f} requests are too few for error_rate, of {needed} that are asked"
        )
    return found


def _total(sli: Sli, counts: WindowCounts) -> float | NoData:
    """What a rate counts, over the whole window."""
    if sli.signal is Signal.REQUEST_THROUGHPUT:
        return requests_in(counts)
    total = 0.0
    for role in sli.roles:
        if role not in counts.counters or counts.observed_end is None:
            return NoData(f"the server exposed no counter of {_TOKENS[role]} tokens in the window")
        total += counts.counters[role]
    return total
