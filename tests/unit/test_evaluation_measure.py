"""What a window's counts say of each SLI and of the objective, and when they say nothing."""

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest

from sloscore.core.histogram import Histogram
from sloscore.core.nodata import NoData
from sloscore.core.objective import Objective, Signal
from sloscore.core.shares import Failures, Held
from sloscore.core.sli import MEAN, RATE, Estimate, Sli
from sloscore.evaluation.measure import Setup, measure, measure_base, requests_in
from sloscore.experiments.window import WindowCounts

START, END = 1000.0, 1060.0
SPAN = (START, END)
INF = math.inf


def histogram(requests: float, total: float = 0.0) -> Histogram:
    return Histogram((1.0, 2.0, INF), (0, requests, requests), total)


def window(
    histograms: Mapping[str, Histogram] | None = None,
    tokens: float | None = None,
    observed: tuple[float, float] = (990.0, 1065.0),
) -> WindowCounts:
    return WindowCounts(
        histograms=histograms or {},
        counters={} if tokens is None else {"tokens_out": tokens},
        observed_start=observed[0],
        observed_end=observed[1],
        unseen_head=0.0,
        unseen_tail=0.0,
        instances=1,
        resets=0,
        scrape_interval=15.0,
    )


def sli(signal: Signal, statistic: str) -> Sli:
    return Sli("id", signal, statistic)


def without_sampling(found: Estimate | NoData) -> Estimate | NoData:
    """The window's own value: what sampling leaves open besides is the core's matter."""
    if isinstance(found, NoData):
        return found
    return replace(found, sampled=None, confidence=None, error=None)


P90 = sli(Signal.LATENCY, "p90")
P99 = sli(Signal.LATENCY, "p99")
RATE_OF_TOKENS = sli(Signal.THROUGHPUT, RATE)
REQUESTS = {"latency": histogram(100, 150.0), "ttft": histogram(50, 60.0)}
REQUEST_RATE = Sli.of_window(Signal.REQUEST_THROUGHPUT)
TOKENS = replace(window(REQUESTS), counters={"tokens_out": 6000.0, "tokens_in": 24000.0})
EIGHT = Setup(gpus=8)
GONE = replace(window(REQUESTS), instances=0)
NOBODY = NoData("the selector matched no series of this server's metrics in the window")
NO_REQUESTS = NoData("no requests finished in the window")

MEASURED: dict[str, tuple[Sli, WindowCounts, Estimate | NoData]] = {
    "a percentile is the quantile of its signal's histogram": (
        P90, window(REQUESTS), Estimate(1.9, 1.0, 2.0, lower_open=True, requests=100),
    ),
    "a mean is the sum over the count": (
        sli(Signal.TTFT, MEAN), window(REQUESTS), Estimate.exact(1.2, requests=50),
    ),
    "no instance is no series": (P90, GONE, NOBODY),
    "no instance has no throughput": (RATE_OF_TOKENS, GONE, NOBODY),
    "a signal that is not exposed is told": (
        sli(Signal.TPOT, MEAN), window(REQUESTS),
        NoData("the server exposed no histogram of tpot in the window"),
    ),
    "no requests are no data": (P90, window({"latency": histogram(0)}), NO_REQUESTS),
    "one request less than the percentile needs": (
        P99, window({"latency": histogram(99)}),
        NoData("99 requests are too few for p99, which needs 100"),
    ),
    "as many requests as the percentile needs": (
        P99, window({"latency": histogram(100)}),
        Estimate(1.99, 1.0, 2.0, lower_open=True, requests=100),
    ),
    "a mean needs one request": (
        sli(Signal.LATENCY, MEAN), window({"latency": histogram(1, 1.5)}),
        Estimate.exact(1.5, requests=1),
    ),
    "throughput is tokens over the longer of the load and the time between the scrapes": (
        RATE_OF_TOKENS, window(REQUESTS, 6000), Estimate(80.0, 80.0, 100.0),
    ),
    "throughput is at most that over the scrapes where they lie inside the load": (
        RATE_OF_TOKENS, window(REQUESTS, 6000, (1005.0, 1055.0)), Estimate(100.0, 100.0, 120.0),
    ),
    "a server without a counter of tokens": (
        RATE_OF_TOKENS, window(REQUESTS),
        NoData("the server exposed no counter of output tokens in the window"),
    ),
    "no tokens of no requests are no data": (
        RATE_OF_TOKENS, window({"latency": histogram(0)}, 0), NO_REQUESTS,
    ),
    "no tokens of some requests are a throughput of 0": (
        RATE_OF_TOKENS, window(REQUESTS, 0), Estimate.exact(0.0),
    ),
    "tokens of requests that have not finished count": (
        RATE_OF_TOKENS, window({}, 600), Estimate(8.0, 8.0, 10.0),
    ),
    "throughput per GPU is shared out": (
        Sli.of_window(Signal.THROUGHPUT_PER_GPU), window(REQUESTS, 6000), Estimate(10.0, 10.0, 12.5),
    ),
    "total throughput is of prompts and answers": (
        Sli.of_window(Signal.TOTAL_THROUGHPUT), TOKENS, Estimate(400.0, 400.0, 500.0),
    ),
    "total throughput per GPU": (
        Sli.of_window(Signal.TOTAL_THROUGHPUT_PER_GPU), TOKENS, Estimate(50.0, 50.0, 62.5),
    ),
    "prompts that nobody counts are told": (
        Sli.of_window(Signal.TOTAL_THROUGHPUT), window(REQUESTS, 6000),
        NoData("the server exposed no counter of prompt tokens in the window"),
    ),
    "request throughput is of the requests that finished": (
        REQUEST_RATE, window({"latency": histogram(150), "ttft": histogram(1)}),
        Estimate(2.0, 2.0, 2.5),
    ),
    "requests are counted by their counter where latency is not": (
        REQUEST_RATE, replace(window(), counters={"requests": 150.0}), Estimate(2.0, 2.0, 2.5),
    ),
    "no requests are no throughput of 0": (
        REQUEST_RATE, window({"latency": histogram(0)}), NO_REQUESTS,
    ),
    "a single scrape has no distance": (
        RATE_OF_TOKENS, window(REQUESTS, 100, (1030.0, 1030.0)),
        NoData("the window holds no two scrapes"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("sli", "counts", "found"), MEASURED.values(), ids=MEASURED.keys())
def test_measure(sli: Sli, counts: WindowCounts, found: Estimate | NoData) -> None:
    assert without_sampling(measure(sli, counts, SPAN, setup=EIGHT)) == found


@pytest.mark.parametrize("statistic", ["p90", MEAN])
def test_sampling_leaves_more_open_the_more_certain_it_has_to_be(statistic: str) -> None:
    bounds = (*(float(second) for second in range(1, 100)), INF)
    even = window({"ttft": Histogram(bounds, tuple(map(float, range(1, 101))), 5000.0)})

    def width(confidence: float) -> float:
        found = measure(sli(Signal.TTFT, statistic), even, SPAN, confidence=confidence)
        assert isinstance(found, Estimate)
        assert found.sampled is not None
        low, high = found.widest
        assert low <= found.value <= high
        return found.sampled[1] - found.sampled[0]

    assert 0 < width(0.8) < width(0.99)


@pytest.mark.parametrize(("given", "has_data"), [(1, True), (20, True), (21, False)])
def test_a_task_can_ask_for_fewer_or_more_requests(given: int, has_data: bool) -> None:
    counts = window({"latency": histogram(20, 30.0)})

    for statistic in ("p99", MEAN):
        found = measure(sli(Signal.LATENCY, statistic), counts, SPAN, min_requests=given)
        assert isinstance(found, Estimate) is has_data


BASES: dict[str, tuple[Objective, WindowCounts, float | NoData]] = {
    "latency is minimised by its mean": (Objective.MINIMIZE_LATENCY, window(REQUESTS), 1.5),
    "ttft is minimised by its mean": (Objective.MINIMIZE_TTFT, window(REQUESTS), 1.2),
    "throughput is maximised in tokens/s": (
        Objective.MAXIMIZE_THROUGHPUT, window(REQUESTS, 6000), 80.0,
    ),
    "no data is told": (
        Objective.MINIMIZE_TPOT, window(REQUESTS),
        NoData("the server exposed no histogram of tpot in the window"),
    ),
    "a sum that falls is no base": (
        Objective.MINIMIZE_LATENCY, window({"latency": histogram(2, -3.0)}),
        NoData("the mean of latency came out as -1.5"),
    ),
    "a sum that overflows is no base": (
        Objective.MINIMIZE_LATENCY, window({"latency": histogram(2, INF)}),
        NoData("the mean of latency came out as inf"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("objective", "counts", "base"), BASES.values(), ids=BASES.keys())
def test_base(objective: Objective, counts: WindowCounts, base: float | NoData) -> None:
    found = measure_base(Sli.of_window(objective.signal), counts, SPAN)

    assert (found if isinstance(found, NoData) else found.value) == base


def test_nothing_is_told_per_gpu_while_nobody_says_how_many_there_are() -> None:
    found = measure(Sli.of_window(Signal.THROUGHPUT_PER_GPU), window(REQUESTS, 6000), SPAN)

    assert found == NoData("nobody has said on how many GPUs the deployment runs")


def test_requests_are_counted_by_latency_else_by_a_counter_else_by_what_saw_most() -> None:
    counted = replace(window({"ttft": histogram(50)}), counters={"requests": 60.0})
    assert requests_in(window(REQUESTS)) == 100
    assert requests_in(counted) == 60
    assert requests_in(window({"ttft": histogram(50), "tpot": histogram(49)})) == 50
    assert requests_in(window()) == 0


@pytest.mark.parametrize("observed_end", [990.0, START])
def test_a_window_whose_only_scrape_is_its_baseline_has_no_data(observed_end: float) -> None:
    counts = window(observed=(990.0, observed_end))

    for each in (P90, RATE_OF_TOKENS):
        assert measure(each, counts, SPAN) == NoData(
            "no scrape showed the server after the window's start"
        )


FAILED = (
    "the server exposed no counter of failed requests in the window, and nothing that tells that "
    "there were none"
)
ALWAYS = Failures(Held.ALL)
LATER = Failures(Held.ALL, zero_with="requests")
ERROR_RATES: dict[str, tuple[Failures, dict[str, float], dict[str, int], float | str]] = {
    "of those that all instances count": (
        ALWAYS, {"requests": 200, "errors": 8}, {"requests": 2, "errors": 2}, 0.04,
    ),
    "of requests that hold no failed ones": (
        Failures(Held.NONE), {"requests": 192, "errors": 8}, {"requests": 1, "errors": 1}, 0.04,
    ),
    "nothing is no failure where it would be shown": (
        LATER, {"requests": 200}, {"requests": 2}, 0.0,
    ),
    "nothing from one of two is no failure there": (
        LATER, {"requests": 200, "errors": 8}, {"requests": 2, "errors": 1}, 0.04,
    ),
    "nothing is not known where it might not be shown": (
        ALWAYS, {"requests": 200}, {"requests": 2}, FAILED,
    ),
    "nothing from one of two might be anything": (
        ALWAYS, {"requests": 200, "errors": 8}, {"requests": 2, "errors": 1}, FAILED,
    ),
    "another counter can tell that failures are counted": (
        Failures(Held.NONE, "tokens_in"), {"requests": 200, "tokens_in": 9},
        {"requests": 1, "tokens_in": 1}, 0.0,
    ),
    "without that counter they may not be": (
        Failures(Held.NONE, "tokens_in"), {"requests": 200}, {"requests": 1}, FAILED,
    ),
    "nobody counts requests": (
        LATER, {}, {}, "the server exposed no counter of requests in the window",
    ),
    "no requests": (
        LATER, {"requests": 0}, {"requests": 1}, "no requests finished in the window",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("failures", "counters", "shown_by", "found"), ERROR_RATES.values(), ids=ERROR_RATES
)
def test_error_rate(
    failures: Failures, counters: dict[str, float], shown_by: dict[str, int], found: float | str
) -> None:
    counts = replace(window(), counters=counters, shown_by=shown_by)
    rate = measure(Sli.of_window(Signal.ERROR_RATE), counts, SPAN, setup=Setup(failures=failures))
    assert (rate.reason if isinstance(rate, NoData) else rate.value) == found


def test_an_error_rate_of_fewer_requests_than_are_asked_is_no_data() -> None:
    counts = replace(window(), counters={"requests": 9.0}, shown_by={"requests": 1})
    rate = measure(
        Sli.of_window(Signal.ERROR_RATE), counts, SPAN, setup=Setup(failures=LATER), min_requests=10
    )
    assert rate == NoData("9 requests are too few for error_rate, of 10 that are asked")


GOOD = ((Signal.LATENCY, 2.0), (Signal.TTFT, 1.5))
OF_100 = {
    "latency": Histogram((1.0, 2.0, INF), (40, 90, 100), 0.0),
    "ttft": Histogram((1.0, 2.0, INF), (95, 99, 100), 0.0),
}


def test_the_share_of_good_requests_is_the_least_that_can_be() -> None:
    found = measure(Sli.of_window(Signal.GOODPUT_SHARE, GOOD), window(OF_100), SPAN)
    assert isinstance(found, Estimate)
    assert (found.lower, found.value, found.upper) == (0.85, 0.85, 0.9)
    assert found.requests == 100
    assert found.sampled is not None
    # Of 100 requests 85 or 90 are good: R's binom.test gives 0.7647 and 0.9510 as the outer ends.
    assert found.sampled == pytest.approx((0.7647, 0.9510), abs=1e-4)


def test_the_rate_of_good_requests_is_over_the_longer_of_both_times() -> None:
    found = measure(Sli.of_window(Signal.GOODPUT, GOOD), window(OF_100), SPAN)
    assert isinstance(found, Estimate)
    assert (found.lower, found.value, found.upper) == (85 / 75, 85 / 75, 90 / 60)


@pytest.mark.parametrize("signal", [Signal.GOODPUT, Signal.GOODPUT_SHARE])
def test_goodput_needs_requests_and_a_histogram_of_each_limit(signal: Signal) -> None:
    sli = Sli.of_window(signal, GOOD)
    assert measure(sli, window({"latency": histogram(9)}), SPAN) == NoData(
        "the server exposed no histogram of ttft in the window"
    )
    nothing = {"latency": histogram(0), "ttft": histogram(3)}
    assert measure(sli, window(nothing), SPAN) == NO_REQUESTS
    few = measure(sli, window(OF_100), SPAN, min_requests=101)
    assert few == NoData(f"100 requests are too few for {signal}, of 101 that are asked")
