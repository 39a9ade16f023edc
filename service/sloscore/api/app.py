"""The aiohttp application: routes, middlewares and their order."""

import asyncio

from aiohttp import web

from sloscore.api import (
    counts,
    drafts,
    experiments,
    health,
    overview,
    phases,
    rescore,
    runbook,
    scores,
    status,
)
from sloscore.api.auth import Access, require_role
from sloscore.api.browsers import refuse_other_sites
from sloscore.api.context import CONTEXT, Context
from sloscore.api.headers import harden
from sloscore.api.own_shard import require_own
from sloscore.api.page.routes import ROUTES
from sloscore.api.problems import checked, problems
from sloscore.api.request_log import log_requests, name_request
from sloscore.conventions import RUNBOOKS_PATH
from sloscore.evaluation.numbers import KnownNumbers

_SCORE, _CHECK = "/api/v1/score", "/api/v1/check"
_CURVES, _RULES = "/api/v1/curves", "/api/v1/rules"
_RESCORE = "/api/v1/rescore"


def make_app(context: Context, access: Access) -> web.Application:
    """The application over a running service, for those whom ``access`` lets in."""
    changes_nothing = frozenset({_SCORE, _CHECK, _CURVES, _RULES, _RESCORE})
    shard = context.settings.listen.part
    app = web.Application(
        middlewares=[
            log_requests(changes_nothing),
            problems,
            checked(
                refuse_other_sites(context, changes_nothing, access),
                require_role(access, changes_nothing),
                *([] if shard is None else [require_own(shard)]),
            ),
        ],
        client_max_size=context.settings.limits.max_body_bytes,
    )
    app[CONTEXT] = context
    app[drafts.ONE_AT_A_TIME] = asyncio.Lock()
    app[scores.NUMBERS] = KnownNumbers()
    app.on_response_prepare.extend(
        (harden(is_https=context.settings.listen.tls is not None), name_request)
    )
    base = "/api/v1/experiments"
    app.add_routes(
        [
            *ROUTES,
            web.get(RUNBOOKS_PATH + "/{page}", runbook.show),
            web.get("/openapi.json", status.openapi),
            web.get("/api/v1/status", overview.show),
            web.get("/metrics", status.metrics),
            web.get("/-/healthy", health.healthy),
            web.get("/-/ready", health.ready),
            web.post("/-/reload", status.reload_settings),
            # Asked for most: those that begin alike are tried in this order.
            web.get(base + "/{id}/score", experiments.score),
            web.post(base, experiments.register),
            web.get(base, experiments.list_experiments),
            web.get(base + "/{id}", experiments.show),
            web.post(base + "/{id}/finish", experiments.finish),
            web.post(base + "/{id}/abort", experiments.abort),
            web.post(base + "/{id}/phases", phases.start),
            web.post(base + "/{id}/phases/end", phases.end),
            web.get(base + "/{id}/counts", counts.show_counts),
            web.post(_SCORE, scores.score_now),
            web.post(_CHECK, drafts.check),
            web.post(_CURVES, drafts.curves),
            web.post(_RULES, drafts.rules),
            web.post(_RESCORE, rescore.rescore_task),
            web.get("/api/v1/tasks/{task}", scores.show_task),
        ]
    )
    return app
