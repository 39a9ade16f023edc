"""Writes that a browser sends for somebody else's page, and those of everybody else."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.service import EXPERIMENTS, PROBLEM, Api, Json, serving, settings, task_of

TOKEN = "a token of these tests"
TASK = task_of(selector={"instance": "x"})
FINISH, ABORT = f"{EXPERIMENTS}/one/finish", f"{EXPERIMENTS}/one/abort"
WRITES: list[tuple[str, Json]] = [
    (EXPERIMENTS, {"id": "two", "task": TASK}),
    (FINISH, None),
    (ABORT, None),
]
OUTSIDE = "https://scores.example"
EVERYWHERE = "0.0.0.0"  # noqa: S104  of a service of this test, with a port of its own


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """A service without a token, and one experiment."""
    listen = {"port": 0, "external_url": OUTSIDE}
    async with serving(settings(tmp_path, listen=listen)) as api:
        assert (await api.register("one", TASK)).status == 201
        yield api


async def states(api: Api) -> dict[str, str]:
    page = (await api.get(EXPERIMENTS)).json
    return {one["id"]: one["state"] for one in page["experiments"]}


@pytest.mark.parametrize(("path", "body"), WRITES)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[::1"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://scores.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
        {"Host": "127.0.0.1.evil.example:8520"},
        {"Host": "10.0.0.5"},
        {"Host": "localhost:port"},
    ],
    ids=str,
)
async def test_a_page_of_another_site_changes_nothing(
    api: Api, path: str, body: Json, headers: dict[str, str]
) -> None:
    answer = await api.request("POST", path, body=body, headers=headers)
    assert (answer.status, answer.type) == (403, PROBLEM)
    assert await states(api) == {"one": "running"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost"},
        {"Host": "LOCALHOST.:8520"},
        {"Host": "[::1]:8520"},
        {"Host": "127.8.8.8"},
        {"Host": "scores.example"},
        {"Host": "scores.example", "Origin": OUTSIDE, "Sec-Fetch-Site": "same-origin"},
        {"Host": "localhost", "Origin": "http://localhost"},
        {"Host": "localhost", "Origin": "http://localhost:80"},
        {"Origin": OUTSIDE},
    ],
    ids=str,
)
async def test_whoever_calls_the_service_by_its_own_name_may_write(
    api: Api, headers: dict[str, str]
) -> None:
    assert (await api.request("POST", ABORT, headers=headers)).status == 200


async def test_its_own_address_is_an_origin_of_its_own(api: Api) -> None:
    headers = {"Origin": api.url, "Sec-Fetch-Site": "same-origin"}
    assert (await api.request("POST", ABORT, headers=headers)).status == 200


async def test_what_changes_nothing_may_be_asked_for_by_any_page(api: Api) -> None:
    # A browser does not show that page the answer.
    headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert (await api.request("GET", EXPERIMENTS, headers=headers)).status == 200
    numbers = {"values": {}, "base_score": 3.0}
    answer = await api.request("POST", "/api/v1/score", body=numbers, headers=headers)
    assert answer.status == 200


READS: list[tuple[str, str, Json]] = [
    ("GET", EXPERIMENTS, None),
    ("GET", f"{EXPERIMENTS}/one/score", None),
    ("GET", "/metrics", None),
    ("GET", "/", None),
    ("POST", "/api/v1/score", {"values": {}, "base_score": 3.0}),
]


@pytest.mark.parametrize(("method", "path", "body"), READS)
async def test_a_foreign_name_that_leads_to_this_machine_reads_nothing(
    api: Api, method: str, path: str, body: Json
) -> None:
    headers = {"Host": "evil.example:8520"}
    assert (await api.request(method, path, body=body, headers=headers)).status == 403
    headers = {"Host": "scores.example"}
    assert (await api.request(method, path, body=body, headers=headers)).status == 200


async def test_probes_are_answered_by_any_name(api: Api) -> None:
    answer = await api.request("GET", "/-/healthy", headers={"Host": "evil.example"})
    assert answer.status == 200


async def test_reads_that_need_a_token_may_use_any_name(tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Host": "scores.elsewhere.example"}
    auth = {"token": TOKEN, "require_read": True}
    async with serving(settings(tmp_path, auth=auth)) as api:
        assert (await api.request("GET", EXPERIMENTS, headers=headers)).status == 200


async def test_open_reads_beside_a_token_need_a_name_of_the_service(tmp_path: Path) -> None:
    async with serving(settings(tmp_path, auth={"token": TOKEN})) as api:
        answer = await api.request("GET", EXPERIMENTS, headers={"Host": "evil.example"})
        assert answer.status == 403


async def test_with_a_token_the_name_does_not_matter_but_the_origin_does(tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Host": "scores.example"}
    body = {"id": "one", "task": TASK}
    async with serving(settings(tmp_path, auth={"token": TOKEN})) as api:
        elsewhere = {**headers, "Origin": "https://evil.example"}
        answer = await api.request("POST", EXPERIMENTS, body=body, headers=elsewhere)
        assert answer.status == 403
        assert (await api.request("POST", EXPERIMENTS, body=body, headers=headers)).status == 201


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "scores.internal.example"}, 201),
        ({"Host": "10.0.0.5:8520", "Origin": "http://10.0.0.5:8520"}, 201),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 403),
    ],
    ids=str,
)
async def test_where_anybody_may_write_a_browser_still_needs_a_name_of_the_service(
    tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    anybody = settings(
        tmp_path, listen={"host": EVERYWHERE, "port": 0}, auth={"allow_anonymous_writes": True}
    )
    async with serving(anybody) as api:
        body = {"id": "one", "task": TASK}
        answer = await api.request("POST", EXPERIMENTS, body=body, headers=headers)
    assert answer.status == status
