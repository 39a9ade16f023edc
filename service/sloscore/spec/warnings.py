"""What a task may say, but rarely means."""

from collections.abc import Iterator

from sloscore.core.units import SECONDS
from sloscore.spec.model import TaskSpec
from sloscore.spec.preset import missing_gpus

_LONG_SECONDS = 600.0
_LARGE_RATIO = 5.0


def warnings_of(task: TaskSpec) -> Iterator[str]:
    """A sentence for each limit that looks like a slip, and for GPUs that are not counted."""
    if missing_gpus(task):
        yield "gpus: not given, so each registration has to give it, for what is per GPU"
    for sli, slo in task.slo.limits() if task.slo else ():
        if sli.signal.unit == SECONDS and slo.threshold > _LONG_SECONDS:
            yield f"{sli.id}: threshold is {slo.threshold:.12g} s: seconds, not milliseconds?"
        for signal, limit in sli.within:
            if limit > _LONG_SECONDS:
                yield f"goodput.within.{signal}: is {limit:.12g} s: seconds, not milliseconds?"
        if slo.is_minimum and slo.hard_fail and slo.fail_ratio > 1:
            yield (
                f"{sli.id}: fail_ratio {slo.fail_ratio:.12g} is never reached: "
                "nothing is more than 100 % under a minimum"
            )
        elif slo.fail_ratio > _LARGE_RATIO:
            percent = f"{slo.fail_ratio * 100:.12g} %"
            yield f"{sli.id}: fail_ratio {slo.fail_ratio:.12g} is {percent}; 0.2 is 20 %"
