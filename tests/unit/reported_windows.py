"""Plans, windows, and the reports of those that have ended."""

import math
from typing import Any

from sloscore.core.histogram import Histogram
from sloscore.evaluation.plan import Plan, plan_registration
from sloscore.evaluation.report import report_window
from sloscore.experiments.window import WindowCounts
from sloscore.wire import Registration, Report, SliReport

START, END, NOW = 1000.0, 1060.0, 1070.0
HARD = {"threshold": 1.0, "weight": 2.0, "hard_fail": True, "fail_ratio": 0.2}
SOFT = {"threshold": 1.0, "weight": 2.0}


def plan(objective: str = "minimize_latency", **slo: Any) -> Plan:  # noqa: ANN401  sections are of many forms
    task = {
        "task_name": "chat",
        "server": "vllm",
        "slo": slo or None,
        "optimization": {"objective": objective},
    }
    document = {"id": "one", "task": task, "selector": {"instance": "a:1"}}
    return plan_registration(Registration.model_validate(document))


def counts(at_or_under_1: float, at_or_under_2: float, requests: float) -> WindowCounts:
    """A window whose latencies have a mean of 1 s, whatever the buckets hold."""
    latency = Histogram((1.0, 2.0, math.inf), (at_or_under_1, at_or_under_2, requests), requests)
    return WindowCounts({"latency": latency}, {}, 990.0, 1065.0, 0.0, 0.0, 2, 1, 15.0)


def ended(plan: Plan, counts: WindowCounts, base_score: float | None = None) -> Report:
    return report_window(plan, counts, (START, END), now=NOW, base_score=base_score)


def only(report: Report) -> SliReport:
    (sli,) = report.slis
    return sli
