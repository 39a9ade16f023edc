"""What another service that shares the store has found out of experiments that run."""

from collections.abc import Iterable

import orjson

from sloscore.api.context import Context
from sloscore.experiments.counted import CountedWindow, counted_of
from sloscore.experiments.model import LIVE, Experiment
from sloscore.wire import Report


async def reports_elsewhere(
    context: Context, experiments: Iterable[Experiment]
) -> dict[str, Report]:
    """The newest reports of those of these live experiments that another service evaluates."""
    asked = [one.id for one in experiments if _is_elsewhere(context, one)]
    if context.replica is None or not asked:
        return {}
    found = await context.replica.leases.published(asked)
    return {key: Report.model_validate(orjson.loads(one.report)) for key, one in found.items()}


async def counted_elsewhere(context: Context, experiment: Experiment) -> CountedWindow | None:
    """What another service has counted so far in the window of a live experiment."""
    if context.replica is None or not _is_elsewhere(context, experiment):
        return None
    found = (await context.replica.leases.published([experiment.id])).get(experiment.id)
    return None if found is None or found.counts is None else counted_of(found.counts)


def _is_elsewhere(context: Context, experiment: Experiment) -> bool:
    return experiment.state in LIVE and experiment.holder != context.evaluator.holder
