"""docs/images/certainty.svg: its three sketches are what the scoring makes of such counts."""

import re
from typing import NamedTuple

import pytest
from tests.docs.markdown import ROOT

from sloscore.core.histogram import Histogram
from sloscore.core.judge import judge
from sloscore.core.measured import measured_quantile
from sloscore.core.objective import Signal
from sloscore.core.penalty import Slo
from sloscore.core.sli import Estimate, Sli
from sloscore.core.verdict import Uncertainty

INF = float("inf")
P95 = Sli("latency_p95", Signal.LATENCY, "p95")
SLO = Slo(6.0, hard_fail=True, fail_ratio=0.25)
STOCK = (5.0, 10.0, INF)
ADVISED = (5.0, 6.0, 7.5, 10.0, INF)
BAR = re.compile(r'<rect x="(\d+)" y="(\d+)" width="(\d+)" height="12" fill="#(\w+)"/>')
WORDS = re.compile(r'<text x="792".*?>(.*?)</text>')
BUCKETS, SAMPLING = "0072b2", "9ecae1"


class Drawn(NamedTuple):
    """What a sketch shows: both intervals in seconds, and the verdict."""

    buckets: tuple[float, float]
    sampling: tuple[float, float] | None
    verdict: str


def sketches() -> list[Drawn]:
    text = (ROOT / "docs/images/certainty.svg").read_text()
    drawn: dict[str, dict[str, tuple[float, float]]] = {}
    for x, y, width, fill in BAR.findall(text):
        # The axis begins with 4 s at 150, and a second is 90 wide.
        low = 4 + (int(x) - 150) / 90
        drawn.setdefault(y, {})[fill] = (low, low + int(width) / 90)
    words = WORDS.findall(text)
    rows = list(drawn.values())[: len(words)]
    return [Drawn(r[BUCKETS], r.get(SAMPLING), w) for r, w in zip(rows, words, strict=True)]


@pytest.mark.parametrize(
    ("drawn", "bounds", "cumulative", "uncertainty"),
    [
        (sketches()[0], STOCK, (920, 1000, 1000), Uncertainty.BUCKETS),
        (sketches()[1], ADVISED, (700, 880, 990, 1000, 1000), None),
        (sketches()[2], ADVISED, (70, 92, 97, 100, 100), Uncertainty.SAMPLING),
    ],
    ids=["stock buckets", "bounds at the limits", "few requests"],
)
def test_a_sketch_is_what_the_scoring_makes_of_such_counts(
    drawn: Drawn,
    bounds: tuple[float, ...],
    cumulative: tuple[float, ...],
    uncertainty: Uncertainty | None,
) -> None:
    estimate = measured_quantile(Histogram(bounds, cumulative, 0.0), 0.95, 0.95)
    assert isinstance(estimate, Estimate)
    result = judge(P95, SLO, estimate)
    assert (estimate.lower, estimate.upper) == pytest.approx(drawn.buckets)
    # Where none is drawn, it is the same.
    assert estimate.sampled == pytest.approx(drawn.sampling or drawn.buckets)
    assert result.uncertainty is uncertainty
    assert f"{result.verdict}{'' if uncertainty is None else ' (?)'}" == drawn.verdict
