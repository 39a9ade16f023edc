"""The service about itself: what it does, what it was refused, and how it is set."""

from typing import Final

from aiohttp import web

from sloscore import __version__
from sloscore.api.body import refuse_unknown, respond
from sloscore.api.context import CONTEXT, Context
from sloscore.core.scoring import Status
from sloscore.evaluation.plan import Plan
from sloscore.wire import Followed, QueryTally, StatusDocument

_MOST_FOLLOWED: Final = 200


async def show(request: web.Request) -> web.Response:
    """GET /api/v1/status."""
    refuse_unknown(request, frozenset())
    return respond(await status_of(request.app[CONTEXT]))


async def status_of(context: Context) -> StatusDocument:
    """The state of the service at this moment."""
    plans = context.evaluator.plans
    counts = await context.store.count_by_state()
    telemetry = context.telemetry
    return StatusDocument(
        version=__version__,
        started_at=context.started_at,
        now=context.clock(),
        last_evaluation=telemetry.last_evaluation_time,
        evaluation_errors=telemetry.failed_evaluations(),
        clock_offset=telemetry.clock_offset,
        sources=tuple(
            QueryTally(
                kind=tally.kind,
                queries=tally.queries,
                errors=dict(tally.errors),
                mean_seconds=tally.mean_seconds,
            )
            for tally in telemetry.query_tallies()
        ),
        experiments={str(state): count for state, count in counts.items()},
        running=len(plans),
        followed=tuple(_followed(context, plan) for plan in plans[: -_MOST_FOLLOWED - 1 : -1]),
        settings=context.settings.model_dump(mode="json"),
    )


def _followed(context: Context, plan: Plan) -> Followed:
    posted = context.board.get(plan.target.key)
    figures = None if posted is None else posted.figures
    instances = 0 if figures is None else figures.instances
    is_silent = figures is not None and figures.status is Status.RUNNING and figures.score is None
    return Followed(
        experiment=plan.target.key,
        task=plan.task or "",
        server=plan.spec.server,
        is_recognised=not plan.is_open,
        selector=dict(plan.target.selector),
        target=plan.target.url,
        instances=instances,
        requests=figures.requests if figures is not None and instances else None,
        evaluated_at=None if figures is None else figures.evaluated_at,
        trouble=figures.reason if figures is not None and is_silent else None,
    )
