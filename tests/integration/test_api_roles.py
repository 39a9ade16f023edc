"""Several tokens with roles: what each may do, and how one takes another's place."""

import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.service import EXPERIMENTS, PROBLEM, Api, Json, serving, settings, task_of

from sloscore.api.auth import Access
from sloscore.errors import SettingsError, SpecError
from sloscore.settings import Settings
from sloscore.settings_access import Role
from sloscore.spec.loader import validate

READ, WRITE, ADMIN, OLD = (
    f"slo_{name}-of-these-tests" for name in ("read", "write", "admin", "old")
)
TASK = task_of(selector={"instance": "x"})
REGISTRATION = {"id": "one", "task": TASK}
NO_CHANGE: list[tuple[str, str, Json]] = [
    ("GET", "/", None),
    ("GET", "/metrics", None),
    ("GET", "/static/page.css", None),
    ("GET", "/api/v1/status", None),
    ("GET", EXPERIMENTS, None),
    ("POST", "/api/v1/check", {"task": TASK}),
]
OPEN: frozenset[str] = frozenset({"/api/v1/score"})


def token_of(name: str, role: str, secret: str) -> Json:
    return {"name": name, "role": role, "sha256": hashlib.sha256(secret.encode()).hexdigest()}


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def password(secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"anyone:{secret}".encode()).decode()}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """A service that only tokens may read, with one of each role and an old one for writes."""
    file = tmp_path / "old"
    file.write_text(f"{OLD}\n", encoding="utf-8")
    tokens = [
        token_of("dashboard", "read", READ),
        token_of("tuner", "write", WRITE),
        token_of("operator", "admin", ADMIN),
        {"name": "tuner-before", "role": "write", "token_file": file},
    ]
    async with serving(settings(tmp_path, auth={"tokens": tokens, "require_read": True})) as api:
        yield api


@pytest.mark.parametrize(("method", "path", "body"), NO_CHANGE)
async def test_what_changes_nothing_needs_a_token_of_any_role(
    api: Api, method: str, path: str, body: Json
) -> None:
    for secret in (READ, WRITE, ADMIN, OLD):
        for headers in (bearer(secret), password(secret)):
            assert (await api.request(method, path, body=body, headers=headers)).status == 200
    others: list[dict[str, str]] = [
        {}, bearer("x" * 20), password("x" * 20), {"Authorization": "Basic ?"},
        {"Authorization": "Basic /w=="},
    ]  # fmt: skip
    for headers in others:
        answer = await api.request(method, path, body=body, headers=headers)
        assert (answer.status, answer.type) == (401, PROBLEM)
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
        assert "of the role read" in answer.json["detail"]


async def test_probes_are_open_to_everybody(api: Api) -> None:
    assert (await api.get("/-/healthy")).status == 200
    assert (await api.get("/-/ready")).status == 200


@pytest.mark.parametrize("secret", [WRITE, ADMIN, OLD])
async def test_several_tokens_may_write_at_once(api: Api, secret: str) -> None:
    answer = await api.request("POST", EXPERIMENTS, body=REGISTRATION, headers=bearer(secret))
    assert answer.status == 201


async def test_a_token_that_only_reads_is_told_the_role_that_it_lacks(api: Api) -> None:
    answer = await api.request("POST", EXPERIMENTS, body=REGISTRATION, headers=bearer(READ))
    assert (answer.status, answer.type) == (403, PROBLEM)
    assert answer.json["detail"] == (
        "This needs a token of the role write; the token dashboard has the role read."
    )
    listed = await api.request("GET", EXPERIMENTS, headers=bearer(READ))
    assert listed.json["experiments"] == []


async def test_a_password_that_a_browser_adds_by_itself_writes_nothing(api: Api) -> None:
    answer = await api.request("POST", EXPERIMENTS, body=REGISTRATION, headers=password(ADMIN))
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("auth", "host", "needed"),
    [
        ({}, "127.0.0.1", False),
        ({"token": ADMIN}, "127.0.0.1", False),
        ({"token": ADMIN, "require_read": True}, "127.0.0.1", True),
        ({"token": ADMIN}, "10.0.0.5", True),
        ({"token": ADMIN, "require_read": False}, "10.0.0.5", False),
        ({"allow_anonymous_writes": True}, "10.0.0.5", False),
    ],
)
def test_reads_need_a_token_where_other_machines_can_reach_them_unless_told_otherwise(
    auth: Json, host: str, needed: bool
) -> None:
    given = validate(Settings, {"listen": {"host": host}, "auth": auth}, "settings")
    assert given.reads_need_token is needed


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("/-/reload", Role.ADMIN),
        (EXPERIMENTS, Role.WRITE),
        ("/api/v1/score", None),
        ("/x", Role.WRITE),
    ],
)
def test_the_token_that_is_set_alone_may_do_everything(path: str, role: Role | None) -> None:
    access = Access(Settings.model_validate({"auth": {"token": ADMIN}}))
    assert access.role_needed("POST", path, OPEN) is role
    found = access.find(ADMIN)
    assert found is not None
    assert found.role is Role.ADMIN
    assert access.find(ADMIN[:-1]) is None


def test_tokens_are_renewed_together_or_not_at_all(tmp_path: Path) -> None:
    access = Access(Settings.model_validate({"auth": {"token": OLD}}))
    unreadable = {"auth": {"tokens": [
        token_of("new", "read", READ),
        {"name": "gone", "role": "read", "token_file": tmp_path / "gone"},
    ]}}  # fmt: skip
    with pytest.raises(SettingsError, match=r"auth\.tokens\[1\]\.token_file: .* cannot be read"):
        access.replace(Settings.model_validate(unreadable))
    assert access.find(OLD) is not None
    assert access.find(READ) is None

    access.replace(Settings.model_validate({"auth": {"tokens": [token_of("new", "read", READ)]}}))
    assert access.find(OLD) is None
    found = access.find(READ)
    assert found is not None
    assert (found.name, found.role) == ("new", Role.READ)


@pytest.mark.parametrize(
    ("auth", "sentence"),
    [
        ({"tokens": [{"name": "a", "role": "boss", "sha256": "0" * 64}]}, "role: "),
        ({"tokens": [{"name": "a", "role": "read", "sha256": "hunter2"}]}, "64 hexadecimal digits"),
        ({"tokens": [{"name": "a", "role": "read"}]}, "give either sha256 or token_file"),
        ({"tokens": [{"name": "a b", "role": "read", "sha256": "0" * 64}]}, "name: "),
        ({"tokens": [token_of("a", "read", READ)] * 2}, "two tokens are named a"),
        ({"require_read": True}, "require_read needs a token"),
    ],
)
def test_a_mistake_in_the_tokens_is_told_without_what_they_are(auth: Json, sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        validate(Settings, {"auth": auth}, "settings")
    assert sentence in str(caught.value)
    assert "settings: auth" in str(caught.value)
    assert "hunter2" not in str(caught.value)
