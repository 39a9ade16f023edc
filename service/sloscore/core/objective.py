"""What a tuner optimises, and in which direction a score gets better."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from sloscore.core.units import (
    RATIO,
    REQUESTS_PER_SECOND,
    SECONDS,
    TOKENS_PER_SECOND,
    TOKENS_PER_SECOND_PER_GPU,
)


class Direction(StrEnum):
    """Whether a lower or a higher score is the better one."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"


class Signal(StrEnum):
    """What an inference server measures for each request, or does in a second of the window.

    Throughput without another word is that of output tokens; total is prompt and output. Shares
    are of the requests of the window.
    """

    LATENCY = "latency"
    TTFT = "ttft"
    TPOT = "tpot"
    QUEUE = "queue"
    THROUGHPUT = "throughput"
    THROUGHPUT_PER_GPU = "throughput_per_gpu"
    TOTAL_THROUGHPUT = "total_throughput"
    TOTAL_THROUGHPUT_PER_GPU = "total_throughput_per_gpu"
    REQUEST_THROUGHPUT = "request_throughput"
    ERROR_RATE = "error_rate"
    GOODPUT = "goodput"
    GOODPUT_SHARE = "goodput_share"

    @property
    def unit(self) -> str:
        """Unit of the signal's values, one of ``sloscore.core.units``."""
        return _UNITS.get(self, SECONDS)

    @property
    def is_rate(self) -> bool:
        """Whether it is a number a second, of the whole window."""
        return self in _UNITS and not self.is_share

    @property
    def is_share(self) -> bool:
        """Whether it is a share of the window's requests."""
        return self.unit == RATIO

    @property
    def rises_to_better(self) -> bool:
        """Whether a higher value is the better one, so that limits are minimums."""
        return self.is_rate or self is Signal.GOODPUT_SHARE

    @property
    def is_goodput(self) -> bool:
        """Whether it is of requests that are within several limits."""
        return self in {Signal.GOODPUT, Signal.GOODPUT_SHARE}

    @property
    def is_per_gpu(self) -> bool:
        """Whether it is shared out over the GPUs of the deployment."""
        return self.unit == TOKENS_PER_SECOND_PER_GPU

    @property
    def words(self) -> str:
        """The signal as a sentence names it."""
        if self is Signal.QUEUE:
            return "time in the queue"
        return self.value.replace("_", " ").replace("gpu", "GPU")


_UNITS: Final[Mapping[Signal, str]] = {
    Signal.THROUGHPUT: TOKENS_PER_SECOND,
    Signal.THROUGHPUT_PER_GPU: TOKENS_PER_SECOND_PER_GPU,
    Signal.TOTAL_THROUGHPUT: TOKENS_PER_SECOND,
    Signal.TOTAL_THROUGHPUT_PER_GPU: TOKENS_PER_SECOND_PER_GPU,
    Signal.REQUEST_THROUGHPUT: REQUESTS_PER_SECOND,
    Signal.ERROR_RATE: RATIO,
    Signal.GOODPUT: REQUESTS_PER_SECOND,
    Signal.GOODPUT_SHARE: RATIO,
}


class Objective(StrEnum):
    """The base score of an experiment: the mean of one signal over its window, or its rate."""

    MINIMIZE_LATENCY = "minimize_latency"
    MINIMIZE_TTFT = "minimize_ttft"
    MINIMIZE_TPOT = "minimize_tpot"
    MINIMIZE_QUEUE = "minimize_queue"
    MAXIMIZE_THROUGHPUT = "maximize_throughput"
    MAXIMIZE_THROUGHPUT_PER_GPU = "maximize_throughput_per_gpu"
    MAXIMIZE_TOTAL_THROUGHPUT = "maximize_total_throughput"
    MAXIMIZE_TOTAL_THROUGHPUT_PER_GPU = "maximize_total_throughput_per_gpu"
    MAXIMIZE_REQUEST_THROUGHPUT = "maximize_request_throughput"
    MAXIMIZE_GOODPUT = "maximize_goodput"

    @property
    def direction(self) -> Direction:
        """The direction in which this objective's score improves."""
        return Direction(self.value.split("_", 1)[0])

    @property
    def signal(self) -> Signal:
        """The signal whose mean (or rate) is the base score."""
        return Signal(self.value.split("_", 1)[1])
