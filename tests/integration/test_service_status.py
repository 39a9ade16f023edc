"""The service about itself: what it asked for, what it was refused, what it follows, how it is set."""

from pathlib import Path

import pytest
from tests.e2e.site import Site, open_site
from tests.integration.page_reader import read
from tests.integration.service import NOWHERE, Api, Json, serving, settings, until

from sloscore import __version__

STATUS = "/api/v1/status"
TASK = {"task_name": "chat", "slo": {"ttft": {"threshold": 1.0}}}
SECRETS = {
    "auth": {"token": "token-of-the-service"},
    "prometheus": {"bearer_token": "token-of-prometheus", "headers": {"X-Scope": "scope-secret"}},
}


async def status_of(api: Api) -> Json:
    answer = await api.get(STATUS)
    assert answer.status == 200, answer.text
    return answer.json


async def follow(site: Site) -> Json:
    """The status of a service that follows three experiments, of which it measures one."""
    await site.run("done", [0.3])
    await site.begin("runs", [0.3])
    await site.api.register("told", {**TASK, "server": "vllm"}, selector={"pod": "x"})
    await site.api.register("open", TASK, selector={"pod": "y"})
    return await until(
        lambda: status_of(site.api),
        lambda status: all(one["evaluated_at"] for one in status["followed"]),
    )


async def test_what_is_followed_is_told_with_its_source(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        status = await follow(site)
        page = await read(site.api, "/status")
    assert [one["experiment"] for one in status["followed"]] == ["open", "told", "runs"]
    assert status["running"] == 3
    assert (status["experiments"]["running"], status["experiments"]["scored"]) == (3, 1)
    unknown, told, runs = status["followed"]
    assert (runs["server"], runs["target"], runs["trouble"]) == ("vllm", site.target, None)
    assert (runs["instances"], runs["requests"]) == (1, 100)
    assert (told["server"], told["selector"], told["target"]) == ("vllm", {"pod": "x"}, None)
    assert (told["instances"], told["requests"]) == (0, None)
    assert "no Prometheus is set" in told["trouble"]
    assert (unknown["server"], unknown["is_recognised"]) == (None, False)
    assert status["version"] == __version__
    assert status["started_at"] <= status["last_evaluation"] <= status["now"]
    for said in (site.target, '{pod="x"}', "not recognised yet", told["trouble"]):
        assert said in page.text


async def test_queries_and_their_failures_are_counted_by_kind(tmp_path: Path) -> None:
    async with serving(settings(tmp_path, NOWHERE)) as api:
        await api.register("one", {**TASK, "server": "vllm"}, selector={"pod": "x"})
        status = await until(lambda: status_of(api), lambda found: found["evaluation_errors"])
        metrics = (await api.get("/metrics")).text
        page = await read(api, "/status")
    assert status["evaluation_errors"].keys() == {"unreachable"}
    (one,) = status["sources"]
    assert one["errors"] == {"unreachable": one["queries"]}
    assert one["mean_seconds"] > 0
    assert f'sloscore_source_queries_total{{kind="{one["kind"]}"}}' in metrics
    assert "unreachable:" in page.text


@pytest.mark.parametrize("path", [STATUS, "/status"])
async def test_settings_are_told_without_secrets(tmp_path: Path, path: str) -> None:
    async with serving(settings(tmp_path, NOWHERE, **SECRETS)) as api:
        answer = await api.get(path)
    assert answer.status == 200
    for secret in ("token-of-the-service", "token-of-prometheus", "scope-secret"):
        assert secret not in answer.text
    for said in ("X-Scope", "********", NOWHERE):
        assert said in answer.text


async def test_links_of_the_page_answer(tmp_path: Path) -> None:
    async with serving(settings(tmp_path, prometheus={"enabled": False})) as api:
        page = await read(api, "/status")
        links = {link for link in page.links if not link.startswith("#")}
        assert {"./openapi.json", "./metrics", "./runbooks/SloscoreDown.md"} <= links
        assert {
            link: (await api.get(link.removeprefix("."))).status for link in links
        } == dict.fromkeys(links, 200)
