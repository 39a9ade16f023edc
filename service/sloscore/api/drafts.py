"""Handlers for a task that is being written: nothing here is kept, and nothing changes."""

import asyncio

from aiohttp import web

from sloscore.api.body import read_body, respond
from sloscore.core.drawing import drawn_values, reached_limit
from sloscore.core.penalty import Slo, penalty, violation_ratio
from sloscore.core.sli import Sli
from sloscore.errors import SpecError, field_error
from sloscore.generate.compiler import Options, check_interval, groups_for
from sloscore.generate.deployment import deployment_of
from sloscore.generate.text import Span
from sloscore.generate.writing import Made, as_prometheus
from sloscore.spec.document import pointer, read_document
from sloscore.spec.loader import validate_document
from sloscore.spec.model import TaskSpec
from sloscore.spec.preset import families_for
from sloscore.spec.slo import SloSpec
from sloscore.spec.warnings import warnings_of
from sloscore.wire import (
    CheckRequest,
    Curve,
    CurvePoint,
    Curves,
    CurvesRequest,
    RulesRequest,
    TaskCheck,
    TaskSli,
)

# What takes long is done for one request at a time, in a thread: the rest is answered meanwhile.
ONE_AT_A_TIME = web.AppKey("one_at_a_time", asyncio.Lock)
# More than a person writes; 64 SLIs are 0.1 s of work, and 400 kB of rules.
MAX_SLIS = 64
# As which a task is saved, so that `sloscore rules` makes the same of it.
_FILE = "task.json"


async def check(request: web.Request) -> web.Response:
    """POST /api/v1/check."""
    body = await read_body(request, CheckRequest)
    if body.text is None:
        assert body.task is not None  # noqa: S101  the request has one of both
        return _checked(body.task)
    async with request.app[ONE_AT_A_TIME]:
        task, written = await asyncio.to_thread(_read, body.text, body.name)
    return _checked(task, written)


async def curves(request: web.Request) -> web.Response:
    """POST /api/v1/curves."""
    slo = (await read_body(request, CurvesRequest)).slo
    _bound(slo, "slo")
    drawn = tuple(_curve(sli, limit) for sli, limit in slo.limits())
    return respond(Curves(curves=drawn))


async def rules(request: web.Request) -> web.Response:
    """POST /api/v1/rules."""
    body = await read_body(request, RulesRequest)
    if body.task.slo is not None:
        _bound(body.task.slo, "task.slo")
    window, interval = _span(body.window, "window"), _span(body.interval, "interval")
    try:
        check_interval(interval)
    except ValueError as error:
        raise field_error(f"interval: {error}") from error
    options = Options(window, interval, assume_bounds=body.assume_bound)
    try:
        async with request.app[ONE_AT_A_TIME]:
            text = await asyncio.to_thread(_compiled, body.task, options)
    except SpecError as error:
        raise _of_task(error) from None
    return web.Response(text=text, content_type="application/yaml")


def _read(text: str, name: str) -> tuple[TaskSpec, dict[str, object]]:
    document = read_document(text, name)
    try:
        task = validate_document(TaskSpec, document)
    except SpecError as error:
        # The places are those of the text, not of the request's body.
        raise SpecError(error.problems) from None
    assert isinstance(document.data, dict)  # noqa: S101  a task is a mapping
    return task, document.data


def _checked(task: TaskSpec, written: dict[str, object] | None = None) -> web.Response:
    try:
        families_for(task)
    except SpecError as error:
        raise (SpecError(error.problems) if written is not None else _of_task(error)) from None
    answer = TaskCheck(
        task=task,
        slis=tuple(_sli(sli, place) for sli, place in task.slo.places()) if task.slo else (),
        written=written,
        warnings=tuple(warnings_of(task)),
    )
    try:
        return respond(answer)
    except ValueError as error:
        # What only the tuner reads may be any JSON, and pydantic stops at some depth of it.
        raise SpecError(["body: is nested too deeply"]) from error


def _of_task(error: SpecError) -> SpecError:
    """The error of a task as that of a request whose ``task`` it is."""
    fields = [(("task", *place), sentence) for place, sentence in error.fields]
    return SpecError(error.problems, fields)


def _sli(sli: Sli, place: tuple[str, ...]) -> TaskSli:
    where = pointer(("slo", *place))
    return TaskSli(sli=sli.id, title=sli.title, unit=sli.signal.unit, pointer=where)


def _curve(sli: Sli, slo: Slo) -> Curve:
    return Curve(
        sli=sli.id,
        title=sli.title,
        unit=sli.signal.unit,
        is_minimum=slo.is_minimum,
        threshold=slo.threshold,
        weight=slo.weight,
        hard_limit=reached_limit(slo),
        points=tuple(
            CurvePoint(
                value=value,
                violation_ratio=violation_ratio(value, slo),
                penalty=penalty(value, slo),
            )
            for value in drawn_values(slo)
        ),
    )


def _compiled(task: TaskSpec, options: Options) -> str:
    groups = groups_for(deployment_of(task, _FILE), options)
    return as_prometheus([Made(task.task_name, _FILE, None, groups)], options.text)


def _bound(slo: SloSpec, place: str) -> None:
    number = len(slo.limits())
    if number > MAX_SLIS:
        raise field_error(f"{place}: holds {number} SLOs; this takes {MAX_SLIS} at most")


def _span(seconds: float, name: str) -> Span:
    try:
        return Span(seconds)
    except ValueError as error:
        raise field_error(f"{name}: {error}") from error
