"""The sentence on a value next to a baseline's, for every kind of interval."""

import math

import pytest

from sloscore.core.compare import Difference, Outcome
from sloscore.core.explain_change import explain_change

INF = math.inf
UNSURE = "neither better nor worse for certain"


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.1, 0.4, "from 10.0% to 40.0% higher"),
        (0.0, 0.4, "from 0.0% to 40.0% higher"),
        (-0.4, -0.1, "from 10.0% to 40.0% lower"),
        (-0.4, 0.0, "from 0.0% to 40.0% lower"),
        (-0.1, 0.4, "from 10.0% lower to 40.0% higher"),
        (0.1, INF, "at least 10.0% higher"),
        (0.0, INF, "at least 0.0% higher"),
        (-0.1, INF, "at most 10.0% lower"),
        (-1.0, -0.1, "at least 10.0% lower"),
        (-1.0, 0.0, "at least 0.0% lower"),
        (-1.0, 0.4, "at most 40.0% higher"),
        (-1.0, INF, "anything is possible"),
    ],
)
def test_every_interval_has_its_words(low: float, high: float, words: str) -> None:
    found = Difference(1.2, 1.0, 0.0, 0.0, low, high, 0)
    text = explain_change("P90 of ttft", "1.2 s", "1 s", found, Outcome.CANNOT_TELL, 0.9)
    assert text == (
        f"P90 of ttft is 1.2 s, 1 s in the baseline: 20.0% higher ({words} at 0.9 confidence), "
        f"{UNSURE}."
    )


@pytest.mark.parametrize(
    ("candidate", "baseline", "outcome", "text"),
    [
        (0.8, 1.0, Outcome.BETTER, "B: 20.0% lower (anything is possible at 0.95 confidence), which is better."),
        (1.0, 1.0, Outcome.CANNOT_TELL, f"B: the same (anything is possible at 0.95 confidence), {UNSURE}."),
        (1.0, 0.0, Outcome.WORSE, "B (anything is possible at 0.95 confidence), which is worse."),
    ],
)  # fmt: skip
def test_the_change_is_told_where_there_was_something_before(
    candidate: float, baseline: float, outcome: Outcome, text: str
) -> None:
    found = Difference(candidate, baseline, -1.0, 1.0, -1.0, INF, 0)
    told = explain_change("mean of tpot", "A", "B", found, outcome, 0.95)
    assert told == f"mean of tpot is A, {text}".replace("B", "B in the baseline", 1)
