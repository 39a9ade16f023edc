"""All rules of a deployment, in groups."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sloscore.errors import SpecError
from sloscore.generate.alerting import verdict_alerts
from sloscore.generate.bounds import with_bounds
from sloscore.generate.burn import budgets_of, burn_alerts, burn_groups
from sloscore.generate.deployment import Deployment
from sloscore.generate.recording import recording_group
from sloscore.generate.rules import Alert, Group, small_groups
from sloscore.generate.text import Span

# Prometheus takes a sample for the current one for 5 minutes: two evaluations must fit in.
MAX_INTERVAL: Final = Span(120)


@dataclass(frozen=True, slots=True)
class Options:
    """How often rules are evaluated, over what, and whether thresholds are taken for bounds."""

    window: Span
    interval: Span
    assume_bounds: bool = False

    @property
    def text(self) -> str:
        """As the command line takes them."""
        words = f"--window {self.window.text} --interval {self.interval.text}"
        return f"{words} --assume-bound" if self.assume_bounds else words


def check_interval(interval: Span) -> None:
    """Raises ValueError where rules that are evaluated so rarely would not find each other."""
    if interval.seconds > MAX_INTERVAL.seconds:
        raise ValueError(
            f"must be {MAX_INTERVAL.text} at most: rules look back 5 minutes for what others "
            "recorded"
        )


def groups_for(deployment: Deployment, options: Options) -> tuple[Group, ...]:
    """The groups of one deployment, in the order in which they need each other.

    Raises SpecError where something needs a bucket bound that the server does not have.
    """
    deployment = with_bounds(deployment, assumed=options.assume_bounds)
    window, interval = options.window, options.interval
    budgets, remarks = budgets_of(deployment, assume_bounds=options.assume_bounds)
    alerts: list[Alert] = []
    for indicator in deployment.indicators:
        alerts += verdict_alerts(deployment, indicator, window)
    for budget in budgets:
        alerts += burn_alerts(budget)
    return (
        recording_group(deployment, window, interval),
        *burn_groups(deployment, budgets, interval),
        *small_groups("alerts", deployment.task, interval, alerts, remarks),
    )


def check_names(deployments: Iterable[Deployment]) -> None:
    """Raises SpecError where two deployments record under the same labels."""
    files: dict[str, str] = {}
    problems = []
    for one in deployments:
        if one.task in files:
            problems.append(
                f"{one.file}: task_name: {one.task!a} is that of {files[one.task]}, too; rules "
                "need a name of its own for each task"
            )
        files.setdefault(one.task, one.file)
    if problems:
        raise SpecError(problems)
