"""Shares of a window's requests, with what counting and chance leave open of them."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sloscore.core.confidence import share_bounds
from sloscore.core.nodata import NoData
from sloscore.core.sli import Estimate

_BOTH_COUNT = (
    "the server's counter of requests holds some of its failed requests, and does not say which"
)


class Held(StrEnum):
    """Which of the failed requests are in a server's counter of requests, too."""

    ALL = "all"
    NONE = "none"
    SOME = "some"


@dataclass(frozen=True, slots=True)
class Failures:
    """How a server counts failed requests.

    ``held`` says which of them its counter of requests holds. Where it shows none before the first,
    it has none as long as it counts anything in the role ``zero_with``.
    """

    held: Held = Held.SOME
    zero_with: str | None = None


UNKNOWN_FAILURES: Final = Failures()


@dataclass(frozen=True, slots=True)
class Part:
    """So many requests of so many."""

    hits: float
    total: float

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.hits / self.total


def failed_share(
    errors: float, requests: float, held: Held, confidence: float
) -> Estimate | NoData:
    """The share of failed requests, by the counters of these and of requests.

    Where it is not known which failed requests are in both, the value is the largest share.
    """
    if errors + requests <= 0:
        return NoData("no requests finished in the window")
    apart = Part(errors, errors + requests)
    # Scrapes are not atomic everywhere: no share is above 1.
    among = Part(min(errors, requests), requests) if requests > 0 else Part(errors, errors)
    most = apart if held is Held.NONE else among
    least = among if held is Held.ALL else apart
    because = _BOTH_COUNT if held is Held.SOME else ""
    return part_between(least, most, most, confidence, because)


def part_between(
    least: Part, most: Part, value: Part, confidence: float, open_because: str
) -> Estimate:
    """A share that lies between two, of which one is taken for its value."""
    share = value.share
    return Estimate(
        share,
        least.share,
        most.share,
        requests=value.total,
        sampled=(_sampled(least, confidence)[0], _sampled(most, confidence)[1]),
        confidence=confidence,
        error=math.sqrt(share * (1 - share) / value.total),
        open_because=open_because,
    )


def _sampled(part: Part, confidence: float) -> tuple[float, float]:
    return share_bounds(round(part.hits), round(part.total), confidence)
