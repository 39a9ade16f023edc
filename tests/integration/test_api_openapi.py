"""The OpenAPI document against the routes of the application and its real answers."""

import asyncio
import re
import socket
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.integration.service import (
    EXPERIMENTS,
    Answer,
    Api,
    Deployments,
    Json,
    has_requests,
    serving,
    settings,
    task_of,
)

from sloscore.api.app import make_app
from sloscore.api.auth import Access
from sloscore.api.openapi import openapi_document
from sloscore.settings import Settings
from sloscore.sharding import shard_of
from sloscore.simulate.prometheus import PrometheusProcess

if TYPE_CHECKING:
    from sloscore.api.context import Context

pytest_plugins = ["tests.integration.service_fixtures"]

DOCUMENT = openapi_document()
# The document itself, and what browsers get.
BESIDE = {("get", path) for path in (
    "/openapi.json", "/", "/experiments/{id}", "/experiments.csv", "/experiments.json", "/new", "/status", "/what-if",
    "/static/{file}", "/runbooks/{page}",
)}  # fmt: skip
ONE, TWO, NOBODY = (f"{EXPERIMENTS}/{name}" for name in ("one", "two", "nobody"))
SCORE, TASKS, STATUS = "/api/v1/score", "/api/v1/tasks", "/api/v1/status"
TOKEN = "a token of the tests"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
FOREIGN = {**BEARER, "Origin": "https://elsewhere.example"}
SLOS = {
    "latency": {"p50": {"threshold": 0.4}, "p90": {"threshold": 0.1, "hard_fail": True}},
    "ttft": {"threshold": 1000.0, "statistic": "p95"},
    "tpot": {"p90": {"threshold": 1.0}},
    "throughput": {"threshold": 1.0},
}
PAST = {"selector": {"a": "b"}, "server": "vllm", "window": {"start": 1e9, "end": 1e9 + 60}}


def operations() -> set[tuple[str, str]]:
    return {(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods}


def check_schema(value: Json, schema: Json) -> None:
    """Fail where a value does not fit; references point into the document."""
    whole = {**schema, "components": DOCUMENT["components"]}
    problems = [
        f"{e.json_path}: {e.message}" for e in Draft202012Validator(whole).iter_errors(value)
    ]
    assert not problems, value


def template_of(path: str) -> str:
    plain = path.partition("?")[0]
    templates: list[str] = list(DOCUMENT["paths"])
    return next(t for t in templates if re.fullmatch(re.sub(r"{\w+}", "[^/]+", t), plain))


async def stalled() -> AsyncIterator[bytes]:
    """A body that never ends."""
    yield b"{"
    await asyncio.Event().wait()


@dataclass
class Reader:
    """Sends requests, and holds their answers against the document; ``seen`` is what came."""

    api: Api
    seen: set[tuple[str, str, int]] = field(default_factory=set)

    async def get(self, path: str) -> Answer:
        return await self._send("get", path)

    async def post(self, path: str, body: Json = None, **more: Json) -> Answer:
        return await self._send("post", path, body=body, **{"headers": BEARER, **more})

    async def post_bad_bodies(self, path: str) -> None:
        """What no route with a body can use: a wrong key, no JSON, another type, too much, too late."""
        await self.post(path, {"unknown": 1})
        for raw, kind in ((b"{", "application/json"), (b" " * 2049, "application/json"),
                          (b"{}", "text/plain"), (stalled(), "application/json")):  # fmt: skip
            await self.post(path, raw=raw, headers={**BEARER, "Content-Type": kind})

    async def _send(self, method: str, path: str, **more: Json) -> Answer:
        answer = await self.api.request(method.upper(), path, **more)
        template = template_of(path)
        operation = DOCUMENT["paths"][template][method]
        assert str(answer.status) in operation["responses"], (method, path, answer)
        content = operation["responses"][str(answer.status)]["content"]
        assert answer.type in content, (method, path, answer)
        value = answer.json if "json" in answer.type else answer.text
        check_schema(value, content[answer.type]["schema"])
        body = more.get("body")
        if body is not None and answer.status < 400:
            check_schema(body, operation["requestBody"]["content"]["application/json"]["schema"])
        self.seen.add((method, template, answer.status))
        return answer


def test_the_document_is_valid_openapi() -> None:
    assert not list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors())


def test_a_model_has_one_name_whether_it_is_read_or_written() -> None:
    assert [name for name in DOCUMENT["components"]["schemas"] if not name.isidentifier()] == []


async def test_the_service_answers_with_the_document(tmp_path: Path) -> None:
    async with serving(settings(tmp_path)) as api:
        answer = await api.get("/openapi.json")
    assert (answer.status, answer.type, answer.json) == (200, "application/json", DOCUMENT)


def test_every_route_is_in_the_document_and_the_other_way_round() -> None:
    # Only the settings are read while the routes are made.
    context = cast("Context", SimpleNamespace(settings=Settings()))
    routes = {
        (route.method.lower(), route.resource.canonical)
        for route in make_app(context, Access(context.settings)).router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert routes - BESIDE == operations()
    assert routes >= BESIDE


def test_parameters_in_a_path_are_described() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            named = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
            assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}


def reads() -> set[tuple[str, str]]:
    """Operations that need a token by a setting only."""
    return {
        (method, path)
        for method, path in operations()
        if {} in DOCUMENT["paths"][path][method].get("security", ())
    }


def test_all_but_writes_and_probes_can_be_told_to_need_a_token() -> None:
    others = {path for method, path in operations() - reads()}
    writes = {
        f"{EXPERIMENTS}/{{id}}/{verb}" for verb in ("finish", "abort", "phases", "phases/end")
    }
    assert others == writes | {EXPERIMENTS, "/-/reload", "/-/healthy", "/-/ready"}
    assert ("get", EXPERIMENTS) in reads()


def test_exactly_the_writes_need_the_token() -> None:
    secured = {
        operation["operationId"]
        for methods in DOCUMENT["paths"].values()
        for operation in methods.values()
        if operation.get("security") == [{"token": []}]
    }
    experiments = {"registerExperiment", "finishExperiment", "abortExperiment"}
    assert secured == experiments | {"startPhase", "endPhase", "reload"}


async def mark_phases(read: Reader) -> None:
    """All but the last phase that is allowed, with every refusal on the way."""
    start: Json = {"name": "c=1", "start": None}
    for path, body in ((f"{ONE}/phases", start), (f"{ONE}/phases/end", {})):
        await read.post_bad_bodies(path)
        await read.post(path, body, headers={})
        await read.post(path, body, headers=FOREIGN)
        await read.post(path, body)
        await read.post(path.replace(ONE, NOBODY), body)
    for name in ("c=1", "c=8", "c=16"):
        await read.post(f"{ONE}/phases", {"name": name})
    await read.post(f"{ONE}/phases/end", {"name": "never", "end": None})


async def run_experiments(read: Reader, selector: Json) -> None:
    """One experiment to its end and one that is called off, with every refusal on the way."""
    first = {"id": "one", "task": task_of(slo=SLOS), "selector": selector}
    second = {"id": "two", "task": task_of(selector=selector)}
    await read.post_bad_bodies(EXPERIMENTS)
    await read.post(EXPERIMENTS, first, headers={})
    await read.post(EXPERIMENTS, first, headers=FOREIGN)
    for body in (first, first, second, {**second, "id": "three"}, {**second, "id": "one"}):
        await read.post(EXPERIMENTS, body)
    await mark_phases(read)
    await read.api.score_until("one", has_requests(10))
    for path in (ONE, f"{ONE}?unknown=1", NOBODY):
        await read.get(path)
    for path in (f"{ONE}/score", f"{ONE}/score?wait=x", f"{NOBODY}/score"):
        await read.get(path)
    for path in (f"{ONE}/counts", f"{ONE}/counts?unknown=1", f"{NOBODY}/counts"):
        await read.get(path)
    polls = [asyncio.create_task(read.get(f"{TWO}/score?wait=20")) for _ in range(2)]
    (refused,), (waiting,) = await asyncio.wait(polls, return_when=asyncio.FIRST_COMPLETED)
    assert refused.result().status == 429
    await read.post_bad_bodies(f"{TWO}/abort")
    await read.post(f"{TWO}/abort", {"reason": "enough"}, headers={})
    await read.post(f"{TWO}/abort", headers=FOREIGN)
    await read.post(f"{TWO}/abort", {"reason": "enough"})
    assert (await waiting).status == 200
    await read.post_bad_bodies(f"{ONE}/finish")
    await read.post(f"{ONE}/finish", {}, headers={})
    await read.post(f"{ONE}/finish", headers=FOREIGN)
    await read.post(f"{ONE}/finish", {"end": None, "base_score": None})
    report = (await read.get(f"{ONE}/score?wait=20")).json
    assert (report["status"], len(report["slis"])) == ("FAILED", 5)
    await read.post(f"{ONE}/abort", {})
    await read.post(f"{TWO}/finish", {})
    for verb in ("finish", "abort"):
        await read.post(f"{NOBODY}/{verb}")


async def break_store(read: Reader, path: Path) -> None:
    """Everything that needs the store, once it has lost its table."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("ALTER TABLE experiments RENAME TO lost")
    await read.post(EXPERIMENTS, {"id": "four", "task": task_of(selector={"a": "b"})})
    for verb, body in (
        ("finish", {}),
        ("abort", {}),
        ("phases", {"name": "x"}),
        ("phases/end", {}),
    ):
        await read.post(f"{ONE}/{verb}", body)
    await read.post("/api/v1/rescore", {"task": "chat", "slo": SLOS})
    # The score of one that ended lately needs no store.
    for path_of in (EXPERIMENTS, ONE, f"{NOBODY}/score", f"{ONE}/counts", f"{TASKS}/chat", STATUS,
                    "/metrics", "/-/ready"):  # fmt: skip
        await read.get(path_of)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("ALTER TABLE lost RENAME TO experiments")


async def read_without_token(read: Reader) -> None:
    """Everything that needs a token because the settings say so."""
    for method, path in reads():
        path_of = re.sub(r"{\w+}", "one", path)
        await (read.get(path_of) if method == "get" else read.post(path_of, {}, headers={}))


async def ask_another_shard(read: Reader, name: str) -> None:
    """Everything about one experiment, of a service that it does not belong to."""
    await read.post(EXPERIMENTS, {"id": name, "task": task_of(selector={"a": "b"})})
    for path in ("", "/score", "/counts"):
        await read.get(f"{EXPERIMENTS}/{name}{path}")
    for path in ("/finish", "/abort", "/phases", "/phases/end"):
        await read.post(f"{EXPERIMENTS}/{name}{path}")


@pytest.mark.prometheus
async def test_every_documented_answer_is_given_and_fits_its_schema(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    limits = {"max_body_bytes": 2048, "max_live_experiments": 2, "max_waiting": 1,
              "max_phases": 2, "body_timeout": "250ms"}  # fmt: skip
    given = settings(tmp_path, prometheus.url, auth={"token": TOKEN}, limits=limits)
    async with serving(given) as api:
        read = Reader(api)
        await run_experiments(read, {"instance": deployments.quick.address})
        await read.post_bad_bodies(SCORE)
        numbers = {"values": {"latency_p50": 0.5, "ttft": None}, "base_score": 3}
        await read.post(SCORE, {"slo": SLOS, "objective": "minimize_ttft", **numbers})
        await read.post(SCORE, {"slo": SLOS, **PAST})
        task = task_of(slo=SLOS, selector={"a": "b"})
        for path, body in (("check", {"task": task}), ("check", {"text": "task_name: a"}),
                           ("curves", {"slo": SLOS}), ("rules", {"task": task}),
                           ("rescore", {"task": "chat", "slo": SLOS})):  # fmt: skip
            await read.post(f"/api/v1/{path}", body)
            await read.post_bad_bodies(f"/api/v1/{path}")
        await read.post("/api/v1/rescore", {"task": "nobody", "slo": SLOS})
        for path in (f"{EXPERIMENTS}?limit=1", f"{EXPERIMENTS}?limit=0"):
            await read.get(path)
        for path in (
            STATUS,
            f"{STATUS}?unknown=1",
            f"{TASKS}/chat",
            f"{TASKS}/chat?unknown=1",
            f"{TASKS}/nobody",
        ):
            await read.get(path)
        for path in ("/metrics", "/-/healthy", "/-/ready"):
            await read.get(path)
        for path in ("/-/reload", "/-/reload?unknown=1"):
            await read.post(path)
        for headers in ({}, FOREIGN):
            await read.post("/-/reload", headers=headers)
        await break_store(read, tmp_path / "sloscore.db")
    ahead = 0.0
    sleepy = settings(tmp_path, evaluation={"interval": "1h"})
    async with serving(sleepy, lambda: time.time() + ahead) as stalled_service:
        ahead = 86400.0
        await Reader(stalled_service, read.seen).get("/-/healthy")
    auth = {"token": TOKEN, "require_read": True}
    async with serving(settings(tmp_path, auth=auth)) as closed:
        await read_without_token(Reader(closed, read.seen))
    other = {"shard": f"{1 - shard_of('one', 2)}/2", "port": 0}
    async with serving(settings(tmp_path, listen=other)) as misdirected:
        await ask_another_shard(Reader(misdirected, read.seen), "one")
    async with serving(settings(tmp_path)) as away:
        await Reader(away, read.seen).get("/-/ready")
        await Reader(away, read.seen).post(SCORE, PAST)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with serving(settings(tmp_path, url, prometheus={"timeout": "200ms"})) as slow:
            await Reader(slow, read.seen).post(SCORE, PAST)
    documented = {
        (method, path, int(status))
        for method, path in operations()
        for status in DOCUMENT["paths"][path][method]["responses"]
    }
    assert read.seen == documented
