"""Who may write: the token of the service, and the addresses that need one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.service import (
    EXPERIMENTS,
    PROBLEM,
    Answer,
    Api,
    Json,
    serving,
    settings,
    task_of,
)

from sloscore.api.server import running_service
from sloscore.errors import SettingsError, SpecError
from sloscore.settings import Settings
from sloscore.spec.loader import validate

TOKEN = "a token of the tests, long enough \u00e9"
EVERYWHERE = "0.0.0.0"  # noqa: S104  only a setting, nobody binds it
BEARER = {"Authorization": f"Bearer {TOKEN}"}
OPEN = ("--insecure", "auth.allow_anonymous_writes")
TASK = task_of(selector={"instance": "x"})
NUMBERS = {"slo": TASK["slo"], "values": {"latency_p90": 5.5}, "base_score": 3.0}
WRITES: list[tuple[str, Json]] = [
    (EXPERIMENTS, {"id": "two", "task": TASK}),
    (f"{EXPERIMENTS}/one/finish", {}),
    (f"{EXPERIMENTS}/one/abort", {}),
]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """A service with a token in a file, and one experiment."""
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n", encoding="utf-8")
    async with serving(settings(tmp_path, auth={"token_file": token})) as api:
        body = {"id": "one", "task": TASK}
        assert (await api.request("POST", EXPERIMENTS, body=body, headers=BEARER)).status == 201
        yield api


def check_unauthorized(answer: Answer) -> None:
    assert (answer.status, answer.type) == (401, PROBLEM)
    assert "Authorization: Bearer" in answer.json["detail"]
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert TOKEN not in answer.text


@pytest.mark.parametrize(("path", "body"), WRITES)
@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN.upper()}",
        f"Basic {TOKEN}",
        TOKEN,
    ],
)
async def test_a_write_without_the_token_changes_nothing(
    api: Api, path: str, body: Json, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    check_unauthorized(await api.request("POST", path, body=body, headers=headers))
    page = (await api.get(EXPERIMENTS)).json
    assert [(one["id"], one["state"]) for one in page["experiments"]] == [("one", "running")]


@pytest.mark.parametrize(("path", "body"), WRITES)
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_a_write_with_the_token_is_done(api: Api, path: str, body: Json, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {TOKEN}"}
    answer = await api.request("POST", path, body=body, headers=headers)
    assert answer.status in {200, 201}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/metrics",
        "/openapi.json",
        "/-/healthy",
        EXPERIMENTS,
        f"{EXPERIMENTS}/one",
        f"{EXPERIMENTS}/one/score",
        "/api/v1/tasks/chat",
    ],
)
async def test_reading_needs_no_token(api: Api, path: str) -> None:
    assert (await api.get(path)).status == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/score", NUMBERS),
        ("/api/v1/check", {"task": TASK}),
        ("/api/v1/curves", {"slo": TASK["slo"]}),
        ("/api/v1/rules", {"task": TASK}),
    ],
)
async def test_what_changes_nothing_needs_no_token(api: Api, path: str, body: Json) -> None:
    assert (await api.post(path, body)).status == 200


async def test_a_service_without_a_token_takes_writes(tmp_path: Path) -> None:
    async with serving(settings(tmp_path)) as api:
        assert (await api.register("one", TASK)).status == 201


@pytest.mark.parametrize(
    ("host", "auth", "allowed"),
    [
        ("127.0.0.1", {}, True),
        ("127.8.8.8", {}, True),
        ("::1", {}, True),
        ("localhost", {}, True),
        (EVERYWHERE, {}, False),
        ("::", {}, False),
        ("10.0.0.5", {}, False),
        ("tuner.example", {}, False),
        (EVERYWHERE, {"token": TOKEN}, True),
        (EVERYWHERE, {"token_file": "/run/secrets/token"}, True),
        (EVERYWHERE, {"tokens": [{"name": "a", "role": "read", "sha256": "0" * 64}]}, True),
        (EVERYWHERE, {"allow_anonymous_writes": True}, True),
    ],
)
def test_other_machines_reach_only_a_service_whose_writes_are_protected(
    host: str, auth: Json, allowed: bool
) -> None:
    data = {"listen": {"host": host}, "auth": auth}
    if allowed:
        assert validate(Settings, data, "settings").listen.host == host
        return
    with pytest.raises(SpecError) as caught:
        validate(Settings, data, "settings")
    (sentence,) = caught.value.problems
    for words in (
        f"listen.host is {host}",
        "auth.token_file",
        "SLOSCORE_TOKEN",
        "127.0.0.1",
        *OPEN,
    ):
        assert words in sentence


@pytest.mark.parametrize(
    ("text", "words"),
    [("too short\n", "holds 9 characters"), ("", "holds 0 characters"), (None, "cannot be read")],
)
async def test_a_file_that_holds_no_token_stops_the_start(
    tmp_path: Path, text: str | None, words: str
) -> None:
    path = tmp_path / "token"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=words):
        async with running_service(settings(tmp_path, auth={"token_file": path})):
            pass


def test_a_short_token_is_refused_without_being_told() -> None:
    with pytest.raises(SpecError) as caught:
        validate(Settings, {"auth": {"token": "hunter2"}}, "settings")
    assert caught.value.problems == ["settings: auth.token: must hold at least 16 characters"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("TRACE", "/-/healthy", 405),
        ("DELETE", f"{EXPERIMENTS}/one", 405),
        ("POST", "/nothing", 404),
    ],
)
async def test_what_no_route_takes_is_answered_so_without_a_token(
    api: Api, method: str, path: str, status: int
) -> None:
    answer = await api.request(method, path)
    assert (answer.status, answer.type) == (status, PROBLEM)
