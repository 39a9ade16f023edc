"""Student's t against the tables of textbooks, and against the normal distribution."""

from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloscore.core.student import student_t

# Two-sided, as printed in every table of the t distribution.
TABLE = [
    (0.95, 1, 12.706), (0.95, 2, 4.303), (0.95, 3, 3.182), (0.95, 4, 2.776), (0.95, 9, 2.262),
    (0.95, 30, 2.042), (0.95, 120, 1.980), (0.99, 1, 63.657), (0.99, 5, 4.032), (0.99, 8, 3.355),
    (0.99, 60, 2.660), (0.9, 2, 2.920), (0.9, 7, 1.895), (0.5, 1, 1.000), (0.5, 10, 0.700),
    (0.999, 3, 12.924), (0.999, 40, 3.551),
]  # fmt: skip


@pytest.mark.parametrize(("confidence", "degrees", "value"), TABLE)
def test_quantiles_are_those_of_the_tables(confidence: float, degrees: int, value: float) -> None:
    assert student_t(confidence, degrees) == pytest.approx(value, abs=6e-4)


@given(st.floats(0.5, 0.999), st.integers(1, 300))
def test_more_requests_come_closer_to_the_normal_distribution(
    confidence: float, degrees: int
) -> None:
    normal = NormalDist().inv_cdf((1 + confidence) / 2)
    assert normal < student_t(confidence, degrees + 1) < student_t(confidence, degrees)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_both_formulas_meet_where_one_takes_over(confidence: float) -> None:
    before, after = student_t(confidence, 200), student_t(confidence, 201)
    assert before == pytest.approx(after, rel=1e-4)
    assert before > after


def test_no_degree_of_freedom_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 degree of freedom, not 0"):
        student_t(0.95, 0)
