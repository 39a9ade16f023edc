"""What an optimiser learns from SLIs: a score that never saturates, and which limit holds it back."""

import math
import sys
from collections.abc import Sequence

from sloscore.core.judge import SliResult
from sloscore.core.objective import Direction
from sloscore.core.verdict import Verdict

_LEAST_BASE = math.ulp(0.0)


def log_score(base: float, direction: Direction, slis: Sequence[SliResult]) -> float | None:
    """The natural logarithm of the score with hard fails left aside; None where an SLI is unknown.

    See ``log_of``.
    """
    logs = []
    for result in slis:
        if result.log_penalty is None:
            return None
        logs.append(result.log_penalty)
    return log_of(base, direction, logs)


def log_of(base: float, direction: Direction, log_penalties: Sequence[float]) -> float:
    """The natural logarithm of a score, by the logarithms of its penalties.

    Always finite: ``log(base) + log(1 + sum of penalties)`` where minimised and the difference
    where maximised, with the sum taken over logarithms (log-sum-exp), so that configurations whose
    penalties leave the range of a float keep their order. A base of 0 counts as the smallest float
    above it.
    """
    # The logarithm of the 1 in front of the penalties.
    logs = [0.0, *log_penalties]
    largest = max(logs)
    multiplier = largest + math.log(math.fsum([math.exp(log - largest) for log in logs]))
    log_base = math.log(max(base, _LEAST_BASE))
    score = log_base - multiplier if direction is Direction.MAXIMIZE else log_base + multiplier
    return max(-sys.float_info.max, min(score, sys.float_info.max))


def binding_constraint(slis: Sequence[SliResult]) -> str | None:
    """Id of the SLI with the largest violation ratio, violated or not; None where none is known."""
    known = [(r.violation_ratio, r.sli.id) for r in slis if r.violation_ratio is not None]
    return max(known, key=lambda pair: pair[0])[1] if known else None


def infeasibility(slis: Sequence[SliResult]) -> str:
    """The sentences on the SLIs that failed hard."""
    return " ".join(r.explanation for r in slis if r.verdict is Verdict.HARD_FAIL)
