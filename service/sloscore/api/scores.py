"""Handlers for what needs no registration: stateless scores and the ranking of a task."""

import math
from typing import Final

from aiohttp import web

from sloscore.api.body import read_body, refuse_unknown, respond, respond_encoded
from sloscore.api.context import CONTEXT
from sloscore.api.experiments import document_of
from sloscore.core.objective import Direction
from sloscore.errors import ExperimentNotFoundError
from sloscore.evaluation.budget import document_of_budget
from sloscore.evaluation.numbers import KnownNumbers
from sloscore.evaluation.past import score_past
from sloscore.experiments.model import FINAL, Experiment, State
from sloscore.wire import ScoreRequest, TaskDocument

NUMBERS: Final = web.AppKey("numbers", KnownNumbers)


async def score_now(request: web.Request) -> web.Response:
    """POST /api/v1/score."""
    body = await read_body(request, ScoreRequest)
    context = request.app[CONTEXT]
    if body.values is not None:
        return respond_encoded(request.app[NUMBERS].report(body, context.clock()))
    settings = context.settings.evaluation
    return respond(await score_past(context.source, body, settings, context.clock()))


async def show_task(request: web.Request) -> web.Response:
    """GET /api/v1/tasks/{task}."""
    refuse_unknown(request, frozenset())
    name = request.match_info["task"]
    store = request.app[CONTEXT].store
    experiments = await store.task_experiments(name)
    tally = (await store.tallies([name])).get(name)
    if tally is None or not experiments:
        raise ExperimentNotFoundError(f"no experiment of a task {name!r} is registered")
    ranking = rank(experiments)
    directions = {experiment.direction for experiment in experiments}
    best = ranking[0] if ranking and _is_finite(ranking[0]) else None
    return respond(
        TaskDocument(
            task=name,
            direction=Direction(directions.pop()) if len(directions) == 1 else None,
            best=best.id if best else None,
            ranking=tuple(document_of(experiment) for experiment in ranking),
            states={str(state): tally.states.get(state, 0) for state in State},
            violation_budget=document_of_budget(tally),
        )
    )


def rank(experiments: list[Experiment]) -> list[Experiment]:
    """Ended experiments, best first; those without a score come last.

    Only scores of one objective can be compared: with several the newest objective is ranked.
    """
    newest = max(experiments, key=lambda experiment: experiment.created_at)
    comparable = [e for e in experiments if e.objective == newest.objective and e.state in FINAL]
    sign = -1 if newest.direction == Direction.MAXIMIZE else 1

    def place(experiment: Experiment) -> tuple[bool, float, float]:
        score = experiment.score
        return (score is None, sign * (score or 0.0), experiment.created_at)

    return sorted(comparable, key=place)


def _is_finite(experiment: Experiment) -> bool:
    return experiment.score is not None and math.isfinite(experiment.score)
