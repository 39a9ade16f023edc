"""A task as a standing deployment: which metrics, of which series, against which limits."""

from dataclasses import dataclass

from sloscore.core.objective import Signal
from sloscore.core.penalty import Slo
from sloscore.core.samples import Family, FamilyKind, Labels
from sloscore.core.shares import UNKNOWN_FAILURES, Failures
from sloscore.core.sli import Sli, minimum_requests
from sloscore.core.verdict import HardFailOn
from sloscore.errors import SpecError, field_error
from sloscore.spec.model import TaskSpec
from sloscore.spec.preset import Preset, preset_for, preset_names, roles_for
from sloscore.spec.slo import SloSpec

_COUNTED_BY = (Signal.LATENCY.value, "requests")


@dataclass(frozen=True, slots=True)
class Indicator:
    """One SLI with its limit, the metrics that it is measured on, and what it takes to be told.

    ``bounds`` are those at the limits of a goodput, each by all spellings of its ``le``.
    """

    sli: Sli
    slo: Slo
    families: tuple[Family, ...]
    min_requests: int
    bounds: tuple[tuple[str, ...], ...] = ()

    @property
    def family(self) -> Family:
        """The metric of an SLI that has only one."""
        (family,) = self.families
        return family


@dataclass(frozen=True, slots=True)
class Deployment:
    """What rules are made of: ``selector`` holds the labels of its series.

    ``counted`` are the families that tell how many requests there were: the most that any saw.
    ``gpus`` is how many GPUs it runs on, where anything is per GPU. ``failures`` says how its server
    counts failed requests; that none is counted means that there were none as long as the family
    ``told_by`` is there.
    """

    task: str
    file: str
    selector: Labels
    indicators: tuple[Indicator, ...]
    counted: tuple[Family, ...]
    preset: Preset
    gpus: int | None = None
    failures: Failures = UNKNOWN_FAILURES
    told_by: Family | None = None


def deployment_of(task: TaskSpec, file: str) -> Deployment:
    """The deployment of a task; ``file`` begins each sentence of what is wrong.

    Raises SpecError where the task leaves open what a ruler cannot find out by itself.
    """
    slo = task.slo
    if problems := _problems(task, slo):
        raise field_error(*problems, file=file)
    assert slo is not None  # noqa: S101  a problem otherwise
    try:
        preset = _preset(task)
        families = {family.role: family for family in preset.families(roles_for(task, preset))}
    except SpecError as error:
        problems = [f"{file}: {problem}" for problem in error.problems]
        raise SpecError(problems, error.fields) from None
    return Deployment(
        task=task.task_name,
        file=file,
        selector=tuple(sorted(task.selector.items())),
        indicators=tuple(
            Indicator(sli, limit, tuple(families[role] for role in sli.roles), _needed(sli, slo))
            for sli, limit in slo.limits()
        ),
        counted=_counted(families),
        preset=preset,
        gpus=task.gpus,
        failures=preset.failures,
        told_by=families.get(preset.failures.zero_with or ""),
    )


def _problems(task: TaskSpec, slo: SloSpec | None) -> list[str]:
    problems = []
    if "{{" in task.task_name:
        problems.append("task_name: must not hold {{, which rulers take for a template")
    if not task.selector:
        problems.append(
            "selector: is required: say which series are the deployment's by labels that they "
            "carry, such as {job: vllm, model_name: llama}"
        )
    if slo is None:
        problems.append("slo: is required: without a limit there is nothing to evaluate")
    elif slo.hard_fail_on is HardFailOn.CERTAIN:
        problems.append(
            "slo.hard_fail_on: must be estimate: a ruler cannot tell how certain a hard fail is; "
            "the service can"
        )
    limits = slo.limits() if slo else ()
    if task.gpus is None and (per_gpu := [s.id for s, _ in limits if s.signal.is_per_gpu]):
        problems.append(f"gpus: is required, as {' and '.join(per_gpu)} is per GPU")
    return problems


def _preset(task: TaskSpec) -> Preset:
    preset = preset_for(task)
    if preset is None:
        known = ", ".join(preset_names())
        problem = (
            "server: is required: a ruler cannot recognise a server by its metrics; name one of "
            f"{known}, or give the metrics' own names under metrics"
        )
        raise field_error(problem)
    return preset


def _needed(sli: Sli, slo: SloSpec) -> int:
    return minimum_requests(sli.statistic) if slo.min_requests is None else slo.min_requests


def _counted(families: dict[str, Family]) -> tuple[Family, ...]:
    for role in _COUNTED_BY:
        if role in families:
            return (families[role],)
    return tuple(f for f in families.values() if f.kind is FamilyKind.HISTOGRAM)
