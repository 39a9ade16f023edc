"""Windows scored many at a time: to the last bit what one by one gives."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.slo_strategies import judgeable

from sloscore.core.curve import Linear
from sloscore.core.judge import judge
from sloscore.core.objective import Direction, Signal
from sloscore.core.penalty import Slo
from sloscore.core.scorer import Measured, Scored, Scorer
from sloscore.core.scoring import Status, combine
from sloscore.core.sli import Estimate, Sli
from sloscore.core.verdict import HardFailOn

P90 = Sli("latency_p90", Signal.LATENCY, "p90")


def one_by_one(
    base: float,
    judged: Sequence[tuple[Slo, Estimate]],
    direction: Direction,
    hard_fail_on: HardFailOn,
) -> Scored | None:
    """The score as ``judge`` and ``combine`` give it."""
    results = [judge(P90, slo, estimate, hard_fail_on) for slo, estimate in judged]
    ratios = tuple(r.violation_ratio for r in results if r.violation_ratio is not None)
    if len(ratios) < len(results):
        return None
    score = combine(base, direction, results)
    assert score.score is not None
    assert score.finite_score is not None
    assert score.penalty is not None
    return Scored(
        score.status,
        score.score,
        score.finite_score,
        score.penalty,
        score.slo_violation,
        all(result.certain for result in results),
        ratios,
    )


@settings(max_examples=500)
@given(
    st.floats(0, 1e12),
    st.lists(judgeable(), max_size=4),
    st.sampled_from(Direction),
    st.sampled_from(HardFailOn),
)
def test_the_numbers_are_those_of_one_window_by_itself(
    base: float,
    judged: Sequence[tuple[Slo, Estimate]],
    direction: Direction,
    hard_fail_on: HardFailOn,
) -> None:
    scorer = Scorer([slo for slo, _ in judged], direction, hard_fail_on)
    found = scorer.score(base, [Measured.of(estimate) for _, estimate in judged])
    assert found == one_by_one(base, judged, direction, hard_fail_on)


def test_numbers_are_those_worked_out_by_hand() -> None:
    slos = [Slo(5.0, 2.0, hard_fail=True, fail_ratio=0.2, curve=Linear(0.1)), Slo(1.0)]
    scorer = Scorer(slos, Direction.MINIMIZE)
    near, far, met = (Measured.of(Estimate.exact(value)) for value in (5.5, 6.0, 1.0))
    passed = scorer.score(3.0, [near, met])
    assert passed is not None
    assert (passed.status, passed.slo_violation, passed.certain) == (Status.SUCCESS, False, True)
    assert passed.penalty == pytest.approx(2.0)
    assert passed.score == passed.finite_score == pytest.approx(9.0)
    assert passed.ratios == pytest.approx((0.1, 0.0))
    failed = scorer.score(3.0, [far, met])
    assert failed is not None
    assert (failed.status, failed.score) == (Status.FAILED, math.inf)
    assert failed.finite_score == pytest.approx(15.0)


def test_a_value_too_few_or_too_many_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        Scorer([Slo(5.0)], Direction.MINIMIZE).score(3.0, [])
