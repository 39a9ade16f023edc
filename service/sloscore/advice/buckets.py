"""Which bounds a server's histograms need so that verdicts follow from counts."""

from collections.abc import Sequence
from dataclasses import dataclass

from sloscore.advice.limits import Bucket, Limit, limits_of
from sloscore.core.samples import FamilyKind
from sloscore.spec.metric import Metric
from sloscore.spec.model import TaskSpec
from sloscore.spec.preset import Preset, roles_for


@dataclass(frozen=True, slots=True)
class Placed:
    """A limit, and the bucket that it lies inside of (None where it is a bound already).

    ``is_known`` is False where nobody knows the bounds.
    """

    limit: Limit
    bucket: Bucket | None
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class MetricAdvice:
    """The bounds of one metric in its own unit, as it comes and as it should be, without +Inf."""

    role: str
    name: str
    unit: str
    stock: tuple[float, ...]
    advised: tuple[float, ...]

    @property
    def added(self) -> tuple[float, ...]:
        """The bounds that are missing."""
        return tuple(bound for bound in self.advised if bound not in self.stock)


@dataclass(frozen=True, slots=True)
class Advice:
    """What a task needs of its server's buckets; ``exact`` are the SLIs that no bucket matters to."""

    preset: Preset
    limits: tuple[Placed, ...]
    exact: tuple[str, ...]
    metrics: tuple[MetricAdvice, ...]

    @property
    def inside(self) -> tuple[Placed, ...]:
        """The limits that no stock bound tells."""
        return tuple(one for one in self.limits if one.bucket is not None or not one.is_known)

    @property
    def changes(self) -> bool:
        """Whether there is anything to add."""
        return any(metric.added for metric in self.metrics)


def advise(task: TaskSpec, preset: Preset) -> Advice:
    """The bounds that a server needs for the task's SLOs, on top of those that it comes with.

    Raises SpecError where the server does not expose what the task needs.
    """
    preset.families(roles_for(task, preset))
    slos = task.slo.limits() if task.slo else ()
    limits = limits_of(slos)
    metrics = {
        str(role): metric
        for role, metric in preset.metrics.items()
        if metric.kind is FamilyKind.HISTOGRAM
    }
    asked = dict.fromkeys(limit.signal.value for limit in limits)
    return Advice(
        preset,
        tuple(_placed(limit, metrics[limit.signal.value]) for limit in limits),
        tuple(sli.id for sli, _ in slos if sli.quantile is None and not sli.within),
        tuple(_metric_advice(role, metrics[role], limits) for role in asked),
    )


def _placed(limit: Limit, metric: Metric) -> Placed:
    if not metric.buckets:
        return Placed(limit, None, is_known=False)
    return Placed(limit, limit.bucket_in([bound * metric.scale for bound in metric.buckets]))


def _metric_advice(role: str, metric: Metric, limits: Sequence[Limit]) -> MetricAdvice:
    missing = {
        _in_unit(limit.bound, metric.scale)
        for limit in limits
        if limit.signal.value == role
        and (not metric.buckets or _placed(limit, metric).bucket is not None)
    }
    advised = tuple(sorted({*metric.buckets, *missing}))
    return MetricAdvice(role, metric.names[0], metric.unit, metric.buckets, advised)


def _in_unit(seconds: float, scale: float) -> float:
    """Seconds in the metric's own unit, without the noise of the division."""
    return seconds if scale == 1 else float(f"{seconds / scale:.15g}")
