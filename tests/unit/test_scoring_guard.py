"""How much Python runs for a score, counted in calls of functions: what grows makes scoring slower."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from tests.unit.test_evaluation_rescorer import BOUNDS, END, START, experiment_of

from sloscore.core.histogram import Histogram
from sloscore.core.objective import Direction, Objective
from sloscore.core.penalty import Slo
from sloscore.core.scorer import Measured, Scorer
from sloscore.core.sli import Estimate
from sloscore.evaluation.numbers import Numbers
from sloscore.evaluation.rescorer import Rescorer, judged_again
from sloscore.experiments.counted import CountedWindow, documents_of
from sloscore.experiments.window import WindowCounts
from sloscore.spec.slo import SloSpec
from sloscore.wire import ScoreRequest

ROLES = ("latency", "ttft", "tpot", "queue")
SECTION: dict[str, Any] = {role: {"p90": {"threshold": 1.5}} for role in ROLES}
SLO = SloSpec.model_validate(SECTION)
HISTOGRAM = Histogram(BOUNDS, (0.0, 10.0, 50.0, 200.0, 280.0, 300.0, 300.0), 500.0)
COUNTS = WindowCounts(
    dict.fromkeys(ROLES, HISTOGRAM), {}, START, END, 0.0, 0.0, 1, 0, 5.0,
)  # fmt: skip
KEPT = documents_of(CountedWindow(START, END, COUNTS), {})
EXPERIMENT = experiment_of(SECTION, Objective.MINIMIZE_LATENCY, None)
RESCORER = Rescorer(SLO)
SCORER = Scorer([Slo(5.0)] * 4, Direction.MINIMIZE)
REQUEST = ScoreRequest(slo=SLO, base_score=1.0, values={f"{role}_p90": 1.6 for role in ROLES})
NUMBERS = Numbers(SLO, REQUEST.objective)
MEASURED = [Measured.of(Estimate.exact(5.5))] * 4


def calls(work: Callable[[], object]) -> int:
    """Functions of Python that are called meanwhile; the second time, as caches are filled then."""
    work()
    count = 0

    def watch(frame: FrameType, happened: str, _: object) -> None:
        del frame
        nonlocal count
        count += happened == "call"

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize(
    ("work", "most", "what"),
    [
        (lambda: SCORER.score(1.0, MEASURED), 13, "the numbers of four SLOs"),
        (lambda: NUMBERS.write(REQUEST, END), 125, "a report of four numbers"),
        (lambda: RESCORER.score(EXPERIMENT, KEPT), 320, "an experiment that is rescored"),
        (lambda: judged_again(EXPERIMENT, KEPT, SLO), 2700, "a report that is made again"),
    ],
    ids=["numbers", "numbers written", "rescored", "report"],
)
def test_scoring_takes_few_calls(work: Callable[[], object], most: int, what: str) -> None:
    found = calls(work)
    assert 0 < found <= most, f"{what} takes {found} calls of functions, not {most} at most"
