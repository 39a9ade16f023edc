"""Facts of a deployment that are made by hand."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sloscore.advice.facts import Facts
from sloscore.advice.findings import Finding
from sloscore.advice.probe import Scraped
from sloscore.core.histogram import Histogram
from sloscore.core.samples import Child, InstanceSample, Target
from sloscore.sources.scrapes import Instance
from sloscore.spec.loader import validate
from sloscore.spec.model import TaskSpec
from sloscore.spec.preset import preset_for

A, B = ("job", "h:1"), ("job", "h:2")
AT = 10_000.0
LATENCY = Child("latency", (("model_name", "m"),))
VLLM_NAMES = frozenset(
    f"vllm:{name}_{part}"
    for name in ("e2e_request_latency_seconds", "time_to_first_token_seconds")
    for part in ("bucket", "sum", "count")
)


def task_of(**fields: Any) -> TaskSpec:  # noqa: ANN401  the fields of a task are of many types
    return validate(TaskSpec, {"task_name": "t", "server": "vllm", **fields})


def counted(count: float, bounds: Sequence[float] = (1.0, 5.0)) -> Histogram:
    return Histogram((*bounds, math.inf), (count,) * (len(bounds) + 1), count)


def sample(
    instance: Instance, time: float = AT, count: float = 0.0, bounds: Sequence[float] = (1.0, 5.0)
) -> InstanceSample:
    return InstanceSample(instance, time, True, 0.0, {LATENCY: counted(count, bounds)})


def facts_of(
    *samples: InstanceSample,
    slo: Mapping[str, Any] | None = None,
    scrapes: Mapping[Instance, Sequence[Scraped]] | None = None,
    window: float = 300.0,
    closing_wait: float = 60.0,
    names: frozenset[str] = VLLM_NAMES,
    roles: Sequence[str] = ("latency",),
    **fields: Any,  # noqa: ANN401  of the task
) -> Facts:
    task = task_of(slo=slo or {"latency": {"p90": {"threshold": 5.0}}}, **fields)
    preset = preset_for(task)
    assert preset is not None
    return Facts(
        task=task,
        preset=preset,
        target=Target("t", (("job", "job"),), preset.families(roles)),
        at=AT,
        window=window,
        closing_wait=closing_wait,
        lookback=300.0,
        names=names,
        samples=samples,
        scrapes=scrapes or {},
    )


def shown(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(one.severity.value, one.found) for one in findings]
