"""A load that changes by phase in a source that lives in memory: what the tests of phases share."""

import math
from collections.abc import Sequence
from dataclasses import replace

from tests.unit.memory_source import CHILD, END, START, MemorySource, plan

from sloscore.core.histogram import Histogram
from sloscore.core.phases import PhaseRules, ScoreOf
from sloscore.core.samples import InstanceSample
from sloscore.evaluation.plan import Plan, Rules
from sloscore.evaluation.settle import Settled, settle
from sloscore.experiments.model import Phase, new_experiment
from sloscore.settings import EvaluationSettings
from sloscore.wire import PhaseReport, Report

WORST = PhaseRules(ScoreOf.WORST)
EASY, HEAVY = Phase("c=1", 1000.0, 1030.0), Phase("c=8", 1030.0, 1060.0)
MARKED = (EASY, HEAVY)
# Two requests a second while it is easy, four while it is heavy; a median of over 5.5 s fails.
QUICK = [(1000.25 + n / 2, 0.4) for n in range(60)]
SLOW = [(1030.1 + n / 4, 1.5) for n in range(120)]
HOPELESS = [(1030.1 + n / 4, 9.0) for n in range(120)]
BOUNDS = (0.25, 0.5, 1.0, 2.0, 5.5, 10.0, math.inf)

Log = Sequence[tuple[float, float]]


def source_of(log: Log, every: float = 5.0, offset: float = 0.0) -> MemorySource:
    """A server that is scraped now and then, and that has finished these at these times."""
    return MemorySource({"one": [scrape(log, 990 + offset + n * every) for n in range(120)]})


def scrape(log: Log, at: float) -> InstanceSample:
    latencies = [latency for finished, latency in log if finished <= at]
    counts = tuple(float(sum(each <= bound for each in latencies)) for bound in BOUNDS)
    data = Histogram(BOUNDS, counts, sum(latencies))
    return InstanceSample(("job", "a"), at, True, 900.0, {CHILD: data})


def plan_of(phases: PhaseRules = PhaseRules(), **rules: object) -> Plan:  # noqa: B008  it is frozen
    known = plan()
    changed: Rules = replace(known.rules, phases=phases, **rules)  # type: ignore[arg-type]
    return replace(known, rules=changed)


async def settled(
    source: MemorySource, plan: Plan, phases: Sequence[Phase] = MARKED, end: float = END
) -> Report:
    return (await settle_of(source, plan, phases, end)).report


async def settle_of(
    source: MemorySource, plan: Plan, phases: Sequence[Phase], end: float = END
) -> Settled:
    running = new_experiment("one", "t", {}, plan.objective, "minimize", START, START)
    experiment = replace(running, end=end, phases=tuple(phases))
    often = EvaluationSettings(interval=0.001)
    return await settle(source, plan, experiment, often, source.clock)


def by_name(report: Report) -> dict[str, PhaseReport]:
    return {phase.name: phase for phase in report.phases}


def requests(phase: PhaseReport) -> float:
    assert phase.window is not None
    return phase.window.requests
