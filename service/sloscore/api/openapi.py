"""The OpenAPI document, from the same models that check requests and make answers."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from sloscore import __version__
from sloscore.api.auth import PROBES
from sloscore.experiments.model import State
from sloscore.wire import (
    Abort,
    CheckRequest,
    Counts,
    Curves,
    CurvesRequest,
    ExperimentDocument,
    ExperimentPage,
    Finish,
    PhaseEnd,
    PhaseStart,
    Problem,
    Registration,
    Reloaded,
    Report,
    RescoreRequest,
    RulesRequest,
    ScoreRequest,
    StatusDocument,
    TaskCheck,
    TaskDocument,
    TaskRescore,
)

_REF = "#/components/schemas/{model}"
_BODY_TOO_SLOW = 408
_UNAUTHORIZED = 401
_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
_TASK = {"name": "task", "in": "path", "required": True, "schema": {"type": "string"}}


def _query(name: str, text: str, **schema: object) -> dict[str, object]:
    return {"name": name, "in": "query", "required": False, "description": text, "schema": schema}


@dataclass(frozen=True, slots=True)
class _Operation:
    method: str
    path: str
    id: str
    summary: str
    answer: type[BaseModel] | str
    body: type[BaseModel] | None = None
    body_required: bool = True
    parameters: tuple[dict[str, object], ...] = ()
    statuses: tuple[int, ...] = (200,)
    problems: tuple[int, ...] = ()
    protected: bool = False


_EXPERIMENTS = "/api/v1/experiments"
_OPERATIONS = (
    _Operation(
        "post", _EXPERIMENTS, "registerExperiment", "Register an experiment as its load starts",
        ExperimentDocument, Registration, statuses=(200, 201),
        problems=(400, 401, 403, 409, 413, 415, 421, 422, 429, 503), protected=True,
    ),
    _Operation(
        "get", _EXPERIMENTS, "listExperiments", "Experiments, newest first", ExperimentPage,
        parameters=(
            _query("task", "Only those of this task", type="string"),
            _query("state", "Only those in this state", type="string", enum=[str(s) for s in State]),
            _query("limit", "How many", type="integer", minimum=1, maximum=1000, default=100),
            _query("cursor", "next_cursor of the page before", type="string", minLength=1),
        ),
        problems=(422, 503),
    ),
    _Operation(
        "get", _EXPERIMENTS + "/{id}", "showExperiment", "One experiment", ExperimentDocument,
        parameters=(_ID,), problems=(404, 421, 422, 503),
    ),
    _Operation(
        "post", _EXPERIMENTS + "/{id}/finish", "finishExperiment", "Say that the load has ended",
        ExperimentDocument, Finish, body_required=False, parameters=(_ID,),
        problems=(400, 401, 403, 404, 409, 413, 415, 421, 422, 503), protected=True,
    ),
    _Operation(
        "post", _EXPERIMENTS + "/{id}/abort", "abortExperiment", "Call an experiment off",
        ExperimentDocument, Abort, body_required=False, parameters=(_ID,),
        problems=(400, 401, 403, 404, 409, 413, 415, 421, 422, 503), protected=True,
    ),
    _Operation(
        "post", _EXPERIMENTS + "/{id}/phases", "startPhase",
        "Say that a phase of the load begins, which ends the one before",
        ExperimentDocument, PhaseStart, parameters=(_ID,),
        problems=(400, 401, 403, 404, 409, 413, 415, 421, 422, 429, 503), protected=True,
    ),
    _Operation(
        "post", _EXPERIMENTS + "/{id}/phases/end", "endPhase",
        "Say that a phase of the load has ended", ExperimentDocument, PhaseEnd,
        body_required=False, parameters=(_ID,),
        problems=(400, 401, 403, 404, 409, 413, 415, 421, 422, 503), protected=True,
    ),
    _Operation(
        "get", _EXPERIMENTS + "/{id}/score", "scoreExperiment",
        "The score so far, or the final one", Report,
        parameters=(
            _ID, _query("wait", "Seconds to wait for the end", type="number", minimum=0, default=0)
        ),
        problems=(404, 421, 422, 429, 503),
    ),
    _Operation(
        "get", _EXPERIMENTS + "/{id}/counts", "countExperiment",
        "What was counted in the window so far, or in all of it", Counts,
        parameters=(_ID,), problems=(404, 421, 422, 503),
    ),
    _Operation(
        "post", "/api/v1/score", "score", "Score numbers, or a past window of a deployment",
        Report, ScoreRequest, problems=(400, 413, 415, 422, 502, 504),
    ),
    _Operation(
        "post", "/api/v1/check", "checkTask", "Check a task, itself or the text of its file",
        TaskCheck, CheckRequest, problems=(400, 413, 415, 422),
    ),
    _Operation(
        "post", "/api/v1/curves", "drawCurves", "The penalty of each SLI by its value",
        Curves, CurvesRequest, problems=(400, 413, 415, 422),
    ),
    _Operation(
        "post", "/api/v1/rules", "compileRules", "A task as recording and alert rules",
        "application/yaml", RulesRequest, problems=(400, 413, 415, 422),
    ),
    _Operation(
        "post", "/api/v1/rescore", "rescoreTask",
        "The experiments of a task under other SLOs, which changes none of them",
        TaskRescore, RescoreRequest, problems=(400, 404, 413, 415, 422, 503),
    ),
    _Operation(
        "get", "/api/v1/tasks/{task}", "showTask", "Ranking and violation budget of a task",
        TaskDocument, parameters=(_TASK,), problems=(404, 422, 503),
    ),
    _Operation(
        "get", "/api/v1/status", "showStatus", "Sources, errors, settings and what is followed",
        StatusDocument, problems=(422, 503),
    ),
    _Operation(
        "get", "/metrics", "metrics", "Gauges for Prometheus", "text/plain",
    ),
    _Operation(
        "post", "/-/reload", "reload", "Read the settings again, without a restart", Reloaded,
        problems=(401, 403, 422), protected=True,
    ),
    _Operation(
        "get", "/-/healthy", "healthy", "The process answers, and evaluates", "text/plain",
        problems=(503,),
    ),
    _Operation(
        "get", "/-/ready", "ready", "Experiments can be registered, finished and read", "text/plain",
        problems=(503,),
    ),
)  # fmt: skip


@cache
def openapi_document() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    inputs = [op.body for op in _OPERATIONS if op.body]
    outputs = [op.answer for op in _OPERATIONS if not isinstance(op.answer, str)]
    models = list(dict.fromkeys([(model, "validation") for model in inputs]
                                + [(model, "serialization") for model in [*outputs, Problem]]))  # fmt: skip
    refs, schemas = models_json_schema(models, ref_template=_REF)  # type: ignore[arg-type]  # the modes are literals
    paths: dict[str, dict[str, Any]] = {}
    for operation in _OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _describe(operation, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "sloscore",
            "version": __version__,
            "description": "SLO scores of LLM inference deployments that are being tuned.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "password": {"type": "http", "scheme": "basic"},
            },
        },
    }


def _describe(operation: _Operation, refs: Any) -> dict[str, Any]:  # noqa: ANN401  pydantic's map of references
    if isinstance(operation.answer, str):
        content: dict[str, Any] = {operation.answer: {"schema": {"type": "string"}}}
    else:
        content = {"application/json": {"schema": refs[operation.answer, "serialization"]}}
    problem = {"application/problem+json": {"schema": refs[Problem, "serialization"]}}
    responses: dict[str, Any] = {
        str(status): {"description": operation.summary, "content": content}
        for status in operation.statuses
    }
    problems = {*operation.problems, *(() if operation.body is None else (_BODY_TOO_SLOW,))}
    is_read = not operation.protected and operation.path not in PROBES
    if is_read:
        problems.add(_UNAUTHORIZED)
    for status in sorted(problems):
        responses[str(status)] = {"description": "What was wrong", "content": problem}
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "responses": responses,
    }
    if operation.parameters:
        described["parameters"] = list(operation.parameters)
    if operation.body is not None:
        described["requestBody"] = {
            "required": operation.body_required,
            "content": {"application/json": {"schema": refs[operation.body, "validation"]}},
        }
    if operation.protected:
        described["security"] = [{"token": []}]
    if is_read:
        # Settings say whether reads need one (auth.require_read); those take it as a password, too.
        described["security"] = [{}, {"token": []}, {"password": []}]
    return described
