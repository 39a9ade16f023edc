"""Which points a drawing of a penalty rests on."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloscore.core.curve import Piecewise
from sloscore.core.drawing import drawn_values, reached_limit
from sloscore.core.penalty import Slo, is_violated, penalty
from sloscore.core.verdict import Verdict, verdict_at

slos = st.builds(
    Slo,
    threshold=st.floats(1e-9, 1e9),
    weight=st.floats(0, 1e6),
    hard_fail=st.booleans(),
    fail_ratio=st.floats(0, 1e308),
    is_minimum=st.booleans(),
)


@given(slo=slos)
def test_a_curve_shows_both_sides_of_its_threshold_and_the_jump_there(slo: Slo) -> None:
    values = drawn_values(slo)
    assert all(low < high for low, high in pairwise(values))
    assert values[0] >= 0
    assert math.isfinite(values[-1])
    by_violation = sorted(values, reverse=slo.is_minimum)
    place = by_violation.index(slo.threshold)
    met, violated = by_violation[: place + 1], by_violation[place + 1 :]
    assert not any(is_violated(value, slo) for value in met)
    assert all(is_violated(value, slo) for value in violated)
    assert len(met) > 1
    assert len(violated) > 20
    assert penalty(violated[0], slo) == pytest.approx(slo.weight)


@given(slo=slos)
def test_from_its_hard_limit_on_and_nowhere_before_a_curve_fails(slo: Slo) -> None:
    limit = reached_limit(slo)
    for value in drawn_values(slo):
        fails = verdict_at(value, slo) is Verdict.HARD_FAIL
        if limit is None:
            assert not fails
        elif not math.isclose(value, limit, rel_tol=1e-6):
            assert fails == (value < limit if slo.is_minimum else value > limit)


@pytest.mark.parametrize(
    ("slo", "limit", "last"),
    [
        (Slo(5.0, hard_fail=True, fail_ratio=0.2), 6.0, 6.25),
        (Slo(10.0, hard_fail=True, fail_ratio=0.5), 15.0, 16.25),
        (Slo(2.0), None, 3.25),
        (Slo(1.0, hard_fail=True, fail_ratio=0.0), 1.0, 1.0125),
        (Slo(100.0, hard_fail=True, fail_ratio=1e308), None, 12600.0),
        (Slo(2.0, hard_fail=True, fail_ratio=1000.0), 2002.0, 252.0),
    ],
)
def test_a_curve_ends_a_quarter_past_its_hard_limit(
    slo: Slo, limit: float | None, last: float
) -> None:
    assert reached_limit(slo) == (None if limit is None else pytest.approx(limit))
    assert drawn_values(slo)[-1] == pytest.approx(last)
    if limit is not None and limit <= last:
        assert reached_limit(slo) in drawn_values(slo)


def test_the_corners_of_a_piecewise_penalty_are_drawn_where_they_are() -> None:
    curve = Piecewise(((0.0, 1.0), (0.033, 2.0), (0.2, 5.0), (9.0, 6.0)))
    values = drawn_values(Slo(2.0, curve=curve))
    assert {2.0 * 1.033, 2.0 * 1.2} <= set(values)
    assert values[-1] == pytest.approx(3.25)
    below = drawn_values(Slo(2.0, curve=curve, is_minimum=True))
    assert 2.0 * (1 - 0.033) in below


@pytest.mark.parametrize(
    ("fail_ratio", "limit"), [(0.2, 80.0), (0.5, 50.0), (1.0, 0.0), (1.5, None)]
)
def test_a_minimum_fails_below_its_limit_and_not_at_all_where_that_is_negative(
    fail_ratio: float, limit: float | None
) -> None:
    slo = Slo(100.0, hard_fail=True, fail_ratio=fail_ratio, is_minimum=True)
    assert reached_limit(slo) == limit
    assert (limit in drawn_values(slo)) == (limit is not None)
