"""Handlers for the phases of an experiment's load: start one, end one."""

from collections.abc import Callable
from dataclasses import replace

from aiohttp import web

from sloscore.api.body import read_body, respond
from sloscore.api.context import CONTEXT, Context
from sloscore.api.experiments import CLOCK_TOLERANCE, capture, document_of
from sloscore.errors import field_error
from sloscore.evaluation.plan import plan_of
from sloscore.experiments.model import Experiment, Phase
from sloscore.experiments.phases import end_phase, start_phase
from sloscore.experiments.recorded import documents_of
from sloscore.sources.base import Snapshot
from sloscore.wire import PhaseEnd, PhaseStart, to_milliseconds

_Change = Callable[[Experiment, float], tuple[Phase, ...]]


async def start(request: web.Request) -> web.Response:
    """POST /api/v1/experiments/{id}/phases."""
    body = await read_body(request, PhaseStart)
    most = request.app[CONTEXT].settings.limits.max_phases

    def change(experiment: Experiment, now: float) -> tuple[Phase, ...]:
        return start_phase(experiment, body.name, body.start, now, most)

    return await _mark(request, "start", body.start, change)


async def end(request: web.Request) -> web.Response:
    """POST /api/v1/experiments/{id}/phases/end."""
    body = await read_body(request, PhaseEnd, optional=True)

    def change(experiment: Experiment, now: float) -> tuple[Phase, ...]:
        return end_phase(experiment, body.name, body.end, now)

    return await _mark(request, "end", body.end, change)


async def _mark(
    request: web.Request, field: str, given: float | None, change: _Change
) -> web.Response:
    context = request.app[CONTEXT]
    now = to_milliseconds(context.clock())
    if given is not None and given > now + CLOCK_TOLERANCE:
        raise field_error(f"{field}: lies in the future; mark a phase when it {field}s")
    known = await context.store.get(request.match_info["id"])
    try:
        sample: Snapshot = ()
        if change(known, now) != known.phases and given is None:
            sample, now = await _sample(context, known, now)
        stored = await context.store.mark(
            known.id, lambda found: change(found, now), now, documents_of(sample)
        )
    except ValueError as error:
        raise field_error(str(error)) from error
    context.evaluator.watch(stored)
    return respond(document_of(stored))


async def _sample(context: Context, experiment: Experiment, now: float) -> tuple[Snapshot, float]:
    """A sample that closes the phase before and opens the next, and its time, which is the mark.

    Of a target that the service does not scrape itself there is none, and ``now`` is the mark.
    """
    taken = await capture(context, plan_of(experiment).target)
    if not taken:
        return taken, now
    mark = to_milliseconds(taken[0].time)
    return [replace(sample, time=mark) for sample in taken], mark
