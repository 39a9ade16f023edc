"""Penalty functions: figures worked out by hand, and what holds for all of them alike."""

import math
from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.unit.slo_strategies import curves

from sloscore.core.curve import (
    ContinuousExponential,
    Curve,
    Exponential,
    Linear,
    Piecewise,
    Polynomial,
)
from sloscore.core.judge import judge
from sloscore.core.objective import Direction, Signal
from sloscore.core.penalty import Slo, penalty, penalty_slope
from sloscore.core.scoring import combine
from sloscore.core.sli import Estimate, Sli

E = math.e
P90 = Sli("latency_p90", Signal.LATENCY, "p90")
# Five lines, of slope 0, 10, 45, 0 and 20.
PIECES = Piecewise(((0.05, 0.0), (0.1, 0.5), (0.3, 9.5), (0.4, 9.5), (0.5, 11.5)))
FINE = Piecewise(((0.0, 3.0), (0.2, 5.0)))


class Figure(NamedTuple):
    curve: Curve
    ratio: float
    value: float
    slope: float


FIGURES = {
    "exponential: weight times e where the ratio is the steepness": Figure(
        Exponential(0.1), 0.1, E, 10 * E
    ),
    "exponential: a very small violation costs the weight": Figure(
        Exponential(0.1), 1e-12, 1.0, 10.0
    ),
    "exponential: twice the steepness halves the exponent": Figure(Exponential(0.2), 0.2, E, 5 * E),
    "continuous exponential: e - 1 where the ratio is the steepness": Figure(
        ContinuousExponential(0.1), 0.1, E - 1, 10 * E
    ),
    "continuous exponential: a very small violation costs as much as a linear one": Figure(
        ContinuousExponential(0.1), 1e-12, 1e-11, 10.0
    ),
    "linear: 20 % over at 0.1 costs twice the weight": Figure(Linear(0.1), 0.2, 2.0, 10.0),
    "linear: at steepness 1 the penalty is the ratio": Figure(Linear(1.0), 0.05, 0.05, 1.0),
    "polynomial: the square of twice the steepness": Figure(Polynomial(0.1), 0.2, 4.0, 40.0),
    "polynomial: a cube": Figure(Polynomial(0.1, 3.0), 0.2, 8.0, 120.0),
    "polynomial: a degree between two": Figure(Polynomial(0.25, 1.5), 1.0, 8.0, 12.0),
    "polynomial: of degree 1 it is linear": Figure(Polynomial(0.1, 1.0), 0.2, 2.0, 10.0),
    "piecewise: nothing where the first line is flat at 0": Figure(PIECES, 0.03, 0.0, 0.0),
    "piecewise: half way up the second line": Figure(PIECES, 0.075, 0.25, 10.0),
    "piecewise: on the third line": Figure(PIECES, 0.2, 5.0, 45.0),
    "piecewise: on the flat fourth line": Figure(PIECES, 0.35, 9.5, 0.0),
    "piecewise: the last line goes on": Figure(PIECES, 1.0, 21.5, 20.0),
    "piecewise: lines begin at nothing": Figure(Piecewise(((0.5, 2.0),)), 0.25, 1.0, 4.0),
    "piecewise: a first point at ratio 0 is a fine for any violation": Figure(
        FINE, 1e-12, 3.0, 10.0
    ),
    "piecewise: and lines go on from there": Figure(FINE, 0.1, 4.0, 10.0),
}


@pytest.mark.parametrize("case", FIGURES.values(), ids=FIGURES.keys())
def test_penalties_and_their_slopes_are_those_worked_out_by_hand(case: Figure) -> None:
    assert case.curve.value(case.ratio) == pytest.approx(case.value, rel=1e-9, abs=1e-15)
    assert case.curve.slope(case.ratio) == pytest.approx(case.slope, rel=1e-9)


def test_at_a_corner_the_slope_is_that_towards_larger_violations() -> None:
    ratios = (0.05, 0.1, 0.3, 0.4)
    assert [PIECES.slope(ratio) for ratio in ratios] == pytest.approx([10, 45, 0, 20])


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        ([], "must hold a point with a violation ratio above 0"),
        ([(0.0, 1.0)], "must hold a point with a violation ratio above 0"),
        ([(-0.1, 1.0)], "violation ratios must ascend, got -0.1 after 0"),
        ([(0.2, 1.0), (0.1, 2.0)], "violation ratios must ascend, got 0.1 after 0.2"),
        ([(0.2, 1.0), (0.2, 2.0)], "violation ratios must ascend, got 0.2 after 0.2"),
        ([(math.nan, 1.0)], "violation ratios must ascend, got nan after 0"),
        ([(0.1, 2.0), (0.2, 1.0)], "penalties must not fall, got 1 after 2"),
        ([(0.1, -1.0)], "penalties must not fall, got -1 after 0"),
        ([(0.0, -1.0), (0.1, 1.0)], "penalties must not be below 0, got -1"),
        ([(0.1, math.nan)], "penalties must not fall, got nan after 0"),
        ([(0.1, 1.0), (0.2, 1.0)], "the last penalty must be above the one before it"),
        ([(0.1, 0.0)], "the last penalty must be above the one before it"),
    ],
)
def test_points_that_are_no_penalty_are_refused(
    points: list[tuple[float, float]], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        Piecewise(tuple(points))


limits = st.builds(
    Slo,
    threshold=st.floats(1e-3, 1e4),
    weight=st.floats(0, 100),
    is_minimum=st.booleans(),
    curve=curves,
)
ratios = st.floats(0, exclude_min=True, allow_nan=False)
often = settings(max_examples=300)


def scale_of(curve: Curve) -> float:
    """The ratio at which a curve is of the size of its weight."""
    return 1.0 if isinstance(curve, Piecewise) else curve.steepness


@often
@given(limits, st.floats(0, allow_nan=False))
def test_a_penalty_is_0_at_and_within_the_threshold_and_never_below_it(
    slo: Slo, value: float
) -> None:
    is_met = value >= slo.threshold if slo.is_minimum else value <= slo.threshold
    cost = penalty(value, slo)
    assert cost == 0 if is_met else cost >= 0
    assert penalty(slo.threshold, slo) == 0


@often
@given(limits, st.floats(0, 1e9), st.floats(0, 1e9))
def test_a_penalty_never_falls_when_a_value_gets_worse(slo: Slo, one: float, other: float) -> None:
    better, worse = sorted((one, other), reverse=slo.is_minimum)
    # Within one rounding step of the power and the exponential.
    assert penalty(better, slo) <= penalty(worse, slo) * (1 + 1e-12)


@often
@given(limits, st.floats(0, 1e9))
def test_a_penalty_is_proportional_to_its_weight(slo: Slo, value: float) -> None:
    single = penalty(value, replace(slo, weight=1.0))
    if slo.weight == 0:
        assert penalty(value, slo) == 0
    else:
        assert penalty(value, slo) == pytest.approx(slo.weight * single)


@often
@given(curves, ratios)
def test_no_violation_is_too_large(curve: Curve, ratio: float) -> None:
    assert curve.value(ratio) >= 0
    assert curve.slope(ratio) >= 0
    assert curve.value(math.inf) == math.inf


@often
@given(curves, ratios)
def test_the_logarithm_is_that_of_the_penalty_and_does_not_saturate(
    curve: Curve, ratio: float
) -> None:
    cost, log = curve.value(ratio), curve.log_value(ratio)
    if 1e-300 < cost < math.inf:
        assert log == pytest.approx(math.log(cost), rel=1e-9, abs=1e-9)
    elif cost == math.inf:
        assert log > 700
    else:
        assert log < -690


def test_logarithms_of_penalties_past_all_floats_are_those_worked_out_by_hand() -> None:
    logs: dict[Curve, float] = {
        Exponential(0.1): 1e5,
        ContinuousExponential(0.1): 1e5,
        Linear(0.1): math.log(1e5),
        Polynomial(0.1, 10.0): 10 * math.log(1e5),
    }
    assert {curve: curve.log_value(1e4) for curve in logs} == pytest.approx(logs)
    assert Polynomial(0.1, 10.0).value(1e32) == math.inf
    assert Polynomial(0.1, 10.0).log_value(1e32) == pytest.approx(330 * math.log(10))


@given(curves, st.booleans())
def test_what_weighs_nothing_costs_nothing(curve: Curve, is_minimum: bool) -> None:
    slo = Slo(1.0, 0.0, is_minimum=is_minimum, curve=curve)
    assert [penalty(value, slo) for value in (0.0, 0.5, 2.0, 1e300, math.inf)] == [0] * 5
    assert penalty_slope(math.inf, slo) == 0


@often
@given(curves, st.floats(0.1, 50))
def test_the_slope_is_what_the_penalty_grows_by(curve: Curve, scaled: float) -> None:
    ratio, step = scaled * scale_of(curve), 1e-5 * scale_of(curve)
    if isinstance(curve, Piecewise):
        assume(all(abs(ratio - piece.start) > step for piece in curve.pieces))
    rise = curve.value(ratio + step) - curve.value(ratio - step)
    assert curve.slope(ratio) == pytest.approx(rise / (2 * step), rel=1e-4, abs=1e-6)


@given(curves)
def test_at_and_under_the_threshold_nothing_grows(curve: Curve) -> None:
    assert [curve.slope(ratio) for ratio in (-math.inf, -1.0, 0.0)] == [0, 0, 0]


@often
@given(curves)
def test_only_the_exponential_and_a_fine_begin_with_a_jump(curve: Curve) -> None:
    jump = curve.value(1e-12 * scale_of(curve))
    match curve:
        case Exponential():
            assert jump == pytest.approx(1)
        case Piecewise():
            assert jump == pytest.approx(curve.jump, abs=1e-6)
        case _:
            assert jump == pytest.approx(0, abs=1e-6)


@often
@given(curves, st.floats(0.01, 50))
def test_past_the_threshold_there_is_no_jump(curve: Curve, scaled: float) -> None:
    corners = [piece.start for piece in curve.pieces] if isinstance(curve, Piecewise) else []
    for ratio in (scaled * scale_of(curve), *corners[1:]):
        before, after = curve.value(ratio * (1 - 1e-12)), curve.value(ratio * (1 + 1e-12))
        assert before == pytest.approx(after, rel=1e-9, abs=1e-6)


# Of 10 s, weight 2, with P90 10 % over it: what 0.1 s more cost.
ERRORS = {
    "exponential": (Exponential(0.1), 2 * E / 0.1 / 10),
    "continuous exponential": (ContinuousExponential(0.1), 2 * E / 0.1 / 10),
    "linear": (Linear(0.2), 2 / 0.2 / 10),
    "polynomial": (Polynomial(0.1, 3.0), 2 * 3 / 0.1 / 10),
    "piecewise": (Piecewise(((0.05, 1.0), (0.25, 5.0))), 2 * 20 / 10),
}


@pytest.mark.parametrize(("curve", "slope"), ERRORS.values(), ids=ERRORS.keys())
@pytest.mark.parametrize("is_minimum", [False, True])
def test_the_error_of_a_penalty_is_that_of_the_value_by_the_slope(
    curve: Curve, slope: float, is_minimum: bool
) -> None:
    value = 9.0 if is_minimum else 11.0
    slo = Slo(10.0, 2.0, is_minimum=is_minimum, curve=curve)
    estimate = Estimate(value, value, value, sampled=(8, 12), confidence=0.95, error=0.1)
    result = judge(P90, slo, estimate)
    assert result.penalty_error == pytest.approx(slope * 0.1)
    assert result.penalty == pytest.approx(2 * curve.value(0.1))


def test_the_ends_of_what_is_possible_are_penalised_by_the_same_function() -> None:
    slo = Slo(10.0, 2.0, curve=Linear(0.1))
    result = judge(P90, slo, Estimate(11.0, 10.0, 12.0, lower_open=True))
    assert result.by_buckets is not None
    assert result.by_buckets.penalties == pytest.approx((0.0, 4.0))
    score = combine(3.0, Direction.MINIMIZE, [result])
    assert score.interval is not None
    assert (score.interval.low, score.score, score.interval.high) == pytest.approx((3, 9, 15))
