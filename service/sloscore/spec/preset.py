"""Presets: under which names an inference server exposes what sloscore reads."""

from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.functional_validators import model_validator

from sloscore.core.objective import Signal
from sloscore.core.samples import Family, FamilyKind
from sloscore.errors import SpecError
from sloscore.spec.loader import parse_model
from sloscore.spec.model import TaskSpec

Role = Literal["latency", "ttft", "tpot", "itl", "queue", "requests", "tokens_out", "tokens_in"]
MetricName = Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")]

_SCALE = {"s": 1.0, "ms": 0.001, "requests": 1.0, "tokens": 1.0}
_UNITS = {
    FamilyKind.HISTOGRAM: frozenset({"s", "ms"}),
    FamilyKind.COUNTER: frozenset({"requests", "tokens"}),
}
_COUNTERS = frozenset({"requests", "tokens_out", "tokens_in"})
_ROLE_OF_RATE = "tokens_out"


class Metric(BaseModel):
    """One metric family with every spelling of its name, counters with their ``_total``."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    type: FamilyKind = Field(strict=False)
    names: tuple[MetricName, ...] = Field(min_length=1, strict=False)
    unit: Literal["s", "ms", "requests", "tokens"]

    @model_validator(mode="after")
    def _unit_fits_type(self) -> Self:
        if self.unit not in _UNITS[self.type]:
            units = " or ".join(sorted(_UNITS[self.type]))
            raise ValueError(f"a {self.type} is measured in {units}, not in {self.unit}")
        return self


class Preset(BaseModel):
    """The metrics of one inference server, as of ``version``."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    server: str = Field(min_length=1)
    version: str
    source: str
    model_label: str
    metrics: dict[Role, Metric]

    @model_validator(mode="after")
    def _roles_fit_types(self) -> Self:
        for role, metric in self.metrics.items():
            right = FamilyKind.COUNTER if role in _COUNTERS else FamilyKind.HISTOGRAM
            if metric.type is not right:
                raise ValueError(f"metrics.{role} must be a {right}, not a {metric.type}")
        return self

    def families(self, roles: Iterable[str]) -> tuple[Family, ...]:
        """The families of the roles, in their order; times are scaled to seconds.

        Raises SpecError with a sentence for each role that the server does not expose.
        """
        asked = tuple(roles)
        metrics = {str(role): metric for role, metric in self.metrics.items()}
        missing = [role for role in asked if role not in metrics]
        if missing:
            known = ", ".join(sorted(metrics))
            raise SpecError(
                [
                    f"preset {self.server} has no metric for {role}; it has {known}"
                    for role in missing
                ]
            )
        return tuple(
            Family(role, metrics[role].type, metrics[role].names, _SCALE[metrics[role].unit])
            for role in asked
        )


def preset_names() -> tuple[str, ...]:
    """Names of all presets, sorted."""
    files = (resources.files("sloscore.spec") / "presets").iterdir()
    return tuple(sorted(f.name.removesuffix(".yaml") for f in files if f.name.endswith(".yaml")))


@cache
def load_preset(name: str) -> Preset:
    """The preset of this name.

    Raises SpecError, which lists the presets, where there is none.
    """
    if name not in preset_names():
        raise SpecError([f"there is no preset {name!a}; there are {', '.join(preset_names())}"])
    file = resources.files("sloscore.spec") / "presets" / f"{name}.yaml"
    return parse_model(Preset, file.read_text(encoding="utf-8"), f"{name}.yaml")


def resolve_server(task: TaskSpec) -> str:
    """The preset of the task's server: ``server``, else ``base_runtime`` where it names one.

    Raises SpecError, which lists the presets, where neither names one.
    """
    names = preset_names()
    if task.server in names:
        return task.server
    known = ", ".join(names)
    if task.server is not None:
        raise SpecError([f"server: must be one of {known}, got {task.server!a}"])
    if isinstance(task.base_runtime, str) and task.base_runtime.lower() in names:
        return task.base_runtime.lower()
    raise SpecError([f"server: is required as base_runtime names no preset; one of {known}"])


def roles_for(task: TaskSpec) -> tuple[str, ...]:
    """Roles of what the task's SLOs and objective are measured on; latency counts the requests."""
    signals = {task.objective.signal}
    if task.slo is not None:
        signals.update(sli.signal for sli, _ in task.slo.limits())
    rest = sorted(signals - {Signal.LATENCY})
    return (
        Signal.LATENCY.value,
        *(_ROLE_OF_RATE if signal is Signal.THROUGHPUT else signal.value for signal in rest),
    )


def families_for(task: TaskSpec) -> tuple[Family, ...]:
    """The metric families that scoring the task reads.

    Raises SpecError where the task names no preset, or the preset lacks one of the families.
    """
    return load_preset(resolve_server(task)).families(roles_for(task))
