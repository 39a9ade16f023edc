"""Handler for the counts of an experiment's window."""

import math

from aiohttp import web

from sloscore.api.body import refuse_unknown, respond
from sloscore.api.context import CONTEXT, Context
from sloscore.api.elsewhere import counted_elsewhere
from sloscore.core.histogram import Histogram
from sloscore.evaluation.plan import plan_of
from sloscore.evaluation.report import window_report
from sloscore.experiments.counted import CountedWindow, kept_counts
from sloscore.experiments.model import LIVE, Experiment, State
from sloscore.wire import Counts, HistogramCounts


async def show_counts(request: web.Request) -> web.Response:
    """GET /api/v1/experiments/{id}/counts."""
    refuse_unknown(request, frozenset())
    context = request.app[CONTEXT]
    key = request.match_info["id"]
    experiment = await context.store.get(key)
    counted = await counted_of(context, experiment)
    if counted is None:
        raise web.HTTPNotFound(text=why_none(experiment))
    return respond(
        Counts(
            experiment=experiment.id,
            task=experiment.task,
            window=window_report(
                counted.counts, counted.start, counted.end, plan_of(experiment).warmup
            ),
            histograms={
                role: _histogram(histogram) for role, histogram in counted.counts.histograms.items()
            },
            counters=dict(counted.counts.counters),
        )
    )


async def counted_of(context: Context, experiment: Experiment) -> CountedWindow | None:
    """What was counted in an experiment's window; None where nothing of it is kept."""
    if experiment.state in LIVE:
        here = context.evaluator.counted(experiment.id)
        return here or await counted_elsewhere(context, experiment)
    return kept_counts(await context.store.counts(experiment.id))


def why_none(experiment: Experiment) -> str:
    """Why no counts of an experiment are kept, as a clause."""
    if experiment.state is State.ABORTED:
        return f"experiment {experiment.id!r} was aborted, so nothing is kept of its window"
    if experiment.state is State.SETTLING:
        return (
            f"experiment {experiment.id!r} waits for its closing scrape; its counts come with the "
            "final score"
        )
    if experiment.state in LIVE:
        return f"nothing was counted for experiment {experiment.id!r} yet; ask again later"
    return (
        f"no counts are kept of experiment {experiment.id!r}: nothing was read of its window, or "
        "an older release scored it"
    )


def _histogram(histogram: Histogram) -> HistogramCounts:
    return HistogramCounts(
        bounds=histogram.bounds,
        counts=histogram.cumulative,
        sum=None if math.isnan(histogram.sum) else histogram.sum,
        layout=histogram.layout,
    )
