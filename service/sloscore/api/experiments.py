"""Handlers for experiments: register, look at, finish, abort, score."""

import asyncio
import contextlib
from dataclasses import replace

import structlog
from aiohttp import web

from sloscore.api.body import (
    read_body,
    read_limit,
    read_seconds,
    refuse_unknown,
    respond,
    respond_encoded,
)
from sloscore.api.context import CONTEXT, Context
from sloscore.api.elsewhere import reports_elsewhere
from sloscore.core.objective import Objective
from sloscore.core.samples import Target
from sloscore.core.scoring import Status
from sloscore.errors import (
    ExperimentNotFoundError,
    LimitError,
    SourceError,
    SpecError,
    field_error,
)
from sloscore.evaluation.phased import report_unseen
from sloscore.evaluation.plan import Plan, plan_of, plan_registration
from sloscore.evaluation.recognise import with_server
from sloscore.experiments.model import FINAL, LIVE, Experiment, State, new_experiment
from sloscore.experiments.phases import spans_of
from sloscore.experiments.recorded import documents_of
from sloscore.sources.base import Snapshot
from sloscore.spec.model import FIRST
from sloscore.wire import (
    Abort,
    Decision,
    ExperimentDocument,
    ExperimentPage,
    Finish,
    PhaseDocument,
    Registration,
    Report,
    to_milliseconds,
)

_log = structlog.get_logger()
# Clocks of a tuner and of this service may differ by this many seconds.
CLOCK_TOLERANCE = 5.0
_SETTLING = Decision(
    action="stop", reason="The load has ended; waiting for the closing scrape.", confidence=1.0
)


def document_of(experiment: Experiment) -> ExperimentDocument:
    """A stored experiment as the API shows it."""
    return ExperimentDocument(
        id=experiment.id,
        task=experiment.task,
        state=experiment.state,
        objective=Objective(experiment.objective),
        start=experiment.start,
        end=experiment.end,
        created_at=experiment.created_at,
        updated_at=experiment.updated_at,
        score=experiment.score,
        reason=experiment.reason,
        phases=tuple(
            PhaseDocument(name=phase.name, start=phase.start, end=phase.end)
            for phase in experiment.phases
        ),
    )


async def register(request: web.Request) -> web.Response:
    """POST /api/v1/experiments."""
    context = request.app[CONTEXT]
    registration = await read_body(request, Registration)
    structlog.contextvars.bind_contextvars(
        experiment=registration.id, task=registration.task.task_name
    )
    if (shard := context.settings.listen.part) is not None:
        shard.require(registration.id)
    plan = plan_registration(registration)
    if plan.target.url and (refusal := context.settings.scrape.why_not(plan.target.url)):
        raise field_error(f"target: {refusal}")
    await _require_baseline(context, registration, plan)
    if plan.is_open and plan.target.url:
        plan = await _recognised(context, plan)
    first = await capture(context, plan.target)
    # After the scrape, so that it is the window's baseline.
    now = to_milliseconds(context.clock())
    start = now if registration.start is None else registration.start
    longest = context.settings.evaluation.max_window
    if not now - longest <= start <= now + CLOCK_TOLERANCE:
        raise field_error(
            f"start: must lie in the past, by no more than {longest:g} s (evaluation.max_window)"
        )
    experiment = new_experiment(
        id=registration.id,
        task=registration.task.task_name,
        body=_body_of(registration),
        objective=plan.objective,
        direction=plan.objective.direction,
        start=start,
        now=now,
        scrapes=(
            {"start": documents_of(first), "server": plan.spec.server} if plan.target.url else None
        ),
    )
    stored, created = await context.store.register(
        replace(experiment, holder=context.evaluator.holder),
        context.settings.limits.max_live_experiments,
    )
    context.evaluator.watch(stored)
    response = respond(document_of(stored), 201 if created else 200)
    response.headers["Location"] = f"/api/v1/experiments/{stored.id}"
    return response


async def list_experiments(request: web.Request) -> web.Response:
    """GET /api/v1/experiments."""
    refuse_unknown(request, frozenset({"task", "state", "limit", "cursor"}))
    state = request.query.get("state")
    if state is not None and state not in list(State):
        raise SpecError([f"state: {state!r} is not one of {', '.join(State)}"])
    try:
        page = await request.app[CONTEXT].store.list(
            task=request.query.get("task"),
            state=None if state is None else State(state),
            limit=read_limit(request),
            cursor=request.query.get("cursor"),
        )
    except ValueError as error:
        raise SpecError([str(error)]) from error
    experiments = tuple(document_of(experiment) for experiment in page.items)
    return respond(ExperimentPage(experiments=experiments, next_cursor=page.next_cursor))


async def show(request: web.Request) -> web.Response:
    """GET /api/v1/experiments/{id}."""
    refuse_unknown(request, frozenset())
    experiment = await request.app[CONTEXT].store.get(request.match_info["id"])
    return respond(document_of(experiment))


async def finish(request: web.Request) -> web.Response:
    """POST /api/v1/experiments/{id}/finish."""
    context = request.app[CONTEXT]
    body = await read_body(request, Finish, optional=True)
    now = to_milliseconds(context.clock())
    if body.end is not None and body.end > now + CLOCK_TOLERANCE:
        raise field_error("end: lies in the future; finish an experiment when its load has ended")
    key = request.match_info["id"]
    known = await context.store.get(key)
    end = body.end
    if end is None:
        end = known.end if known.end is not None else now
    is_first = known.state is State.RUNNING
    last = await capture(context, plan_of(known).target) if is_first else ()
    try:
        stored = await context.store.finish(key, end, now, body.base_score, documents_of(last))
    except ValueError as error:
        raise field_error(str(error)) from error
    context.evaluator.watch(stored)
    return respond(document_of(stored))


async def abort(request: web.Request) -> web.Response:
    """POST /api/v1/experiments/{id}/abort."""
    context = request.app[CONTEXT]
    body = await read_body(request, Abort, optional=True)
    key = request.match_info["id"]
    stored = await context.store.abort(key, body.reason or "", context.clock())
    context.evaluator.abandon(key)
    return respond(document_of(stored))


async def score(request: web.Request) -> web.Response:
    """GET /api/v1/experiments/{id}/score, waiting for the end where asked to."""
    context = request.app[CONTEXT]
    refuse_unknown(request, frozenset({"wait"}))
    wait = read_seconds(request, "wait", context.settings.limits.max_wait)
    key, finals = request.match_info["id"], context.board.finals
    # Nearly all reads are of what is running or has ended lately: the store need not be asked.
    has_ended = bool(wait) and (finals.get(key) is not None or await _ends(context, key, wait))
    if not has_ended and (newest := context.evaluator.running(key)) is not None:
        return respond_encoded(newest)
    if (final := finals.get(key)) is not None:
        return respond_encoded(final)
    experiment = await context.store.get(key)
    posted = context.board.get(key)
    if experiment.report is None and posted is not None and posted.ended_at is not None:
        # It ended while the store was read.
        experiment = await context.store.get(key)
    if experiment.report is not None:
        # As it was stored: no later release changes a final score.
        return respond_encoded(finals.keep(key, experiment.report))
    elsewhere = await reports_elsewhere(context, [experiment])
    return respond(current_report(context, experiment, elsewhere.get(key)))


async def _ends(context: Context, key: str, wait: float) -> bool:
    """Wait for the end of an experiment that is live, for so many seconds at most: whether it came."""
    if context.board.waiting >= context.settings.limits.max_waiting:
        raise LimitError("too many requests wait for scores already; ask without wait")
    # Who waits before the state is read cannot miss the end.
    with context.board.waiter(key) as ended:
        is_live = context.evaluator.running(key) is not None
        if not is_live and (await context.store.get(key)).state not in LIVE:
            return True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                return await ended.wait()
        return False


async def _require_baseline(context: Context, registration: Registration, plan: Plan) -> None:
    """Raise SpecError where the baseline is no registered experiment; the task's may be itself."""
    wanted = plan.spec.baseline
    if wanted in {None, FIRST}:
        return
    place = ("task", "baseline") if registration.baseline is None else ("baseline",)
    if wanted == registration.id:
        if registration.baseline is None:
            return
        sentence = f"{wanted!r} is this experiment itself; name another one, or leave it out"
    else:
        try:
            await context.store.get(wanted or "")
        except ExperimentNotFoundError:
            sentence = (
                f"no experiment {wanted!r} is registered; name one that is, or {FIRST!r} for the "
                "first of the task"
            )
        else:
            return
    raise SpecError([f"body: {'.'.join(place)}: {sentence}"], [(place, sentence)])


async def _recognised(context: Context, plan: Plan) -> Plan:
    """The plan of a server that its page tells; what it samples first depends on that."""
    try:
        return await with_server(context.source, plan, context.clock(), context.clock())
    except SourceError as error:
        raise field_error(f"server: cannot be recognised, as {error}; name it") from error


async def capture(context: Context, target: Target) -> Snapshot:
    """A sample of a target that the service scrapes itself; empty where it does not answer now."""
    try:
        return await context.source.capture(target)
    except SourceError as error:
        _log.warning("target does not answer", experiment=target.key, error=str(error))
        return ()


def _body_of(registration: Registration) -> dict[str, object]:
    try:
        return registration.model_dump(mode="json", exclude_unset=True)
    except ValueError as error:
        # What only the tuner reads may be any JSON, and pydantic stops at some depth of it.
        raise SpecError(["body: is nested too deeply"]) from error


def current_report(
    context: Context, experiment: Experiment, elsewhere: Report | None = None
) -> Report:
    """The report of an experiment that has no final one: the newest, or one that says why not.

    ``elsewhere`` is the newest one where another service evaluates it.

    Raises SpecError where this release cannot plan what another one registered.
    """
    posted = context.board.get(experiment.id)
    is_here = posted is not None and posted.ended_at is None
    newest = posted.report if posted is not None and is_here else elsewhere
    if newest is not None and experiment.state not in FINAL:
        if experiment.state is State.SETTLING:
            return _settling(newest, experiment.end)
        return newest
    plan = plan_of(experiment)
    reason = "not evaluated yet"
    if experiment.state is State.ABORTED:
        reason = "Experiment aborted" + (f": {experiment.reason}" if experiment.reason else "")
    end = experiment.end
    if experiment.state is State.ABORTED and end is None:
        end = experiment.updated_at
    span = (experiment.start, end)
    spans = spans_of(experiment.phases, *span)
    report = report_unseen(plan, reason, span, spans, now=context.clock())
    return _settling(report, end) if experiment.state is State.SETTLING else report


def _settling(report: Report, end: float | None) -> Report:
    """The last report of an experiment that waits for its closing scrape."""
    window = report.window and report.window.model_copy(update={"end": end})
    changes = {"status": Status.RUNNING, "decision": _SETTLING, "window": window}
    return report.model_copy(update=changes | {"infeasibility_reason": None})
