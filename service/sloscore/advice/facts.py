"""What is known of a deployment when it is examined."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sloscore.advice.probe import Scraped
from sloscore.core.penalty import Slo
from sloscore.core.samples import Family, FamilyKind, InstanceSample, Labels, Target
from sloscore.core.sli import Sli
from sloscore.sources.scrapes import Instance
from sloscore.spec.model import TaskSpec
from sloscore.spec.preset import Preset

# What Prometheus itself says of a target, however it goes.
_OF_EVERY_TARGET = ("up", "ALERTS", "ALERTS_FOR_STATE")
_OF_EVERY_SCRAPE = "scrape_"


@dataclass(frozen=True, slots=True)
class Facts:
    """What was asked for, and what the engine has of it.

    ``names`` are those of all series of the selector, ``samples`` the newest ones of its instances
    at Unix time ``at``, ``scrapes`` those of the ``lookback`` seconds before. ``window`` and
    ``closing_wait`` are in seconds.
    """

    task: TaskSpec
    preset: Preset
    target: Target
    at: float
    window: float
    closing_wait: float
    lookback: float
    names: frozenset[str] = frozenset()
    samples: Sequence[InstanceSample] = ()
    scrapes: Mapping[Instance, Sequence[Scraped]] = field(default_factory=dict)

    @property
    def selector(self) -> Labels:
        """The labels of the deployment."""
        return self.target.selector

    @property
    def slos(self) -> tuple[tuple[Sli, Slo], ...]:
        """The task's SLOs."""
        return self.task.slo.limits() if self.task.slo else ()

    @property
    def servers(self) -> list[InstanceSample]:
        """The instances that expose any of the metrics that the task needs."""
        return [sample for sample in self.samples if sample.histograms or sample.counters]

    def is_only_native(self, family: Family) -> bool:
        """Whether a histogram has no classic buckets beside its native ones."""
        if family.kind is not FamilyKind.HISTOGRAM:
            return False
        return not any(f"{name}_bucket" in self.names for name in family.names) and any(
            name in self.names for name in family.names
        )


def telling(names: Collection[str]) -> frozenset[str]:
    """The names that a target exposes itself, without those that its scrapes leave."""
    return frozenset(
        name
        for name in names
        if name not in _OF_EVERY_TARGET and not name.startswith(_OF_EVERY_SCRAPE)
    )
