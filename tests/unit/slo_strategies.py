"""Penalty functions and limits for tests of what holds for any of them."""

import math

from hypothesis import strategies as st

from sloscore.core.curve import (
    ContinuousExponential,
    Exponential,
    Linear,
    Piecewise,
    Polynomial,
)
from sloscore.core.penalty import Slo, hard_limit
from sloscore.core.sli import Estimate


@st.composite
def piecewise(draw: st.DrawFn) -> Piecewise:
    """Up to six lines, the last of which rises, from (0, 0) or from a point above it."""
    jump = draw(st.none() | st.floats(0, 100))
    points = [] if jump is None else [(0.0, jump)]
    ratio, cost = 0.0, jump or 0.0
    steps = draw(st.lists(st.tuples(st.floats(0.01, 1), st.floats(0, 100)), max_size=5))
    for step, rise in [*steps, (1.0, 1.0)]:
        ratio, cost = ratio + step, cost + rise
        points.append((ratio, cost))
    return Piecewise(tuple(points))


steepnesses = st.floats(1e-3, 1e3)
curves = st.one_of(
    st.builds(Exponential, steepnesses),
    st.builds(ContinuousExponential, steepnesses),
    st.builds(Linear, steepnesses),
    st.builds(Polynomial, steepnesses, st.floats(1, 10)),
    piecewise(),
)
slos = st.builds(
    Slo,
    threshold=st.floats(1e-3, 1e4),
    weight=st.sampled_from([0.0, 1.0]) | st.floats(0, 100),
    hard_fail=st.booleans(),
    fail_ratio=st.floats(0, 5),
    is_minimum=st.booleans(),
    curve=curves,
)


@st.composite
def judgeable(draw: st.DrawFn) -> tuple[Slo, Estimate]:
    """A limit, and an estimate whose value and ends often lie on it or on its hard limit."""
    slo = draw(slos)
    edges = [limit for limit in (slo.threshold, hard_limit(slo)) if limit >= 0]
    places = st.sampled_from(edges).flatmap(
        lambda edge: st.sampled_from([edge, math.nextafter(edge, math.inf), edge * 0.999999])
    ) | st.floats(0, 8 * slo.threshold)
    ends = draw(st.lists(places, min_size=5, max_size=5))
    low, lower, value, upper, high = sorted(ends)
    return slo, Estimate(
        value,
        lower,
        draw(st.just(upper) | st.just(math.inf)),
        lower_open=draw(st.booleans()),
        sampled=draw(st.none() | st.just((low, high))),
        confidence=0.95,
    )
