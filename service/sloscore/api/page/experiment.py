"""The page of one experiment: where alerts lead to."""

from aiohttp import web

from sloscore.api.body import refuse_unknown
from sloscore.api.context import CONTEXT
from sloscore.api.page.experiments import document_of
from sloscore.api.page.layout import show_page
from sloscore.api.page.rows import row_of


async def show(request: web.Request) -> web.Response:
    """GET /experiments/{id}."""
    refuse_unknown(request, frozenset())
    context = request.app[CONTEXT]
    experiment = await context.store.get(request.match_info["id"])
    report = document_of(context, experiment) or {}
    return show_page(
        request,
        "experiment.html",
        experiment=experiment,
        row=row_of(experiment, report, None),
        reason=report.get("reason"),
        scored=report.get("scored_explanation"),
        objective=str(experiment.objective).replace("_", " "),
        base_score=report.get("base_score"),
        every=context.settings.evaluation.interval,
    )
