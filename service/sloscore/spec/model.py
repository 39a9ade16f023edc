"""A tuner's task as it is written in a file: its published names, and what sloscore adds to them."""

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from sloscore.core.objective import Objective
from sloscore.core.sli import Sli
from sloscore.spec.metric import CustomMetrics
from sloscore.spec.slo import SloSpec
from sloscore.spec.target import Measure

MAX_SELECTOR_LABELS = 16
MAX_VALUE_LENGTH = 1024
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_RESERVED_LABELS = frozenset({"__name__", "le"})


def _check_labels(selector: dict[str, str]) -> dict[str, str]:
    if len(selector) > MAX_SELECTOR_LABELS:
        raise ValueError(f"takes at most {MAX_SELECTOR_LABELS} labels, got {len(selector)}")
    for label in selector:
        if not _LABEL_NAME.fullmatch(label):
            raise ValueError(
                f"{label!a} is no label name: use letters, digits and _, no digit first"
            )
        if label in _RESERVED_LABELS:
            raise ValueError(f"must not hold {label}, which sloscore sets by itself")
    return selector


LabelValue = Annotated[str, Field(min_length=1, max_length=MAX_VALUE_LENGTH)]
Selector = Annotated[
    dict[str, LabelValue],
    AfterValidator(_check_labels),
    Field(
        json_schema_extra={
            "propertyNames": {
                "pattern": f"^{_LABEL_NAME.pattern}$",
                "not": {"enum": sorted(_RESERVED_LABELS)},
            },
            "maxProperties": MAX_SELECTOR_LABELS,
        }
    ),
]
Gpus = Annotated[int, Field(ge=1, le=1_000_000)]


ExperimentId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$",
        description="1 to 128 letters, digits, dots, colons, dashes and underscores",
    ),
]
FIRST = "first"
"""In place of a baseline's id: the first experiment of the task."""


def undefined_goodput(objective: Objective, slo: SloSpec | None) -> str | None:
    """What is wrong where goodput is maximised, and nothing says which requests are good."""
    if objective is not Objective.MAXIMIZE_GOODPUT or (slo is not None and slo.goodput is not None):
        return None
    return (
        "maximize_goodput needs slo.goodput, which says what a request has to be within: "
        "{within: {latency: 5.0}, threshold: 0.95}"
    )


class OptimizationSpec(BaseModel):
    """How the tuner searches; what sloscore does not know of is kept as it is.

    ``timeout_per_iteration`` is in seconds.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    strategy: str | None = None
    objective: Objective = Field(default=Objective.MINIMIZE_LATENCY, strict=False)
    max_iterations: int | None = Field(default=None, ge=1)
    timeout_per_iteration: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    n_initial_random: int | None = Field(default=None, ge=0)


class TaskSpec(BaseModel):
    """A tuning task; the values that only the tuner reads are opaque.

    ``server`` names the preset of the inference server's metrics, by default ``base_runtime``;
    ``selector`` holds the labels that all series of the deployment carry; ``metrics`` names metrics
    by their role, of a server without a preset or over those of its preset. ``baseline`` is what
    experiments are compared with: an experiment's id, or "first" for the task's first.
    ``gpus`` is how many GPUs the deployment runs on, by which rates per GPU are divided.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    task_name: str = Field(min_length=1, max_length=128)
    description: str | None = None
    deployment_mode: Any = None
    base_runtime: Any = None
    runtime_image_tag: Any = None
    model: Any = None
    parameters: Any = None
    parallel_config: Any = None
    quant_config: Any = None
    clusterbasemodel_config: Any = None
    clusterservingruntime_config: Any = None
    benchmark: Any = None
    optimization: OptimizationSpec = Field(default_factory=OptimizationSpec)
    slo: SloSpec | None = None
    server: str | None = Field(default=None, min_length=1)
    selector: Selector = Field(default_factory=dict)
    metrics: CustomMetrics | None = None
    baseline: ExperimentId | None = None
    gpus: Gpus | None = None

    @property
    def objective(self) -> Objective:
        """What the tuner optimises."""
        return self.optimization.objective

    @property
    def base(self) -> Sli:
        """What the objective is measured by."""
        goodput = self.slo and self.slo.goodput
        if self.objective is Objective.MAXIMIZE_GOODPUT and goodput:
            return goodput.sli(Measure.RATE)
        return Sli.of_window(self.objective.signal)

    @property
    def measured(self) -> tuple[Sli, ...]:
        """All that scoring the task measures: its SLIs, and its base."""
        return (*(sli for sli, _ in self.slo.limits()), self.base) if self.slo else (self.base,)

    @model_validator(mode="after")
    def _says_what_is_good(self) -> Self:
        if problem := undefined_goodput(self.objective, self.slo):
            raise ValueError(problem)
        return self

    @field_validator("task_name")
    @classmethod
    def _is_printable(cls, name: str) -> str:
        if not name.isprintable() or not name.strip():
            raise ValueError(f"must be 1 to 128 printable characters, got {name!a}")
        return name
