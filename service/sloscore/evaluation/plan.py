"""What has to be read and judged for an experiment, worked out once from its documents."""

from dataclasses import dataclass

from sloscore.core.objective import Objective
from sloscore.core.penalty import DEFAULT_STEEPNESS, Slo
from sloscore.core.samples import Target
from sloscore.core.sli import Sli
from sloscore.errors import SpecError
from sloscore.spec.model import OptimizationSpec, TaskSpec
from sloscore.spec.preset import families_for
from sloscore.spec.slo import SloSpec
from sloscore.wire import Registration, ScoreRequest

_NO_SELECTOR = (
    "selector: missing: say which deployment this experiment runs on by labels of its series, "
    'such as {"instance": "10.0.0.5:8000"}, here or in the task'
)


@dataclass(frozen=True, slots=True)
class Plan:
    """SLOs, objective and target of one experiment; ``experiment`` and ``task`` name it."""

    experiment: str | None
    task: str | None
    objective: Objective
    limits: tuple[tuple[Sli, Slo], ...]
    steepness: float
    min_requests: int | None
    target: Target


def plan_registration(registration: Registration) -> Plan:
    """The plan of a registered experiment.

    Raises SpecError where no deployment is selected, its server is unknown, or the server does not
    expose what the task's SLOs or its objective need.
    """
    task = registration.task
    overrides = {"server": registration.server, "selector": registration.selector}
    task = task.model_copy(update={k: v for k, v in overrides.items() if v is not None})
    if not task.selector:
        raise SpecError([_NO_SELECTOR])
    return _plan(registration.id, task.task_name, task)


def plan_window(request: ScoreRequest) -> Plan:
    """The plan of a past window that nobody registered; raises SpecError as for registrations."""
    if not request.selector:
        raise SpecError([_NO_SELECTOR])
    task = TaskSpec(
        task_name="window",
        slo=request.slo,
        optimization=OptimizationSpec(objective=request.objective),
        server=request.server,
        selector=request.selector,
    )
    return _plan(None, None, task)


def limits_of(slo: SloSpec | None) -> tuple[tuple[Sli, Slo], ...]:
    """The SLOs in effect; without a section there are none."""
    return slo.limits() if slo else ()


def steepness_of(slo: SloSpec | None) -> float:
    """The steepness in effect."""
    return slo.steepness if slo else DEFAULT_STEEPNESS


def _plan(experiment: str | None, name: str | None, task: TaskSpec) -> Plan:
    selector = tuple(sorted(task.selector.items()))
    return Plan(
        experiment=experiment,
        task=name,
        objective=task.objective,
        limits=limits_of(task.slo),
        steepness=steepness_of(task.slo),
        min_requests=task.slo.min_requests if task.slo else None,
        target=Target(experiment or "window", selector, families_for(task)),
    )
