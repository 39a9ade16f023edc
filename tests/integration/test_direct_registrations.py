"""What a registration with a target starts, and what every refusal and every end stops."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from tests.integration.pages import Engine, PageServer
from tests.integration.service import PROBLEM, Api, Json, serving, settings, task_of, unix

EVERY = "100ms"
# Scrapes of one target during which another one would have been scraped, too.
ENOUGH = 8


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """A service without a Prometheus for two experiments at once."""
    given = settings(tmp_path, prometheus={"enabled": False}, limits={"max_live_experiments": 2})
    async with serving(given) as api:
        yield api


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
async def server(engine: Engine) -> AsyncIterator[PageServer]:
    """One server whose paths are targets of their own."""
    async with PageServer(engine.answer) as server:
        yield server


def at(server: PageServer, path: str, interval: str = EVERY) -> Json:
    return {"target": f"http://{server.address}/{path}", "scrape_interval": interval}


async def check_rests(server: PageServer, path: str) -> None:
    """Nobody scrapes this path, while another one is scraped."""
    # What is under way arrives with this one.
    await server.asked_again(1, "/other")
    asked = server.asked.count(f"/{path}")
    await server.asked_again(ENOUGH, "/other")
    assert server.asked.count(f"/{path}") == asked


async def test_a_registration_is_answered_after_its_first_scrape(
    api: Api, server: PageServer
) -> None:
    answer = await api.register("one", task_of(), **at(server, "one", "1h"))

    assert answer.status == 201
    assert server.asked[0] == "/one"


async def test_a_repeated_registration_does_not_move_the_baseline(
    api: Api, server: PageServer, engine: Engine
) -> None:
    engine.finish(0.25, times=5)
    first = await api.register("one", task_of(), **at(server, "one", "1h"))
    engine.finish(0.75, times=20)
    again = await api.register("one", task_of(), **at(server, "one", "1h"))
    engine.finish(0.75, times=3)
    await api.finish("one")
    report = await api.final("one")

    assert (first.status, again.status) == (201, 200)
    assert again.json["start"] == first.json["start"]
    assert report["window"]["requests"] == 23
    assert unix(report["window"]["observed_start"]) <= unix(first.json["start"])


async def test_a_repeated_registration_is_scraped_as_if_once(api: Api, server: PageServer) -> None:
    await api.register("other", task_of(), **at(server, "other"))
    for _ in range(3):
        await api.register("one", task_of(), **at(server, "one", "1h"))
    await server.asked_again(ENOUGH, "/other")

    # Each asks once before it answers, and one is followed.
    assert server.asked.count("/one") == 3 + 1


async def test_a_conflict_leaves_nothing_that_scrapes(api: Api, server: PageServer) -> None:
    await api.register("one", task_of(), **at(server, "other"))
    refused = await api.register("one", task_of(), **at(server, "refused"))

    assert (refused.status, refused.type) == (409, PROBLEM)
    await check_rests(server, "refused")


async def test_a_limit_leaves_nothing_that_scrapes(api: Api, server: PageServer) -> None:
    for name in ("other", "more"):
        await api.register(name, task_of(), **at(server, name))
    refused = await api.register("one", task_of(), **at(server, "refused"))

    assert (refused.status, refused.type) == (429, PROBLEM)
    await check_rests(server, "refused")
    await api.abort("more")
    assert (await api.register("one", task_of(), **at(server, "one"))).status == 201


async def test_a_start_that_cannot_be_leaves_nothing_that_scrapes(
    api: Api, server: PageServer
) -> None:
    await api.register("one", task_of(), **at(server, "other"))
    refused = await api.register("two", task_of(), start=1, **at(server, "refused"))

    assert (refused.status, refused.type) == (422, PROBLEM)
    await check_rests(server, "refused")


async def test_an_abort_stops_the_scrapes(api: Api, server: PageServer) -> None:
    await api.register("one", task_of(), **at(server, "other"))
    await api.register("two", task_of(), **at(server, "two"))
    await server.asked_again(2, "/two")

    assert (await api.abort("two")).json["state"] == "aborted"

    await check_rests(server, "two")
    # Neither does asking again take it up.
    assert (await api.register("two", task_of(), **at(server, "two"))).json["state"] == "aborted"
    await check_rests(server, "two")


async def test_the_final_score_stops_the_scrapes(
    api: Api, server: PageServer, engine: Engine
) -> None:
    await api.register("one", task_of(), **at(server, "other"))
    await api.register("two", task_of(), **at(server, "two"))
    engine.finish(0.75, times=20)
    await api.finish("two")
    report = await api.final("two")

    assert (report["status"], report["window"]["requests"]) == ("SUCCESS", 20)
    await check_rests(server, "two")


async def test_finishing_twice_is_finishing_once(
    api: Api, server: PageServer, engine: Engine
) -> None:
    await api.register("one", task_of(), **at(server, "one", "1h"))
    engine.finish(0.75, times=20)
    first = await api.finish("one")
    engine.finish(0.75, times=7)
    second = await api.finish("one")
    report = await api.final("one")
    third = await api.finish("one")

    assert [answer.status for answer in (first, second, third)] == [200, 200, 200]
    assert first.json["end"] == second.json["end"] == third.json["end"] == report["window"]["end"]
    assert report["window"]["requests"] == 20
    assert await api.score("one") == report


TARGETS = {
    "a file": "file:///etc/passwd",
    "another protocol": "ftp://127.0.0.1/metrics",
    "no protocol": "127.0.0.1:8000/metrics",
    "no host": "http:///metrics",
    "only a port": "http://:8000/metrics",
    "a user": "http://user@127.0.0.1:8000/metrics",
    "a password": "http://user:secret@127.0.0.1:8000/metrics",
    "an empty user": "http://@127.0.0.1:8000/metrics",
    "another writing": "http://büro.example/metrics",
    "a port out of range": "http://127.0.0.1:65536/metrics",
    "a port that is no number": "http://127.0.0.1:http/metrics",
    "half an address": "http://[::1/metrics",
    "lines": "http://127.0.0.1:8000/\r\nX-Other: header",
    "nothing": "",
    "too much": "http://127.0.0.1/" + "x" * 2048,
    "no text": 8000,
}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
async def test_a_target_that_is_no_url_of_a_page_is_refused(api: Api, target: Json) -> None:
    answer = await api.register("one", task_of(), target=target)

    assert (answer.status, answer.type) == (422, PROBLEM)
    (problem,) = answer.json["errors"]
    assert problem.startswith("body: target: ")
    assert "secret" not in answer.text
    assert (await api.get("/api/v1/experiments")).json["experiments"] == []


async def test_a_target_that_may_not_be_scraped_is_refused(
    tmp_path: Path, server: PageServer
) -> None:
    scrape = {"allowed_targets": ["10.0.0.0/24:8000"]}
    given = settings(tmp_path, prometheus={"enabled": False}, scrape=scrape)
    async with serving(given) as api:
        answer = await api.register("one", task_of(), **at(server, "one"))

    assert (answer.status, answer.type) == (422, PROBLEM)
    (sentence,) = answer.json["errors"]
    assert sentence == (
        f"target: http://{server.address}/one is not among scrape.allowed_targets, the addresses "
        f'that may be scraped: add "{server.address}" to that setting if it may'
    )
    assert server.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fe80::1]:8000/metrics",
        "http://10.0.0.5:8000/metrics",
        "http://0.0.0.0:8520/metrics",
        "http://2130706433/metrics",
        "http://engine.example:8000/metrics",
    ],
)
async def test_without_settings_a_client_can_name_this_machine_only(api: Api, url: str) -> None:
    answer = await api.register("one", task_of(server="vllm"), target=url)

    assert (answer.status, answer.type) == (422, PROBLEM)
    assert "scrape.allowed_targets" in answer.json["detail"]
    assert answer.json["fields"][0]["pointer"] == "/target"


async def test_a_redirect_of_a_target_leads_nowhere(api: Api, server: PageServer) -> None:
    plain = server.answer

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/one":
            raise web.HTTPFound(f"http://{server.address}/two")
        return await plain(request)

    server.answer = answer
    await api.register("one", task_of(server="vllm"), **at(server, "one"))

    await api.score_until("one", lambda report: "HTTP 302" in str(report["reason"]))
    assert set(server.asked) == {"/one"}


INTERVALS: dict[str, tuple[Json, str]] = {
    "too often": ("50ms", "scrape_interval: must be at least 0.1"),
    "none": (0, "scrape_interval: "),
    "no duration": ("soon", "scrape_interval: "),
}


@pytest.mark.parametrize(("interval", "problem"), INTERVALS.values(), ids=INTERVALS.keys())
async def test_an_interval_that_cannot_be_is_refused(
    api: Api, server: PageServer, interval: Json, problem: str
) -> None:
    target = {**at(server, "one"), "scrape_interval": interval}
    answer = await api.register("one", task_of(), **target)

    assert (answer.status, answer.type) == (422, PROBLEM)
    assert answer.json["errors"][0].startswith(f"body: {problem}")
    assert server.asked == []


async def test_an_interval_without_a_target_is_refused(api: Api) -> None:
    task = task_of(selector={"instance": "a:1"})
    answer = await api.register("one", task, scrape_interval="1s")

    assert answer.status == 422
    assert "scrape_interval belongs to a target" in answer.text
