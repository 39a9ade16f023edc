"""Where a drawing of one SLO's penalty needs its points."""

import math

from sloscore.core.curve import Piecewise
from sloscore.core.penalty import DEFAULT_FAIL_RATIO, Slo, hard_limit

_STEPS = 60
# The drawn part goes on past the last limit, and begins before the threshold, by this share.
_MARGIN = 0.25
# A fail ratio past any use would leave nothing to see of the rest.
_LEAST_RATIO, _LARGEST_RATIO = 0.01, 100.0


def reached_limit(slo: Slo) -> float | None:
    """The value from which on a measured one fails, in the SLI's unit; None where none does."""
    limit = hard_limit(slo)
    return limit if slo.hard_fail and math.isfinite(limit) and limit >= 0 else None


def drawn_values(slo: Slo) -> tuple[float, ...]:
    """Values of the SLI from well within the limit to past its hard limit, in its unit, ascending.

    The threshold and the hard limit are among them, the corners of a piecewise penalty, and the
    next value past the threshold: there a penalty jumps from 0 to its least.
    """
    ratio = slo.fail_ratio if slo.hard_fail else DEFAULT_FAIL_RATIO
    last = min(max(ratio, _LEAST_RATIO), _LARGEST_RATIO) * (1 + _MARGIN)
    first = -min(last * _MARGIN, 1.0)
    if slo.is_minimum:
        # No value is further below a minimum than 0.
        last = min(last, 1.0)
    worse = -1 if slo.is_minimum else 1
    ratios = [first + (last - first) * step / _STEPS for step in range(_STEPS + 1)]
    if isinstance(slo.curve, Piecewise):
        ratios += [piece.start for piece in slo.curve.pieces if piece.start < last]
    values = {slo.threshold * (1 + worse * ratio) for ratio in ratios}
    values |= {slo.threshold, math.nextafter(slo.threshold, worse * math.inf)}
    limit = reached_limit(slo)
    if limit is not None and limit <= max(values):
        values.add(limit)
    return tuple(sorted(value for value in values if value >= 0))
