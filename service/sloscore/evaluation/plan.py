"""What has to be read and judged for an experiment, worked out once from its documents."""

from dataclasses import dataclass, field, replace
from functools import lru_cache

from sloscore.core.confidence import DEFAULT_CONFIDENCE
from sloscore.core.objective import Objective
from sloscore.core.penalty import Slo
from sloscore.core.phases import PhaseRules
from sloscore.core.samples import Family, Target
from sloscore.core.shares import UNKNOWN_FAILURES
from sloscore.core.sli import Sli
from sloscore.core.verdict import HardFailOn
from sloscore.errors import field_error
from sloscore.evaluation.measure import UNKNOWN_SETUP, Setup
from sloscore.experiments.model import Experiment
from sloscore.spec.model import OptimizationSpec, TaskSpec
from sloscore.spec.preset import families_for, missing_gpus, preset_for
from sloscore.spec.slo import SloSpec
from sloscore.spec.stop import EarlyStopSpec
from sloscore.wire import Registration, ScoreRequest

_NO_SELECTOR = (
    "selector: missing: say which deployment this experiment runs on by labels of its series, "
    'such as {"instance": "10.0.0.5:8000"}, here or in the task'
)


_MOST_KNOWN = 256


@dataclass(frozen=True, slots=True)
class Rules:
    """How SLIs are judged; ``min_requests`` None leaves each statistic its own minimum."""

    limits: tuple[tuple[Sli, Slo], ...] = ()
    confidence: float = DEFAULT_CONFIDENCE
    hard_fail_on: HardFailOn = HardFailOn.ESTIMATE
    min_requests: int | None = None
    early_stop: EarlyStopSpec | None = None
    phases: PhaseRules = field(default_factory=PhaseRules)


@dataclass(frozen=True, slots=True)
class Plan:
    """SLOs, objective and target of one experiment; ``experiment`` and ``task`` name it.

    ``warmup`` is in seconds, and cut off from the start of the load. While the plan ``is_open``
    nobody has said which server it is, so its target has no families.
    """

    experiment: str | None
    task: str | None
    objective: Objective
    rules: Rules
    warmup: float
    target: Target
    spec: TaskSpec
    setup: Setup = UNKNOWN_SETUP

    @property
    def is_open(self) -> bool:
        """Whether the server has yet to be recognised."""
        return not self.target.families

    def read_as(self, server: str) -> "Plan":
        """The plan for this server; raises SpecError where it lacks what the SLOs need."""
        spec = self.spec.model_copy(update={"server": server})
        target = replace(self.target, families=families_for(spec))
        return replace(self, spec=spec, target=target, setup=setup_of(spec))


# By their JSON: a task's experiments have equal SLOs, which take more memory than all else of a plan.
_known_slos: dict[str, tuple[SloSpec, Rules]] = {}


def plan_registration(registration: Registration, server: str | None = None) -> Plan:
    """The plan of a registered experiment; ``server`` is the one that was recognised, if any.

    Raises SpecError where no deployment is selected, its server is unknown, the server does not
    expose what the task's SLOs or its objective need, or nobody says on how many GPUs it runs where
    they are per GPU.
    """
    task = registration.task
    overrides = {
        "server": registration.server or server,
        "selector": registration.selector,
        "baseline": registration.baseline,
        "gpus": registration.gpus,
    }
    task = task.model_copy(update={k: v for k, v in overrides.items() if v is not None})
    if not task.selector and registration.target is None:
        raise field_error(_NO_SELECTOR)
    plan = _plan(registration.id, task.task_name, task)
    return replace(
        plan,
        target=replace(
            plan.target, url=registration.target, scrape_interval=registration.scrape_interval
        ),
    )


def plan_of(experiment: Experiment) -> Plan:
    """The plan of a stored experiment; its registration was checked when it was made."""
    server = (experiment.scrapes or {}).get("server")
    registration = Registration.model_validate(experiment.body)
    return plan_registration(registration, server if isinstance(server, str) else None)


def plan_under(plan: Plan, slo: SloSpec | None) -> Plan:
    """The plan had its task had this ``slo`` section; its window stays, and so does the warm-up.

    Raises SpecError where its server does not expose what the section needs.
    """
    again = _plan(plan.experiment, plan.task, plan.spec.model_copy(update={"slo": slo}))
    return replace(again, warmup=plan.warmup)


def plan_window(request: ScoreRequest) -> Plan:
    """The plan of a past window that nobody registered; raises SpecError as for registrations."""
    if not request.selector:
        raise field_error(_NO_SELECTOR)
    task = TaskSpec(
        task_name="window",
        slo=request.slo,
        optimization=OptimizationSpec(objective=request.objective),
        server=request.server,
        selector=request.selector,
        metrics=request.metrics,
        gpus=request.gpus,
    )
    return _plan(None, None, task)


def plan_target(task: TaskSpec, url: str, scrape_interval: float | None) -> Plan:
    """The plan of a server that is scraped without a service; raises SpecError as above."""
    plan = _plan(None, task.task_name, task)
    return replace(plan, target=replace(plan.target, url=url, scrape_interval=scrape_interval))


def rules_of(slo: SloSpec | None) -> Rules:
    """The rules in effect; without a section there is no SLO."""
    if slo is None:
        return Rules()
    return Rules(
        slo.limits(),
        slo.confidence,
        slo.hard_fail_on,
        slo.min_requests,
        slo.early_stop,
        PhaseRules() if slo.phases is None else slo.phases.rules,
    )


def _held_once(task: TaskSpec) -> tuple[TaskSpec, Rules]:
    """The task and its rules, both with the objects of the SLOs of an equal task before."""
    if task.slo is None:
        return task, Rules()
    key = task.slo.model_dump_json()
    known = _known_slos.get(key)
    if known is None:
        if len(_known_slos) >= _MOST_KNOWN:
            _known_slos.clear()
        known = _known_slos[key] = task.slo, rules_of(task.slo)
    slo, rules = known
    return task.model_copy(update={"slo": slo}), rules


# Servers' families are few, and in the plan of each experiment.
@lru_cache(maxsize=_MOST_KNOWN)
def _only_copy(families: tuple[Family, ...]) -> tuple[Family, ...]:
    return families


def setup_of(task: TaskSpec) -> Setup:
    """What measuring needs to know of a task's deployment; raises SpecError for an unknown server."""
    preset = preset_for(task)
    return Setup(task.gpus, UNKNOWN_FAILURES if preset is None else preset.failures)


def _plan(experiment: str | None, name: str | None, task: TaskSpec) -> Plan:
    if problem := missing_gpus(task):
        raise field_error(problem)
    families = _only_copy(families_for(task))
    spec, rules = _held_once(task)
    selector = tuple(sorted(task.selector.items()))
    return Plan(
        experiment=experiment,
        task=name,
        objective=task.objective,
        rules=rules,
        warmup=(task.slo and task.slo.warmup) or 0.0,
        target=Target(experiment or "window", selector, families),
        spec=spec,
        setup=setup_of(task),
    )
