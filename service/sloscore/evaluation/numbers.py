"""Reports of numbers that a client measured itself, written one after the other under equal SLOs.

Who scores numbers sends the same section again and again. What is the same in each of its reports is
written once, and the rest without the intervals and checks that only what was sampled needs.
"""

import math
from collections import OrderedDict
from typing import Any, NamedTuple

import orjson

from sloscore.core.explain import against_limit
from sloscore.core.learning import log_of
from sloscore.core.objective import Direction, Objective
from sloscore.core.penalty import Slo, is_violated, log_penalty, penalty, violation_ratio
from sloscore.core.scoring import HARD_VIOLATION, Status, apply_penalty
from sloscore.core.units import capital, figure, mark
from sloscore.core.verdict import Verdict, severity_of, verdict_at
from sloscore.evaluation.report import report_values
from sloscore.spec.slo import SloSpec
from sloscore.wire import ScoreRequest, format_time

_MOST_KNOWN = 64


class _Limit(NamedTuple):
    """An SLI's limit with the parts of its row that no value changes.

    Its sentence has the value between ``begin`` and ``then``, and ends with ``met`` where that holds.
    """

    sli: str
    slo: Slo
    unit: str
    begin: str
    then: str
    met: str
    row: dict[str, Any]


class Numbers:
    """Writes the reports of numbers under one section and one objective."""

    def __init__(self, slo: SloSpec, objective: Objective) -> None:
        limits = slo.limits()
        at_limits = ScoreRequest(
            slo=slo,
            objective=objective,
            base_score=1.0,
            values={sli.id: limit.threshold for sli, limit in limits},
        )
        self.slo = slo
        self._direction = objective.direction
        self._report = orjson.loads(report_values(at_limits, 0.0).model_dump_json())
        self._limits = [
            _Limit(
                sli.id,
                limit,
                sli.signal.unit,
                f"{capital(sli.title)} is ",
                f"{mark(sli.signal.unit)}, ",
                against_limit(limit.threshold, limit, sli.signal.unit),
                row,
            )
            for (sli, limit), row in zip(limits, self._report["slis"], strict=True)
        ]

    def write(self, request: ScoreRequest, now: float) -> bytes | None:
        """The report as JSON, as that of ``report_values``; None for what that has more to say of.

        That is a number which is missing, unknown or negative, and a score that no float holds.
        """
        base, values = request.base_score, request.values or {}
        if base is None or len(values) != len(self._limits):
            return None
        rows: list[dict[str, Any]] = []
        logs: list[float] = []
        hard_fails: list[str] = []
        constraints: dict[str, float] = {}
        total = 0.0
        for limit in self._limits:
            value = values.get(limit.sli)
            if value is None or not 0 <= value < math.inf:
                return None
            row, ratio, log = _row(limit, value)
            if ratio == math.inf:
                return None
            rows.append(row)
            logs.append(log)
            constraints[limit.sli] = ratio
            total += row["penalty"]
            if row["verdict"] == Verdict.HARD_FAIL:
                hard_fails.append(row["explanation"])
        finite = apply_penalty(base, total, self._direction)
        if not (math.isfinite(total) and math.isfinite(finite)):
            return None
        score: float | str = finite
        if hard_fails:
            score = "Infinity" if self._direction is Direction.MINIMIZE else "-Infinity"
        return orjson.dumps(
            self._report
            | {
                "status": (Status.FAILED if hard_fails else Status.SUCCESS).value,
                "slo_violation": bool(hard_fails),
                "reason": HARD_VIOLATION if hard_fails else None,
                "base_score": base,
                "penalty": total,
                "penalty_multiplier": 1 + total,
                "score": score,
                "score_interval": (score, score),
                "score_confidence_interval": (score, score),
                "finite_score": finite,
                "log_score": log_of(base, self._direction, logs),
                "constraints": constraints,
                "binding_constraint": max(constraints, key=constraints.__getitem__),
                "infeasibility_reason": " ".join(hard_fails) or None,
                "slis": rows,
                "evaluated_at": format_time(now),
            }
        )


def _row(limit: _Limit, value: float) -> tuple[dict[str, Any], float, float]:
    """The row of an SLI, its violation ratio, and the logarithm of its penalty."""
    _, slo, unit, begin, then, met, row = limit
    ratio = violation_ratio(value, slo)
    text = f"{begin}{figure(value, unit)}{then}"
    row = row | {"value": value, "lower": value, "upper": value, "violation_ratio": ratio}
    if not is_violated(value, slo):
        row["explanation"] = f"{text}{met}."
        return row, ratio, -math.inf
    verdict, cost = verdict_at(value, slo), penalty(value, slo)
    severity = severity_of(verdict, ratio)
    row["penalty"] = cost
    row["penalty_interval"] = (cost, cost)
    row["severity"] = severity and severity.value
    row["verdict"] = verdict.value
    row["explanation"] = f"{text}{against_limit(value, slo, unit)}."
    return row, ratio, log_penalty(value, slo)


class KnownNumbers:
    """What was prepared for the sections that were scored lately, each from its second time on."""

    def __init__(self) -> None:
        # A section is kept with what is known of it, so that no other one can have its identity.
        self._known: OrderedDict[tuple[int, Objective], tuple[SloSpec, Numbers | None]] = (
            OrderedDict()
        )

    def report(self, request: ScoreRequest, now: float) -> bytes:
        """The report of a request's numbers as JSON; raises SpecError as ``report_values`` does."""
        numbers = None if request.slo is None else self._of(request.slo, request.objective)
        written = None if numbers is None else numbers.write(request, now)
        return written or report_values(request, now).model_dump_json().encode()

    def _of(self, slo: SloSpec, objective: Objective) -> Numbers | None:
        key = (id(slo), objective)
        if key in self._known:
            _, numbers = self._known.pop(key)
            numbers = numbers or Numbers(slo, objective)
        else:
            numbers = None
        self._known[key] = slo, numbers
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return numbers
