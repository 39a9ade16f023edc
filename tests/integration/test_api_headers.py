"""Headers that every answer has, whatever it is: pages, files, errors, and what is no request."""

import re
import shutil
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import pytest
from tests.integration.raw_requests import NONSENSE, answer_to, nonsense
from tests.integration.service import PROBLEM, Api, serving, settings, task_of

from sloscore.api.openapi import openapi_document
from sloscore.api.page.routes import ROUTES
from sloscore.api.runbook import names
from sloscore.api.server import running_service

pytest_plugins = ["tests.integration.tls_fixtures"]

TOKEN = "a token of these tests"
SAME = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Server": "sloscore",
}
PLACES = {"{id}": "one", "{task}": "chat", "{file}": "page.css", "{page}": names()[0]}
PATHS = {
    "/metrics", "/-/healthy", "/-/ready", "/openapi.json", "/api/v1/status", "/runbooks/{page}",
    *openapi_document()["paths"],
    *(route.path for route in ROUTES),
}  # fmt: skip


def filled(path: str) -> str:
    return re.sub(r"{\w+}", lambda found: PLACES.get(found[0], found[0]), path)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(settings(tmp_path)) as api:
        assert (await api.register("one", task_of(selector={"instance": "x"}))).status == 201
        yield api


def check_hardened(headers: Mapping[str, str], *, is_https: bool = False) -> None:
    assert {name: headers.get(name) for name in SAME} == SAME
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["Cache-Control"] in {"no-store", "no-cache"}
    assert ("Strict-Transport-Security" in headers) is is_https


@pytest.mark.parametrize("path", sorted(PATHS))
async def test_every_path_answers_every_method_with_them(api: Api, path: str) -> None:
    statuses = set()
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
        answer = await api.request(method, filled(path))
        check_hardened(answer.headers)
        statuses.add(answer.status)
    # A path that is not there would have them as well, and prove nothing.
    assert statuses != {404}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nowhere", 404),
        ("/static/nowhere.js", 404),
        ("/experiments/nobody", 404),
        ("/experiments?state=odd", 404),
        ("/api/v1/experiments?limit=many", 422),
    ],
)
async def test_errors_have_them(api: Api, path: str, status: int) -> None:
    answer = await api.get(path)
    assert answer.status == status
    check_hardened(answer.headers)


async def test_an_answer_that_nothing_has_changed_has_them(api: Api) -> None:
    first = await api.get("/static/page.css")
    tag = {"If-None-Match": first.headers["ETag"]}
    answer = await api.request("GET", "/static/page.css", headers=tag)
    assert answer.status == 304
    check_hardened(answer.headers)


async def test_refusals_of_tokens_and_of_other_sites_have_them(tmp_path: Path) -> None:
    async with serving(settings(tmp_path, auth={"token": TOKEN})) as api:
        for headers, status in (({}, 401), ({"Origin": "https://evil.example"}, 403)):
            answer = await api.request("POST", "/api/v1/experiments", headers=headers)
            assert answer.status == status
            check_hardened(answer.headers)


@pytest.mark.parametrize("name", NONSENSE)
async def test_what_cannot_be_read_is_a_problem_with_them_and_is_not_quoted(
    api: Api, name: str
) -> None:
    status, headers, body = await answer_to(api.url, nonsense(name, "hunter2"))
    assert (status, headers["Content-Type"]) == (400, PROBLEM)
    check_hardened(headers)
    assert "hunter2" not in body


async def test_connections_past_the_limit_are_refused_with_them(tmp_path: Path) -> None:
    async with serving(settings(tmp_path, limits={"max_connections": 1})) as api:
        await api.get("/-/healthy")
        status, headers, _ = await answer_to(api.url, b"")
    assert status == 503
    check_hardened(headers)


async def test_https_is_told_to_stay_https(tmp_path: Path, certificates: Path) -> None:
    place = shutil.copytree(certificates, tmp_path / "tls")
    tls = {"cert_file": place / "server.pem", "key_file": place / "server.key"}
    trust = ssl.create_default_context(cafile=place / "ca.pem")
    given = settings(tmp_path, listen={"port": 0, "tls": tls})
    async with running_service(given) as url, aiohttp.ClientSession() as session:
        for path in ("/", "/metrics", "/nowhere"):
            async with session.get(url + path, ssl=trust) as answer:
                check_hardened(answer.headers, is_https=True)
