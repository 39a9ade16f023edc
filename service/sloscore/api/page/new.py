"""The page at /new: a form that writes a task, and registers an experiment with it."""

from aiohttp import web

from sloscore.api.context import CONTEXT
from sloscore.api.page.layout import show_page
from sloscore.core.curve import DEFAULT_DEGREE, PenaltyFunction
from sloscore.core.objective import Objective
from sloscore.spec.preset import preset_names
from sloscore.spec.slo import SloSpec


async def show(request: web.Request) -> web.Response:
    """GET /new."""
    auth = request.app[CONTEXT].settings.auth
    return show_page(
        request,
        "new.html",
        objectives=list(Objective),
        servers=preset_names(),
        functions=list(PenaltyFunction),
        default_degree=DEFAULT_DEGREE,
        default_function=SloSpec.model_fields["penalty"].default,
        needs_token=auth.has_tokens,
    )
