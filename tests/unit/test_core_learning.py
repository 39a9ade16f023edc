"""What an optimiser learns: finite scores in the contract's order, and the limit that binds."""

import math
import sys
from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sloscore.core import sli as slis
from sloscore.core.curve import Exponential
from sloscore.core.judge import judge
from sloscore.core.nodata import NoData
from sloscore.core.objective import Direction, Signal
from sloscore.core.penalty import Slo
from sloscore.core.scoring import Score, combine
from sloscore.core.sli import RATE, Sli

P90 = Sli("latency_p90", Signal.LATENCY, "p90")
TTFT = Sli("ttft", Signal.TTFT, "p90")
THROUGHPUT = Sli("throughput", Signal.THROUGHPUT, RATE)
MINIMIZE, MAXIMIZE = Direction.MINIMIZE, Direction.MAXIMIZE
HARD = Slo(5.0, 2.0, hard_fail=True, fail_ratio=0.2)


def score(
    base: float | NoData,
    *measured: tuple[Sli, Slo, float | None],
    direction: Direction = MINIMIZE,
    steepness: float = 0.1,
) -> Score:
    curve = Exponential(steepness)
    results = [
        judge(sli, replace(slo, curve=curve), slis.given(value)) for sli, slo, value in measured
    ]
    return combine(base, direction, results)


def log_of(result: Score) -> float:
    assert result.log_score is not None
    return result.log_score


class Logged(NamedTuple):
    result: Score
    log_score: float


LOGS = {
    "without a violation it is the log of the base": Logged(
        score(3.0, (P90, Slo(5.0), 4.0)), math.log(3.0)
    ),
    "without an slo it is the log of the base": Logged(score(0.25), math.log(0.25)),
    "a violation adds the log of its multiplier": Logged(
        score(3.0, (P90, Slo(5.0, 2.0), 5.5)), math.log(3.0 * (1 + 2 * math.e))
    ),
    "a maximised score loses it": Logged(
        score(90.0, (THROUGHPUT, Slo(100.0, 2.0, is_minimum=True), 90.0), direction=MAXIMIZE),
        math.log(90.0 / (1 + 2 * math.e)),
    ),
    "a hard fail is left aside": Logged(
        score(3.0, (P90, HARD, 6.5)), math.log(3.0 * (1 + 2 * math.exp(3)))
    ),
    "beyond the range of a float it is what the exponential cannot hold": Logged(
        score(1.0, (P90, Slo(1.0), 1001.0), (TTFT, Slo(1.0), 5.0)), 10_000.0
    ),
    "weight 0 costs nothing however large the violation": Logged(
        score(2.0, (P90, Slo(1.0, 0.0), 1e9)), math.log(2.0)
    ),
    "a base of 0 is the smallest float": Logged(score(0.0), math.log(5e-324)),
}


@pytest.mark.parametrize("case", LOGS.values(), ids=LOGS.keys())
def test_the_log_score(case: Logged) -> None:
    assert case.result.log_score == pytest.approx(case.log_score, rel=1e-12)


MISSING = {
    "a missing base": score(NoData("nothing was measured"), (P90, Slo(5.0), 4.0)),
    "a missing SLI": score(3.0, (P90, Slo(5.0), None)),
    "a hard fail beside a missing SLI": score(3.0, (P90, HARD, 9.0), (TTFT, Slo(1.0), None)),
}


@pytest.mark.parametrize("result", MISSING.values(), ids=MISSING.keys())
def test_what_is_unknown_has_no_log_score(result: Score) -> None:
    assert (result.log_score, result.finite_score) == (None, None)


def test_the_constraint_that_binds_is_the_largest_ratio_violated_or_not() -> None:
    met = score(1.0, (P90, Slo(5.0), 2.0), (TTFT, Slo(1.0), 0.9))
    violated = score(1.0, (P90, Slo(5.0), 7.0), (TTFT, Slo(1.0), 1.2))
    partly = score(1.0, (P90, Slo(5.0), None), (TTFT, Slo(1.0), 0.1))
    assert [s.binding_constraint for s in (met, violated, partly)] == [
        "ttft",
        "latency_p90",
        "ttft",
    ]
    assert score(1.0, (P90, Slo(5.0), None)).binding_constraint is None
    assert score(1.0).binding_constraint is None


def test_an_infeasible_experiment_says_why_and_any_other_does_not() -> None:
    hard = score(1.0, (P90, HARD, 6.5), (TTFT, Slo(1.0), None))
    assert hard.infeasibility_reason == (
        "P90 of latency is 6.5 s, 30.0% over the threshold of 5 s and past the hard limit of 20%."
    )
    missing = score(1.0, (TTFT, Slo(1.0), None))
    assert missing.infeasibility_reason == missing.reason is not None
    assert score(1.0, (TTFT, Slo(1.0), 2.0)).infeasibility_reason is None


bases = st.floats(1e-6, 1e6)
values = st.floats(0, 1e6)
limits = st.builds(
    Slo,
    threshold=st.floats(1e-3, 1e4),
    weight=st.floats(0, 100),
    hard_fail=st.booleans(),
    fail_ratio=st.floats(0, 5),
)
directions = st.sampled_from(Direction)


def worse(result: Score, direction: Direction) -> float:
    return log_of(result) if direction is MINIMIZE else -log_of(result)


@given(
    st.floats(0, sys.float_info.max),
    st.floats(0, sys.float_info.max),
    st.builds(Slo, threshold=st.floats(1e-9, 1e300), weight=st.floats(0, 1e300)),
    st.floats(1e-6, 1e3),
    directions,
)
def test_finite_scores_are_finite_whatever_was_measured(
    base: float, value: float, slo: Slo, steepness: float, direction: Direction
) -> None:
    result = score(base, (P90, slo, value), direction=direction, steepness=steepness)
    assert math.isfinite(log_of(result))
    assert result.finite_score is not None
    assert math.isfinite(result.finite_score)


@given(bases, values, bases, values, limits, directions, st.floats(0.05, 2))
def test_the_log_keeps_the_order_of_finite_scores(
    base: float,
    value: float,
    other_base: float,
    other_value: float,
    slo: Slo,
    direction: Direction,
    steepness: float,
) -> None:
    one = score(base, (P90, slo, value), direction=direction, steepness=steepness)
    other = score(other_base, (P90, slo, other_value), direction=direction, steepness=steepness)
    assert one.finite_score is not None
    assert other.finite_score is not None
    saturated = (0.0, sys.float_info.max)
    assume(one.finite_score not in saturated and other.finite_score not in saturated)
    # Floats that are this close may be told in either order.
    assume(not math.isclose(one.finite_score, other.finite_score, rel_tol=1e-9))
    assert (log_of(one) < log_of(other)) == (one.finite_score < other.finite_score)


@given(bases, st.floats(100, 1e9), st.floats(1.001, 1e3), directions)
def test_hopeless_configurations_stay_in_order(
    base: float, value: float, factor: float, direction: Direction
) -> None:
    slo = Slo(1.0, hard_fail=True)
    hopeless = score(base, (P90, slo, value), direction=direction)
    more_so = score(base, (P90, slo, value * factor), direction=direction)
    assert hopeless.penalty == more_so.penalty == math.inf
    assert worse(hopeless, direction) < worse(more_so, direction)


@given(bases, values, limits, directions)
def test_a_violation_moves_the_log_score_the_bad_way(
    base: float, value: float, slo: Slo, direction: Direction
) -> None:
    result = score(base, (P90, slo, value), direction=direction)
    assert worse(result, direction) >= worse(score(base), direction)
    if value > slo.threshold and slo.weight > 1e-9:
        assert worse(result, direction) > worse(score(base), direction)
