"""Handler for rescoring a task: nothing here is kept, and nothing changes."""

import asyncio
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from sloscore.api.body import read_body, respond
from sloscore.api.context import CONTEXT
from sloscore.api.drafts import ONE_AT_A_TIME
from sloscore.core.objective import Direction, Objective
from sloscore.errors import ExperimentNotFoundError, SpecError
from sloscore.evaluation.rescore import rescore
from sloscore.experiments.model import OUTCOMES
from sloscore.spec.changes import with_changes
from sloscore.spec.loader import validate
from sloscore.spec.slo import SloSpec
from sloscore.wire import RescoreRequest, TaskRescore


async def rescore_task(request: web.Request) -> web.Response:
    """POST /api/v1/rescore."""
    body = await read_body(request, RescoreRequest)
    store = request.app[CONTEXT].store
    tally = (await store.tallies([body.task])).get(body.task)
    if tally is None:
        raise ExperimentNotFoundError(f"no experiment of a task {body.task!r} is registered")
    slo = body.slo if body.set is None else _changed(tally.newest_body, body.set)
    newest = await store.task_experiments(body.task, body.limit)
    objective = newest[0].objective
    ended = [e for e in newest if e.objective == objective and e.state in OUTCOMES and e.report]
    counts = await store.counts_of([experiment.id for experiment in ended])
    direction = Direction(newest[0].direction)
    pairs = [(experiment, counts.get(experiment.id)) for experiment in ended]
    async with request.app[ONE_AT_A_TIME]:
        rows = await asyncio.to_thread(rescore, pairs, slo, direction)
    return respond(
        TaskRescore(
            task=body.task,
            objective=Objective(objective),
            direction=direction,
            slo=slo,
            experiments=rows,
            left_out=sum(tally.states.values()) - len(rows),
        )
    )


def _changed(registration: Any, changes: dict[str, Any]) -> SloSpec:  # noqa: ANN401  a JSON document
    """The section of a registration's task with some of its values changed."""
    section = registration["task"].get("slo") or {}
    try:
        return validate(SloSpec, with_changes(section, changes), "set")
    except SpecError as error:
        fields = [(("set", *_cause(place, changes)), told) for place, told in error.fields]
        raise SpecError([_placed(problem) for problem in error.problems], fields) from None


def _cause(place: tuple[str | int, ...], changes: Iterable[str]) -> tuple[str, ...]:
    """The path among the changes that leads to a place of the section, to what is in it or around it."""
    where = ".".join(map(str, place))
    for path in changes:
        if where == path or where.startswith(f"{path}.") or path.startswith(f"{where}."):
            return (path,)
    return ()


def _placed(problem: str) -> str:
    return problem if problem.startswith("set") else f"set: {problem}"
