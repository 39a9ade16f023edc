"""The page of one experiment: where alerts lead to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from sloscore.api.body import refuse_unknown
from sloscore.api.context import CONTEXT, Context
from sloscore.api.counts import counted_of, why_none
from sloscore.api.elsewhere import reports_elsewhere
from sloscore.api.page.details import (
    phases_of,
    registration_of,
    score_of,
    sentences_of,
)
from sloscore.api.page.distributions import Distribution, Limits, distribution_of
from sloscore.api.page.experiments import document_of
from sloscore.api.page.health import health_of
from sloscore.api.page.layout import show_page
from sloscore.api.page.rows import row_of
from sloscore.errors import SloscoreError
from sloscore.evaluation.plan import plan_of
from sloscore.experiments.model import Experiment, State


@dataclass(frozen=True, slots=True)
class _Counted:
    """The distributions of a window, why there are none, and whether its counts are kept at all."""

    distributions: tuple[Distribution, ...]
    missing: str | None
    is_kept: bool = True


async def show(request: web.Request) -> web.Response:
    """GET /experiments/{id}."""
    refuse_unknown(request, frozenset())
    context = request.app[CONTEXT]
    experiment = await context.store.get(request.match_info["id"])
    elsewhere = await reports_elsewhere(context, [experiment])
    report = document_of(context, experiment, elsewhere.get(experiment.id)) or {}
    rank = await context.store.rank(experiment)
    counted = await _counted(context, experiment)
    auth = context.settings.auth
    return show_page(
        request,
        "experiment.html",
        experiment=experiment,
        row=row_of(experiment, report, rank),
        report=report,
        objective=str(experiment.objective).replace("_", " "),
        score=score_of(report),
        sentences=sentences_of(report),
        comparison=report.get("comparison"),
        phases=phases_of(report),
        health=() if experiment.state is State.ABORTED else health_of(_window(report)),
        counted=counted,
        registration=registration_of(experiment),
        needs_token=auth.has_tokens,
        every=context.settings.evaluation.interval,
    )


async def _counted(context: Context, experiment: Experiment) -> _Counted:
    counted = await counted_of(context, experiment)
    if counted is None:
        return _Counted((), _sentence(why_none(experiment)), is_kept=False)
    limits = _limits(experiment)
    drawn = (
        distribution_of(role, histogram, limits)
        for role, histogram in counted.counts.histograms.items()
    )
    found = tuple(one for one in drawn if one is not None)
    return _Counted(found, None if found else "No request was counted in the window.")


def _limits(experiment: Experiment) -> Limits:
    try:
        return plan_of(experiment).rules.limits
    except (SloscoreError, ValueError):
        # Another release registered it: what was counted is drawn without limits.
        return ()


def _window(report: Mapping[str, Any]) -> Mapping[str, Any] | None:
    whole = report.get("whole") or report
    return whole.get("window")


def _sentence(clause: str) -> str:
    return f"{clause[0].upper()}{clause[1:]}."
