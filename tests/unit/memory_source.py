"""A metric source that lives in memory, and what the tests of windows put into it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sloscore.core.histogram import Histogram
from sloscore.core.samples import Child, InstanceSample, Target
from sloscore.errors import SourceError
from sloscore.evaluation.plan import Plan, plan_registration
from sloscore.sources.base import Snapshot
from sloscore.wire import Registration, Report

START, END = 1000.0, 1060.0
CHILD = Child("latency", (("model_name", "m"),))
AWAY = SourceError("it is away", kind="unreachable")


def plan(name: str = "one", warmup: str | None = None, **more: object) -> Plan:
    limit = {"threshold": 0.5, "hard_fail": True, "fail_ratio": 10.0}
    slo = {"latency": {"p50": limit}, "warmup": warmup}
    task = {"task_name": "t", "server": "vllm", "slo": slo}
    document = {"id": name, "task": task, "selector": {"instance": name}, **more}
    return plan_registration(Registration.model_validate(document))


def sample(
    time: float,
    requests: float | None,
    *,
    instance: str = "a",
    born: float | None = None,
    total: float | None = None,
) -> InstanceSample:
    """A scrape that showed so many requests of 0.75 s, or that found nobody (None)."""
    histograms = {}
    if requests is not None:
        total = 0.75 * requests if total is None else total
        histograms = {CHILD: Histogram((0.5, 1.0, math.inf), (0, requests, requests), total)}
    return InstanceSample(("job", instance), time, requests is not None, born, histograms)


@dataclass
class MemorySource:
    """Samples by the keys of their targets; what it was asked is in ``asked``.

    Targets in ``broken`` fail alone, and all fail until ``back``. Raw samples are there so many
    seconds after their scrape began as ``lags`` says by instance. The names of all its series are
    ``exposed``. Its clock moves on by a second
    each time it is read.
    """

    scrapes: Mapping[str, Sequence[InstanceSample]]
    broken: set[str] = field(default_factory=set)
    back: float = 0.0
    lags: Mapping[str, float] = field(default_factory=dict)
    now: float = END
    exposed: frozenset[str] = frozenset()
    asked: list[str] = field(default_factory=list)

    def clock(self) -> float:
        self.now += 1
        return self.now

    async def snapshot(
        self, targets: Sequence[Target], at: float
    ) -> Mapping[str, Snapshot | SourceError]:
        self.asked.append("snapshot")
        return {target.key: self._latest(target.key, at) for target in targets}

    async def samples(self, target: Target, after: float, until: float) -> Snapshot:
        self.asked.append("samples")
        if target.key in self.broken or self.now < self.back:
            raise AWAY
        return [
            each
            for each in self.scrapes[target.key]
            if after < each.time <= until - self.lags.get(each.instance[1], 0.0)
        ]

    async def names(self, target: Target, at: float, seconds: float) -> frozenset[str]:
        del target, at, seconds
        self.asked.append("names")
        return self.exposed

    async def check(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def _latest(self, key: str, at: float) -> Snapshot | SourceError:
        if key in self.broken or self.now < self.back:
            return AWAY
        latest = {each.instance: each for each in self.scrapes[key] if each.time <= at}
        return list(latest.values())


class RecordingMemorySource(MemorySource):
    """One that takes no samples of its own."""

    async def capture(self, target: Target) -> Snapshot:
        del target
        return ()

    def restore(
        self,
        target: Target,
        samples: Iterable[InstanceSample],
        since: float | None = None,
        marks: Iterable[float] = (),
    ) -> None:
        del target, samples, since, marks

    def forget(self, key: str) -> None:
        del key


def source_of(*scrapes: InstanceSample) -> MemorySource:
    """A source whose only target is that of ``plan()``."""
    return MemorySource({"one": sorted(scrapes, key=lambda each: each.time)})


def requests(found: Report | SourceError) -> float:
    assert isinstance(found, Report), found
    assert found.window is not None
    return found.window.requests
