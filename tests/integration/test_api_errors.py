"""What the API refuses, and in which words."""

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from tests.integration.raw_requests import answer_to
from tests.integration.service import (
    EXPERIMENTS,
    NOWHERE,
    PROBLEM,
    Answer,
    Api,
    Json,
    serving,
    settings,
    task_of,
)

SCORE = "/api/v1/score"
SELECTOR = {"instance": "x"}
TASK = task_of(selector=SELECTOR)
WINDOW = {"start": 1_700_000_000, "end": 1_700_000_060}
PAST = {"selector": SELECTOR, "server": "vllm", "window": WINDOW}
VALUES = {"values": {"latency_p90": 5.5}, "base_score": 3.0}
NUMBERS = {"slo": TASK["slo"], **VALUES}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(settings(tmp_path, limits={"max_body_bytes": 4096})) as api:
        yield api


def check_problem(answer: Answer, status: int, *words: str) -> None:
    assert (answer.status, answer.type) == (status, PROBLEM), answer
    problem = answer.json
    assert problem["status"] == status
    assert problem["title"]
    for word in words:
        assert word in problem["detail"]
    assert problem.get("errors", [problem["detail"]])[0] == problem["detail"]


def registration(**changes: Json) -> Json:
    return {"id": "one", "task": {**TASK, **changes}}


def slo(**changes: Json) -> Json:
    return registration(slo={"latency": {"p90": {"threshold": 5.0, **changes}}})


def deep(levels: int) -> Json:
    nested: Json = []
    for _ in range(levels):
        nested = [nested]
    return nested


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (EXPERIMENTS, [], ["body: must be a mapping"]),
        (EXPERIMENTS, {"task": TASK}, ["id: is required"]),
        (EXPERIMENTS, {"id": "one"}, ["task: is required"]),
        (EXPERIMENTS, {"id": "a b", "task": TASK}, ["id: must match"]),
        (EXPERIMENTS, {"id": "a\n", "task": TASK}, ["id: must match"]),
        (EXPERIMENTS, {"id": "x" * 129, "task": TASK}, ["id: must match"]),
        (EXPERIMENTS, {**registration(), "selectro": {}}, ["selectro", "did you mean selector?"]),
        (EXPERIMENTS, slo(threshold=0), ["task.slo.latency.p90.threshold: must be above 0"]),
        (EXPERIMENTS, slo(threshold="5s"), ["latency.p90.threshold: must be a number", "5s"]),
        (EXPERIMENTS, slo(wieght=2), ["latency.p90.wieght", "did you mean weight?"]),
        (EXPERIMENTS, registration(slo={}), ["task.slo: holds no SLO"]),
        (EXPERIMENTS, registration(selector={}), ["selector: missing", "10.0.0.5:8000"]),
        (
            EXPERIMENTS,
            registration(slo={"throughput": {"output_per_gpu": {"threshold": 1.0}}}),
            ["gpus: missing: throughput_per_gpu is a rate per GPU"],
        ),
        (
            EXPERIMENTS,
            registration(optimization={"objective": "maximize_total_throughput_per_gpu"}),
            ["gpus: missing: total_throughput_per_gpu is a rate per GPU"],
        ),
        (EXPERIMENTS, {**registration(), "gpus": 0}, ["gpus: must be at least 1"]),
        (SCORE, {**NUMBERS, "gpus": 2}, ["belong to a selector, not to values"]),
        (EXPERIMENTS, registration(selector={"a-b": "x"}), ["'a-b' is no label name"]),
        (EXPERIMENTS, registration(selector={"__name__": "x"}), ["must not hold __name__"]),
        (
            EXPERIMENTS,
            registration(server="ollama"),
            ["server: must be one of", "vllm, got 'ollama'"],
        ),
        (EXPERIMENTS, registration(task_name="a\nb"), ["task_name: must be 1 to 128 printable"]),
        (EXPERIMENTS, registration(model=deep(400)), ["nested too deeply"]),
        (EXPERIMENTS, {**registration(), "start": "today"}, ["start: 'today' is no time"]),
        (EXPERIMENTS, {**registration(), "start": True}, ["start: a time is written"]),
        (EXPERIMENTS, {**registration(), "start": "2026-01-31T12:00:00"}, ["start:", "no time"]),
        (EXPERIMENTS, {**registration(), "start": 1}, ["start: must lie in the past"]),
        (EXPERIMENTS, {**registration(), "start": 9e9}, ["start: must lie in the past"]),
        (f"{EXPERIMENTS}/one/finish", {"end": 9e9}, ["end: lies in the future"]),
        (f"{EXPERIMENTS}/one/finish", {"base_score": -1}, ["base_score: must be at least 0"]),
        (f"{EXPERIMENTS}/one/finish", {"base_score": "1"}, ["base_score: must be a number"]),
        (f"{EXPERIMENTS}/one/finish", {"score": 1}, ["score", "not a known key"]),
        (f"{EXPERIMENTS}/one/abort", {"reason": "x" * 1001}, ["reason: must be text of at most"]),
        (SCORE, {**NUMBERS, "values": {"latency_p90": True}}, ["latency_p90: must be a number"]),
        (SCORE, {**NUMBERS, "values": {"latency_p90": "5.5"}}, ["latency_p90: must be a number"]),
        (SCORE, {}, ["give either values (with base_score) or selector (with window)"]),
        (SCORE, {**NUMBERS, **PAST}, ["give either values"]),
        (SCORE, {**NUMBERS, "window": WINDOW}, ["belong to a selector, not to values"]),
        (SCORE, {"selector": SELECTOR}, ["a selector needs a window {start, end}"]),
        (SCORE, {**PAST, "selector": {}}, ["selector: missing"]),
        (SCORE, {**PAST, "window": {"start": 2, "end": 1}}, ["window: the end must be after"]),
        (SCORE, {**PAST, "window": {"start": 1, "end": 9e9}}, ["window.end: lies in the future"]),
        (SCORE, {**PAST, "window": {"start": 1, "end": 1e8}}, ["window: is longer than"]),
        (
            SCORE,
            {**PAST, "window": {"start": "0001-01-01T00:00:00+14:00", "end": 1}},
            ["window.start", "outside of the years 1970 to 9999"],
        ),
        (SCORE, {**NUMBERS, "values": {"ttft": 1}}, ["values.ttft: no SLO has this id", "p90"]),
        (SCORE, {**NUMBERS, "values": {"latency_p90": -1}}, ["values.latency_p90", "0 or above"]),
        (SCORE, {**NUMBERS, "objective": "maximize_fun"}, ["objective: must be one of", "fun"]),
        (SCORE, VALUES, ["values.latency_p90", "there is no slo section"]),
    ],
)
async def test_a_body_that_does_not_fit_is_refused_with_the_name_of_its_field(
    api: Api, path: str, body: Json, words: list[str]
) -> None:
    if "/one/" in path:
        await api.register("one", TASK)
    check_problem(await api.post(path, body), 422, *words)


async def test_every_mistake_of_a_body_has_a_sentence(api: Api) -> None:
    broken = registration(slo={"latency": {"p90": {"threshold": -1, "weight": -2}}}, wait=1)
    problem = (await api.post(EXPERIMENTS, broken)).json
    assert len(problem["errors"]) == 3
    for field, sentence in zip(("threshold", "weight", "wait"), problem["errors"], strict=True):
        assert sentence.startswith("body: task.")
        assert f"{field}: " in sentence


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (f"{EXPERIMENTS}?limit=0", ["limit: '0'", "between 1 and 1000"]),
        (f"{EXPERIMENTS}?limit=1001", ["limit: '1001'"]),
        (f"{EXPERIMENTS}?limit=ten", ["limit: 'ten'"]),
        (f"{EXPERIMENTS}?limit=-1", ["limit: '-1'"]),
        (f"{EXPERIMENTS}?limit=%C2%B2", ["limit: "]),
        (f"{EXPERIMENTS}?limit=000000001{'9' * 30}", ["limit: "]),
        (f"{EXPERIMENTS}?limit=", ["limit: ''"]),
        (f"{EXPERIMENTS}?state=done", ["state: 'done'", "running", "aborted"]),
        (f"{EXPERIMENTS}?cursor=xyz", ["cursor: 'xyz' is no cursor"]),
        (f"{EXPERIMENTS}?cursor=", ["cursor: ''"]),
        (f"{EXPERIMENTS}?page=2", ["page: unknown parameter", "cursor, limit, state, task"]),
        (f"{EXPERIMENTS}/one?wait=5", ["wait: unknown parameter"]),
        (f"{EXPERIMENTS}/one/score?wait=soon", ["wait: 'soon'", "between 0 and 60"]),
        (f"{EXPERIMENTS}/one/score?wait=61", ["wait: '61'"]),
        (f"{EXPERIMENTS}/one/score?wait=-1", ["wait: '-1'"]),
        (f"{EXPERIMENTS}/one/score?wait=nan", ["wait: 'nan'"]),
        (f"{EXPERIMENTS}/one/score?timeout=5", ["timeout: unknown parameter"]),
        ("/api/v1/tasks/chat?limit=5", ["limit: unknown parameter"]),
    ],
)
async def test_a_parameter_that_cannot_be_used_is_refused_by_name(
    api: Api, path: str, words: list[str]
) -> None:
    await api.register("one", TASK)
    check_problem(await api.get(path), 422, *words)


@pytest.mark.parametrize("path", [EXPERIMENTS, f"{EXPERIMENTS}/one/finish", SCORE])
async def test_a_parameter_beside_a_body_is_refused_as_it_would_do_nothing(
    api: Api, path: str
) -> None:
    await api.register("one", TASK)
    check_problem(await api.post(f"{path}?base_score=2", {}), 422, "base_score: unknown parameter")
    assert (await api.show("one"))["state"] == "running"


JSON = {"Content-Type": "application/json"}
GZIP = {**JSON, "Content-Encoding": "gzip"}


@pytest.mark.parametrize(
    ("raw", "headers", "status", "words"),
    [
        (b"{", JSON, 400, ["not JSON"]),
        (b"", JSON, 400, ["not JSON"]),
        (b'{"id": NaN}', JSON, 400, ["not JSON"]),
        (b"\xff", JSON, 400, ["not JSON"]),
        (b'{"id": "\\ud800"}', JSON, 400, ["not JSON"]),
        (b"[" * 3000 + b"]" * 900, JSON, 400, ["not JSON"]),
        (b'{"id": "a", "task": 1, "id": "b"}', JSON, 400, ["gives id twice"]),
        (b'{"a" : [{}, {"b": 1e99, "b" : 1}]}', JSON, 400, ["gives a[1].b twice"]),
        (b'{"a": {"\\u0062": ":", "b": 2}}', JSON, 400, ["gives a.b twice"]),
        (b'{"a":1,"a":' + b"[" * 500 + b"]" * 500 + b"}", JSON, 400, ["gives a twice"]),
        (b'{"a":' * 600 + b'":"' + b"}" * 600, JSON, 422, ["body: "]),
        (b"{}", {"Content-Type": "text/plain"}, 415, ["application/json", "text/plain"]),
        (b"id=one", {"Content-Type": "application/x-www-form-urlencoded"}, 415, ["form"]),
        (b"{}", {}, 415, ["must be application/json"]),
        (b" " * 4097, JSON, 413, ["larger than the 4096 bytes"]),
        (gzip.compress(b" " * 100_000), GZIP, 413, ["larger than the 4096 bytes"]),
        (b"no gzip", GZIP, 400, ["encoding is broken"]),
    ],
)
@pytest.mark.parametrize("path", [EXPERIMENTS, SCORE])
async def test_a_body_that_cannot_be_read_says_why(
    api: Api, path: str, raw: bytes, headers: Json, status: int, words: list[str]
) -> None:
    check_problem(await api.request("POST", path, raw=raw, headers=headers), status, *words)


async def test_colons_in_the_text_of_a_body_are_no_keys(api: Api) -> None:
    raw = b'{"id" :"one","task":%s,"selector":{"instance":"a:b:8000"}}' % orjson.dumps(
        task_of(selector=SELECTOR)
    )
    assert (await api.request("POST", EXPERIMENTS, raw=raw, headers=JSON)).status == 201


async def test_a_broken_body_that_nobody_reads_is_no_failure_of_the_service(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    raw = b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\n"
    status, _, _ = await answer_to(api.url, raw + b"Content-Length: 7\r\n\r\nno gzip")

    assert status == 404
    assert caplog.messages == []


async def test_a_compressed_body_is_read(api: Api) -> None:
    raw = gzip.compress(json.dumps(registration()).encode())
    assert (await api.request("POST", EXPERIMENTS, raw=raw, headers=GZIP)).status == 201


@pytest.mark.parametrize("path", ["/nothing", f"{EXPERIMENTS}/", f"{EXPERIMENTS}/one/rank", "//"])
async def test_an_unknown_route_points_to_the_known_ones(api: Api, path: str) -> None:
    check_problem(await api.get(path), 404, f"nothing at {path}", "/openapi.json")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", EXPERIMENTS, {"GET", "HEAD", "POST"}),
        ("DELETE", f"{EXPERIMENTS}/one", {"GET", "HEAD"}),
        ("GET", f"{EXPERIMENTS}/one/finish", {"POST"}),
        ("GET", SCORE, {"POST"}),
        ("POST", "/metrics", {"GET", "HEAD"}),
    ],
)
async def test_a_method_that_a_route_does_not_take_is_answered_with_those_it_takes(
    api: Api, method: str, path: str, allowed: set[str]
) -> None:
    answer = await api.request(method, path)
    check_problem(answer, 405, method, *allowed)
    assert {name.strip() for name in answer.headers["Allow"].split(",")} == allowed


async def test_no_more_experiments_than_the_limit_are_live(tmp_path: Path) -> None:
    async with serving(settings(tmp_path, limits={"max_live_experiments": 1})) as api:
        await api.register("one", TASK)
        check_problem(
            await api.register("two", TASK), 429, "as many experiments are live as may be, 1"
        )
        assert (await api.register("one", TASK)).status == 200
        await api.abort("one")
        assert (await api.register("two", TASK)).status == 201


async def test_no_more_requests_than_the_limit_wait(tmp_path: Path) -> None:
    async with serving(settings(tmp_path, limits={"max_waiting": 1})) as api:
        await api.register("one", TASK)
        path = f"{EXPERIMENTS}/one/score"
        polls = [asyncio.create_task(api.get(f"{path}?wait=30")) for _ in range(2)]
        (refused,), (waiting,) = await asyncio.wait(polls, return_when=asyncio.FIRST_COMPLETED)
        check_problem(refused.result(), 429, "too many requests wait")
        assert (await api.get(path)).status == 200
        await api.abort("one")
        assert (await waiting).json["status"] == "NO_DATA"


async def test_a_past_window_of_a_source_that_is_away_is_a_bad_gateway(api: Api) -> None:
    check_problem(await api.post(SCORE, PAST), 502, f"cannot reach Prometheus at {NOWHERE}")


async def test_a_source_that_does_not_answer_in_time_is_a_gateway_timeout(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with serving(settings(tmp_path, url, prometheus={"timeout": "200ms"})) as api:
            answer = await api.post(SCORE, PAST)
    check_problem(answer, 504, "did not answer within 0.2 s")
