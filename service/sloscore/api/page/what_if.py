"""The page at /what-if: a task's ended experiments, and what they would come to under other SLOs."""

import json
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from sloscore.api.body import refuse_unknown
from sloscore.api.context import CONTEXT, Context
from sloscore.api.page.experiments import MAX_TASKS, document_of
from sloscore.api.page.layout import show_page
from sloscore.api.page.rows import Row, row_of
from sloscore.core.curve import DEFAULT_DEGREE, PenaltyFunction
from sloscore.core.objective import Direction
from sloscore.errors import ExperimentNotFoundError
from sloscore.experiments.listing import Order, Selection
from sloscore.experiments.model import OUTCOMES
from sloscore.spec.slo import SloSpec

# The script shows as many as the API rescores; these are for browsers without it.
_MAX_ROWS: Final = 100


@dataclass(frozen=True, slots=True)
class _Ranked:
    """A task's ended experiments of its newest objective, best first; ``slo`` is JSON text."""

    task: str
    objective: str
    direction: str
    slo: str
    rows: tuple[Row, ...]


async def show(request: web.Request) -> web.Response:
    """GET /what-if."""
    refuse_unknown(request, frozenset({"task"}))
    context = request.app[CONTEXT]
    tasks = list(await context.store.tasks())
    # The form sends its empty field, too.
    task = request.query.get("task") or None
    return show_page(
        request,
        "what-if.html",
        tasks=tasks[:MAX_TASKS],
        task=task,
        ranked=None if task is None else await _ranked(context, task),
        functions=list(PenaltyFunction),
        default_degree=DEFAULT_DEGREE,
        default_function=SloSpec.model_fields["penalty"].default,
    )


async def _ranked(context: Context, task: str) -> _Ranked:
    newest = await context.store.task_experiments(task, 1)
    if not newest:
        raise ExperimentNotFoundError(f"no experiment of a task {task!r} is registered")
    experiment = newest[0]
    falls = experiment.direction == Direction.MAXIMIZE
    best_first = Selection(task, frozenset(OUTCOMES), Order.SCORE, falls)
    listed = await context.store.listed(best_first, _MAX_ROWS)
    rows = (
        row_of(one, document_of(context, one), listed.ranks.get(one.id))
        for one in listed.experiments
        if one.objective == experiment.objective
    )
    registered: Any = experiment.body["task"]
    return _Ranked(
        task=task,
        objective=str(experiment.objective).replace("_", " "),
        direction="highest" if falls else "lowest",
        slo=json.dumps(registered.get("slo"), indent=2, ensure_ascii=False),
        rows=tuple(sorted(rows, key=lambda row: (row.rank is None, row.rank or 0))),
    )
