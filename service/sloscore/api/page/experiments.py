"""The page at /: the experiments that its address selects."""

from collections.abc import Mapping
from typing import Any, Final

import structlog
from aiohttp import web

from sloscore.api.context import CONTEXT, Context
from sloscore.api.elsewhere import reports_elsewhere
from sloscore.api.experiments import current_report
from sloscore.api.page.layout import show_page
from sloscore.api.page.query import PAGE_SIZE, Query, read_query, states
from sloscore.api.page.rows import Row, row_of
from sloscore.errors import SloscoreError
from sloscore.experiments.listing import Listed, Order
from sloscore.experiments.model import Experiment, State
from sloscore.wire import Report

_log = structlog.get_logger()
_COLUMNS: Final = (
    (Order.TASK, "Task", "A to Z", "Z to A"),
    (Order.ID, "Experiment", "A to Z", "Z to A"),
    (Order.STATE, "State", "A to Z", "Z to A"),
    (Order.START, "Start (UTC)", "oldest first", "newest first"),
    (Order.REQUESTS, "Requests", "fewest first", "most first"),
    (None, "SLIs", "", ""),
    (Order.PENALTY, "Penalty", "lowest first", "highest first"),
    (Order.SCORE, "Score", "lowest first", "highest first"),
    (None, "Rank", "", ""),
)
# More would be no list that anybody reads.
MAX_TASKS: Final = 500


async def show(request: web.Request) -> web.Response:
    """GET /."""
    query = read_query(request)
    context = request.app[CONTEXT]
    listed, query = await _read(context, query)
    elsewhere = await reports_elsewhere(context, listed.experiments)
    tasks = list(await context.store.tasks())[:MAX_TASKS]
    if query.task is not None and query.task not in tasks:
        tasks.append(query.task)
    return show_page(
        request,
        "experiments.html",
        query=query,
        rows=[_row(context, one, listed, elsewhere.get(one.id)) for one in listed.experiments],
        columns=_COLUMNS,
        counts=[(state, listed.states[state]) for state in State if state in listed.states],
        total=listed.total,
        last_page=last_page(listed.total),
        tasks=tasks,
        states=states(),
        every=context.settings.evaluation.interval,
    )


def document_of(
    context: Context, experiment: Experiment, elsewhere: Report | None = None
) -> Mapping[str, Any] | None:
    """The newest report of an experiment as a document; None where there is none."""
    if experiment.report is not None:
        return experiment.report
    try:
        return current_report(context, experiment, elsewhere).model_dump(mode="json")
    except (SloscoreError, ValueError) as error:
        # Another release registered it; the others are shown all the same.
        _log.warning("report not shown", experiment=experiment.id, error=str(error))
        return None


def last_page(total: int) -> int:
    """The number of the last page, 1 where nothing is listed."""
    return max(1, -(-total // PAGE_SIZE))


async def _read(context: Context, query: Query) -> tuple[Listed, Query]:
    """The page that was asked for, or the last one where there is no such page any more."""
    while True:
        offset = (query.page - 1) * PAGE_SIZE
        listed = await context.store.listed(query.selection, PAGE_SIZE, offset)
        last = last_page(listed.total)
        if query.page <= last:
            return listed, query
        query = query.at(last)


def _row(context: Context, experiment: Experiment, listed: Listed, elsewhere: Report | None) -> Row:
    is_aborted = experiment.state is State.ABORTED
    report = None if is_aborted else document_of(context, experiment, elsewhere)
    return row_of(experiment, report, listed.ranks.get(experiment.id))
