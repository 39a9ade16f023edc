"""What a tuner optimises, and in which direction a score gets better."""

from enum import StrEnum


class Direction(StrEnum):
    """Whether a lower or a higher score is the better one."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"


class Signal(StrEnum):
    """What an inference server measures for each request (throughput: for the window)."""

    LATENCY = "latency"
    TTFT = "ttft"
    TPOT = "tpot"
    THROUGHPUT = "throughput"

    @property
    def unit(self) -> str:
        """Unit of the signal's values: ``s`` or ``tokens/s``."""
        return "tokens/s" if self is Signal.THROUGHPUT else "s"


class Objective(StrEnum):
    """The base score of an experiment: the mean of one signal over its window."""

    MINIMIZE_LATENCY = "minimize_latency"
    MINIMIZE_TTFT = "minimize_ttft"
    MINIMIZE_TPOT = "minimize_tpot"
    MAXIMIZE_THROUGHPUT = "maximize_throughput"

    @property
    def direction(self) -> Direction:
        """The direction in which this objective's score improves."""
        if self is Objective.MAXIMIZE_THROUGHPUT:
            return Direction.MAXIMIZE
        return Direction.MINIMIZE

    @property
    def signal(self) -> Signal:
        """The signal whose mean (or rate) is the base score."""
        return Signal(self.value.split("_", 1)[1])
