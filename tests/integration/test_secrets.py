"""No secret leaves the service: not by its log at debug level, its answers, its pages or its errors."""

import base64
import hashlib
import io
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.cli.command import sloscore
from tests.integration.hidden import MARK, PATHS, TASK, check_hidden, file_of, secret
from tests.integration.raw_requests import NONSENSE, answer_to, nonsense
from tests.integration.service import EXPERIMENTS, Api, Json, serving, settings

from sloscore.experiments.store import ExperimentStore
from sloscore.settings import Settings

pytest_plugins = ["tests.integration.hidden_fixtures"]


@pytest.fixture
async def gossip() -> AsyncIterator[str]:
    """A Prometheus that refuses every query, and repeats the credentials that it was sent."""

    async def answer(request: web.Request) -> web.Response:
        sent = request.headers.get("Authorization", ""), request.headers.get("X-Key", "")
        basic = base64.b64decode(sent[0].partition(" ")[2]) if "Basic" in sent[0] else b""
        text = f"refused: {sent} {basic.decode()}"
        document = {"status": "error", "errorType": "unauthorized", "error": text}
        return web.json_response(document, status=401)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    yield f"http://127.0.0.1:{server.port}"
    await server.close()


def identities(place: Path) -> list[Json]:
    return [
        {"bearer_token": secret("bearer")},
        {"bearer_token_file": file_of(place, "bearer")},
        {"basic_auth": {"username": "me", "password": secret("password")}},
        {"basic_auth": {"username": "me", "password_file": file_of(place, "password")}},
    ]


def settings_of(place: Path, url: str, identity: Json, admin: Json) -> Settings:
    writer = hashlib.sha256(secret("writer").encode()).hexdigest()
    tokens = [
        {"name": "writer", "role": "write", "sha256": writer},
        {"name": "reader", "role": "read", "token_file": file_of(place, "reader")},
    ]
    return settings(
        place,
        url,
        auth={**admin, "tokens": tokens},
        prometheus={**identity, "headers": {"X-Key": secret("header")}},
    )


@pytest.mark.parametrize("number", range(4))
async def test_nothing_that_a_service_says_tells_a_secret(
    tmp_path: Path,
    gossip: str,
    log: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
) -> None:
    said: list[str] = []
    # By turns, as the credentials of Prometheus come from files by turns.
    admin = {"token": secret("admin")} if number % 2 else {"token_file": file_of(tmp_path, "admin")}
    given = settings_of(tmp_path, gossip, identities(tmp_path)[number], admin)

    async def ask(api: Api, method: str, path: str, token: str, **more: Json) -> int:
        headers = {"Authorization": f"Bearer {secret(token)}"}
        answer = await api.request(method, path, headers=headers, **more)
        said.extend((answer.text, str(answer.headers)))
        return answer.status

    async with serving(given) as api:
        body = {"id": "one", "task": TASK}
        assert await ask(api, "POST", EXPERIMENTS, "reader", body=body) == 403
        assert await ask(api, "POST", EXPERIMENTS, "wrong", body=body) == 401
        assert await ask(api, "POST", EXPERIMENTS, "writer", raw=b"{") == 415
        assert await ask(api, "POST", EXPERIMENTS, "writer", body=body) == 201
        refused = await api.score_until("one", lambda report: "HTTP 401" in str(report["reason"]))
        assert "***" in refused["reason"]
        past = {"start": time.time() - 60, "end": time.time() - 30}
        scored = {"selector": {"instance": "x"}, "window": past, "server": "vllm"}
        assert await ask(api, "POST", "/api/v1/score", "admin", body=scored) == 502
        for path in PATHS:
            await ask(api, "GET", path, "admin")
        for name in NONSENSE:
            status, headers, text = await answer_to(api.url, nonsense(name, secret("admin")))
            said.extend((str(status), str(headers), text))

        async def crash(*_: object) -> None:
            held = secret("admin")
            raise RuntimeError(f"of {len(held)} characters")

        monkeypatch.setattr(ExperimentStore, "get", crash)
        assert await ask(api, "POST", f"{EXPERIMENTS}/one/finish", "admin", body={}) == 500

    logged = log.getvalue()
    assert '"exc_type": "RuntimeError"' in logged or "RuntimeError: of " in logged
    assert '"level": "debug"' in logged or "[debug " in logged
    for text in (*said, logged, repr(given), str(given)):
        check_hidden(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"auth": {"token": MARK}},
        {"auth": {"token": [secret("admin")]}},
        {"auth": {"token": secret("admin"), "token_file": "/nowhere"}},
        {"auth": {"tokens": [{"name": "a", "role": "read", "sha256": secret("reader")}]}},
        {"auth": {"tokens": [{"name": "a", "role": "read", "sha256": {"a": secret("reader")}}]}},
        {"auth": {"tokens": secret("reader")}},
        {"auth": {"tokens": [{"name": "a", "role": "read", "token": secret("reader")}]}},
        {"prometheus": {"bearer_token": f"{secret('bearer')}\n{secret('bearer')}"}},
        {"prometheus": {"bearer_token": {"a": secret("bearer")}}},
        {"prometheus": {"bearer_token": secret("bearer"), "bearer_token_file": "/nowhere"}},
        {"prometheus": {"basic_auth": secret("password")}},
        {"prometheus": {"basic_auth": {"username": "a:b", "password": secret("password")}}},
        {"prometheus": {"headers": {"X-Key": f"{secret('header')}\n"}}},
        {"prometheus": {"headers": {"Authorization": secret("header")}}},
        {"prometheus": {"headers": [secret("header")]}},
        {"prometheus": {"url": f"http://me:{secret('password')}@127.0.0.1:9090"}},
        {"listen": {"port": "x"}, "auth": {"token": secret("admin")}},
        {"store": {"url": f"postgresql://me:{secret('password')}@127.0.0.1:1/sloscore"}},
        {"store": {"password": secret("password"), "password_file": "/nowhere"}},
        {"store": {"password": [secret("password")]}},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused_without_a_secret(tmp_path: Path, wrong: Json) -> None:
    path = tmp_path / "sloscore.yaml"
    path.write_text(yaml.safe_dump(wrong), encoding="utf-8")
    ended = sloscore("serve", "--config", str(path))
    assert ended.code == 1
    assert str(path) in ended.err
    check_hidden(ended.out + ended.err)
    # People give settings to the commands for tasks, too.
    for command in (("check",), ("check", "--json")):
        ended = sloscore(*command, str(path))
        assert ended.code == 1
        check_hidden(ended.out + ended.err)


@pytest.mark.parametrize("env", [{"SLOSCORE_TOKEN": MARK}, {"SLOSCORE_TOKEN": secret("admin")}])
def test_a_token_of_the_environment_is_in_no_error(tmp_path: Path, env: dict[str, str]) -> None:
    ended = sloscore("serve", "--port", "99999", "--store", str(tmp_path / "a.db"), env=env)
    assert ended.code == 1
    check_hidden(ended.out + ended.err)


@pytest.mark.parametrize("kind", ["tls", "token"])
def test_files_that_are_something_else_are_refused_without_what_they_hold(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "sloscore.yaml"
    odd = tmp_path / "odd"
    odd.write_bytes(b"-----BEGIN PRIVATE KEY-----\n" + secret("key").encode() + b"\xff\n")
    tls = {"cert_file": str(odd), "key_file": str(odd)}
    wrong = {"auth": {"token_file": str(odd)}} if kind == "token" else {"listen": {"tls": tls}}
    path.write_text(yaml.safe_dump(wrong), encoding="utf-8")
    store = str(tmp_path / "a.db")
    ended = sloscore("serve", "--config", str(path), "--port", "0", "--store", store)
    assert ended.code == 1
    assert str(odd) in ended.err
    check_hidden(ended.out + ended.err)
