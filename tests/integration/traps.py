"""Windows of engines that a real Prometheus scrapes: what the tests of traps share."""

import asyncio
import dataclasses
import time
from collections.abc import Mapping, Sequence

import pytest
from tests.integration.pages import Engine, Shown

from sloscore.evaluation.plan import Plan, plan_registration
from sloscore.evaluation.settle import settle
from sloscore.experiments.model import new_experiment
from sloscore.settings import EvaluationSettings
from sloscore.sources.prometheus import PrometheusSource
from sloscore.wire import Registration, Report, WindowReport

# Ports by job; all tests of traps share them, as Prometheus takes seconds to notice new ones.
JOBS = {
    "stamped-0": 1,
    "stamped-2": 1,
    "frozen": 1,
    "left": 1,
    "idle": 1,
    "beyond": 1,
    "other": 1,
    "buckets": 1,
    "bounds": 1,
    "replicas": 2,
    "strangers": 2,
    "twice": 1,
    "anonymous": 1,
    "balanced": 1,
    "unreached": 2,
    "successive": 1,
    "successive-hidden": 1,
    "swapped": 1,
    "rounded": 1,
    "steady": 2,
    "restarted": 1,
    "fell": 1,
    "other-series": 1,
    "other-bounds": 1,
    "paused": 1,
    "untold": 1,
}
# What a second job scrapes as well.
TWICE = ("twice", "anonymous")
Ports = Mapping[str, Sequence[int]]
# Prometheus moves the times of scrapes by up to 2 ms so that they compress better.
STAMP = 0.01
# Of the half second between two scrapes; ports spread the engines over it, and a moment that suits all
# must be left.
SAFE = 0.45
THRESHOLD = 1.0


def plan_of(job: str, threshold: float = THRESHOLD, **selector: str) -> Plan:
    """An experiment on all engines of a job, with an SLO on the median latency."""
    task = {
        "task_name": "traps",
        "server": "vllm",
        "slo": {"latency": {"p50": {"threshold": threshold}}, "throughput": {"threshold": 0.001}},
    }
    document = {"id": job, "task": task, "selector": {"job": job, **selector}}
    return plan_registration(Registration.model_validate(document))


async def between_scrapes(*engines: Engine, more: int = 1) -> float:
    """A moment after that many more scrapes of each engine, while none of them is under way."""
    wanted = [len(engine.shown) + more for engine in engines]
    async with asyncio.timeout(30):
        while True:
            now = time.time()
            if all(
                len(engine.shown) >= number and STAMP < now - engine.shown[-1].at < SAFE
                for engine, number in zip(engines, wanted, strict=True)
            ):
                return now
            await asyncio.sleep(0.005)


async def settled(
    source: PrometheusSource, plan: Plan, start: float, end: float, closing_wait: float = 3.0
) -> Report:
    """The final report of a window that has just ended."""
    name = plan.target.key
    running = new_experiment(name, name, {}, plan.objective, plan.objective.direction, start, start)
    experiment = dataclasses.replace(running, end=end)
    settings = EvaluationSettings(interval=0.1, closing_wait=closing_wait, source_wait=2.0)
    async with asyncio.timeout(30):
        return (await settle(source, plan, experiment, settings)).report


def shown_at(engine: Engine, moment: float) -> Shown:
    """The last scrape at or before the moment."""
    return [shown for shown in engine.shown if shown.at <= moment][-1]


def closing(engine: Engine, end: float) -> Shown:
    """The first scrape at or after the end."""
    return next(shown for shown in engine.shown if shown.at >= end)


def window_of(report: Report) -> WindowReport:
    assert report.window is not None
    return report.window


def check_counts(report: Report, latencies: Sequence[float], resets: int = 0) -> None:
    """The report counts exactly these requests, and their tokens."""
    window = window_of(report)
    assert report.reason is None, report.reason
    assert (window.requests, window.resets) == (len(latencies), resets)
    assert report.base_score == pytest.approx(sum(latencies) / len(latencies))
    (throughput,) = (sli for sli in report.slis if sli.sli == "throughput")
    assert window.end is not None
    assert window.observed_start is not None
    assert window.observed_end is not None
    seconds = max(window.end - window.start, window.observed_end - window.observed_start)
    # The report's times are rounded to milliseconds.
    assert throughput.value == pytest.approx(10 * len(latencies) / seconds, 0.01)


def check_no_data(report: Report, reason: str) -> None:
    """The report says nothing of the deployment but why."""
    assert (report.status, report.score, report.base_score) == ("NO_DATA", None, None)
    assert report.reason is not None
    assert reason in report.reason
    assert {sli.verdict for sli in report.slis} == {"no_data"}
