"""Presets: under which names an inference server exposes what sloscore reads."""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.functional_validators import model_validator

from sloscore.core.objective import Signal
from sloscore.core.samples import Family
from sloscore.core.shares import Failures, Held
from sloscore.errors import SpecError
from sloscore.spec.loader import parse_model
from sloscore.spec.metric import Metric, MetricName, Metrics, Role
from sloscore.spec.model import TaskSpec

# What counts the requests of a window: the first of these that the server has.
_COUNTS_REQUESTS: tuple[Role, ...] = ("latency", "requests")

Signature = Annotated[tuple[MetricName, ...], Field(min_length=1, strict=False)]


class BucketOption(BaseModel):
    """How a server is told its bounds, by ``families`` of metrics that share them.

    ``style`` "json" is one ``flag`` with a JSON object of families, "list" a flag for each family,
    which is its name, with the bounds behind it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    style: Literal["json", "list"]
    flag: str | None = None
    families: dict[str, Annotated[tuple[Role, ...], Field(min_length=1, strict=False)]]
    note: str

    @model_validator(mode="after")
    def _flag_fits_style(self) -> Self:
        if (self.style == "json") != (self.flag is not None):
            raise ValueError("a flag belongs to style json, and style json needs one")
        return self


class Preset(BaseModel):
    """The metrics of one inference server, as of ``version``.

    ``lacks`` says of roles without a metric what the server has instead, ``endpoint`` and
    ``enable`` where the metrics are and what it takes to get them. ``signature`` holds groups of
    names by which the server is recognised: any group of which every name is exposed; without it
    each spelling of the latency is a group. The server is not meant where a preset that it
    ``gives_way_to`` fits, too. ``bucket_option`` says how its buckets are set; where that cannot be
    written down as a flag, ``bucket_help`` says what can be done.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    server: str = Field(min_length=1)
    version: str
    source: str
    endpoint: str = "/metrics"
    enable: str = "always on"
    model_label: str | None
    metrics: Metrics
    lacks: dict[Role, str] = Field(default_factory=dict)
    signature: tuple[Signature, ...] = Field(default=(), strict=False)
    gives_way_to: tuple[str, ...] = Field(default=(), strict=False)
    bucket_option: BucketOption | None = None
    bucket_help: str | None = None

    @model_validator(mode="after")
    def _lacks_what_it_has_not(self) -> Self:
        for role in self.lacks:
            if role in self.metrics:
                raise ValueError(f"lacks.{role} contradicts metrics.{role}")
        return self

    @property
    def signatures(self) -> tuple[tuple[str, ...], ...]:
        """The groups of names of which one must be exposed in full where this server runs."""
        if self.signature:
            return self.signature
        latency = self.metrics.get("latency")
        return tuple((name,) for name in latency.names) if latency else ()

    @property
    def failures(self) -> Failures:
        """How it counts failed requests."""
        requests, errors = self.metrics.get("requests"), self.metrics.get("errors")
        if requests is None or errors is None:
            return Failures()
        is_part = requests.names == errors.names and not (requests.match or requests.unless)
        held = requests.holds_failed or (Held.ALL if is_part else Held.SOME)
        return Failures(held, errors.zero_with)

    def families(self, roles: Iterable[str]) -> tuple[Family, ...]:
        """The families of the roles, in their order; times are scaled to seconds.

        Raises SpecError with a sentence for each role that the server does not expose.
        """
        metrics = {str(role): metric for role, metric in self.metrics.items()}
        asked = tuple(roles)
        if missing := [self._missing(role) for role in asked if role not in metrics]:
            raise SpecError(missing, [(("server",), sentence) for sentence in missing])
        return tuple(metrics[role].family(role) for role in asked)

    def _missing(self, role: str) -> str:
        for lacking, instead in self.lacks.items():
            if lacking == role:
                return f"preset {self.server} has no metric for {role}: {instead}"
        known = ", ".join(sorted(self.metrics))
        return f"preset {self.server} has no metric for {role}; it has {known}"


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


def preset_of(custom: Mapping[Role, Metric], base: Preset | None = None) -> Preset:
    """The preset of a task's own metrics, over those of ``base`` where the task names one, too."""
    if base is None:
        return Preset(
            server="custom", version="", source="", model_label=None, metrics=dict(custom)
        )
    lacks = {role: text for role, text in base.lacks.items() if role not in custom}
    metrics = {**base.metrics, **custom}
    return base.model_copy(update={"metrics": metrics, "lacks": lacks})


def named_server(task: TaskSpec) -> str | None:
    """The preset that the task names: ``server``, else ``base_runtime`` where that is one.

    None where it names none, so that the server has yet to be recognised. Raises SpecError, which
    lists the presets, where ``server`` is no preset.
    """
    names = preset_names()
    if task.server is not None and task.server not in names:
        sentence = f"must be one of {', '.join(names)}, got {task.server!a}"
        raise SpecError([f"server: {sentence}"], [(("server",), sentence)])
    runtime = task.base_runtime
    if task.server is None and isinstance(runtime, str) and runtime.lower() in names:
        return runtime.lower()
    return task.server


def roles_for(task: TaskSpec, preset: Preset) -> tuple[str, ...]:
    """Roles of what counts the requests, and of what the task's SLOs and objective measure.

    Requests are counted by the latency histogram, where the server has none by its counter of
    requests, and without that by what the SLOs need anyway.
    """
    measured = sorted(task.measured, key=lambda sli: sli.signal)
    counts: list[str] = [str(role) for role in _COUNTS_REQUESTS if role in preset.metrics][:1]
    if not counts and any(sli.signal is Signal.REQUEST_THROUGHPUT for sli in measured):
        counts = ["requests"]
    told = preset.failures.zero_with
    if told is not None and any(sli.signal is Signal.ERROR_RATE for sli in measured):
        counts = [*counts, told]
    return tuple(dict.fromkeys((*counts, *(role for sli in measured for role in sli.roles))))


def missing_gpus(task: TaskSpec) -> str | None:
    """What is wrong where something is measured per GPU, and nobody says how many there are."""
    per_gpu = dict.fromkeys(sli.id for sli in task.measured if sli.signal.is_per_gpu)
    if not per_gpu or task.gpus is not None:
        return None
    are = "is a rate" if len(per_gpu) == 1 else "are rates"
    return (
        f"gpus: missing: {' and '.join(per_gpu)} {are} per GPU: say on how many GPUs this "
        "experiment runs, here or in the task"
    )


def preset_for(task: TaskSpec) -> Preset | None:
    """The preset that the task is read by, its own metrics included; None where it names no server.

    Raises SpecError where ``server`` is no preset.
    """
    server = named_server(task)
    if task.metrics is not None:
        # A runtime is not meant to be one of the presets where metrics are named one by one.
        return preset_of(task.metrics, load_preset(server) if task.server and server else None)
    return None if server is None else load_preset(server)


def families_for(task: TaskSpec) -> tuple[Family, ...]:
    """The metric families that scoring the task reads; none where it names no server.

    Raises SpecError where ``server`` is no preset, or the preset lacks one of the families.
    """
    preset = preset_for(task)
    return () if preset is None else preset.families(roles_for(task, preset))
