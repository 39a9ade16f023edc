"""Phases of a server that the service scrapes itself: exact, however short they are."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.pages import Engine, PageServer
from tests.integration.processes import kill, started
from tests.integration.service import EXPERIMENTS, PROBLEM, Api, Json, serving, settings, task_of

SLO = {"latency": {"p50": {"threshold": 0.6, "hard_fail": True, "fail_ratio": 0.5}}}


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
async def server(engine: Engine) -> AsyncIterator[PageServer]:
    async with PageServer(engine.answer) as server:
        yield server


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(settings(tmp_path, prometheus={"enabled": False})) as api:
        yield api


async def register(api: Api, server: PageServer, slo: Json = SLO, **more: Json) -> None:
    """Register an experiment whose server is scraped where it must be, and not in between."""
    task = task_of(slo={**slo, **more})
    answer = await api.register("one", task, target=server.url, scrape_interval="1h")
    assert answer.status == 201


async def start(api: Api, name: str) -> Json:
    answer = await api.post(f"{EXPERIMENTS}/one/phases", {"name": name})
    assert answer.status == 200, answer.text
    return answer.json


async def end(api: Api, **body: Json) -> Json:
    answer = await api.post(f"{EXPERIMENTS}/one/phases/end", body)
    assert answer.status == 200, answer.text
    return answer.json


def counted(report: Json) -> dict[str, float]:
    return {phase["name"]: phase["window"]["requests"] for phase in report["phases"]}


async def test_phases_of_no_time_count_what_finished_in_each(
    api: Api, server: PageServer, engine: Engine
) -> None:
    await register(api, server)
    for name, latency, times in (("a", 0.25, 20), ("b", 0.75, 30), ("c", 0.25, 40)):
        await start(api, name)
        engine.finish(latency, times=times)
    await end(api)
    engine.finish(0.25, times=5)
    await start(api, "d")
    engine.finish(0.25, times=10)
    await api.finish("one")
    report = await api.final("one")
    assert counted(report) == {"a": 20, "b": 30, "c": 40, "d": 10}
    assert report["window"]["requests"] == 105
    for phase in report["phases"]:
        window = phase["window"]
        assert (window["unseen_head"], window["unseen_tail"], window["resets"]) == (0, 0, 0)
        assert max(window["widened_head"], window["widened_tail"]) < 0.5
    for one, other in itertools.pairwise(report["phases"][:3]):
        assert one["end"] == other["start"] == one["window"]["observed_end"]
    assert [phase["base_score"] for phase in report["phases"]] == pytest.approx(
        [0.25, 0.75, 0.25, 0.25]
    )


async def test_a_short_phase_fails_the_experiment_that_passes_on_the_whole(
    api: Api, server: PageServer, engine: Engine
) -> None:
    await register(api, server, phases={"score": "worst"})
    await start(api, "easy")
    engine.finish(0.25, times=200)
    await start(api, "hard")
    engine.finish(1.5, times=50)
    await api.finish("one")
    report = await api.final("one")
    assert (report["status"], report["score"]) == ("FAILED", "Infinity")
    assert (report["scored_phase"], report["reason"]) == (
        "hard",
        "Hard SLO violation in phase hard",
    )
    assert report["whole"]["status"] == "SUCCESS"
    assert (await api.show("one"))["state"] == "failed"
    assert "<p>Phase hard breaks a hard SLO.</p>" in (await api.get("/experiments/one")).text
    gauges = (await api.get("/metrics")).text
    assert 'sloscore_sli_hard_fail{experiment="one",sli="latency_p50",task="chat"} 1.0' in gauges
    assert 'sloscore_experiment_requests{experiment="one",task="chat"} 250.0' in gauges


async def test_a_mark_scrapes_its_server_once_however_often_it_is_repeated(
    api: Api, server: PageServer, engine: Engine
) -> None:
    await register(api, server)
    # One scrape before the answer, and one as the target is followed.
    if len(server.asked) < 2:
        await server.asked_again()
    first = await start(api, "a")
    assert len(server.asked) == 3
    engine.finish(0.25, times=5)
    assert await start(api, "a") == first
    ended = await end(api, name="a")
    assert len(server.asked) == 4
    assert await end(api, name="a") == await end(api) == ended
    refused = await api.post(f"{EXPERIMENTS}/one/phases", {"name": "a"})
    assert (refused.status, refused.type) == (409, PROBLEM)
    assert len(server.asked) == 4
    await api.finish("one")
    assert counted(await api.final("one")) == {"a": 5}


async def test_a_phase_that_began_a_while_ago_is_not_bounded_by_a_scrape_of_now(
    api: Api, server: PageServer, engine: Engine
) -> None:
    await register(api, server)
    engine.finish(0.25, times=10)
    begun = (await api.show("one"))["start"]
    answer = await api.post(f"{EXPERIMENTS}/one/phases", {"name": "a", "start": begun})
    assert answer.json["phases"] == [{"name": "a", "start": begun, "end": None}]
    engine.finish(0.25, times=10)
    await api.finish("one")
    assert counted(await api.final("one")) == {"a": 20}


async def test_marks_survive_the_service_and_so_do_their_scrapes(
    server: PageServer, engine: Engine, tmp_path: Path
) -> None:
    async with started(tmp_path, None) as (process, api):
        await register(api, server)
        await start(api, "a")
        engine.finish(0.25, times=20)
        marked = await start(api, "b")
        await kill(process)
    engine.finish(0.75, times=30)
    async with started(tmp_path, None) as (_, api):
        assert await api.show("one") == marked
        # The scrape of the service that is back is no bound of a phase, but this one is.
        await end(api)
        engine.finish(0.25, times=7)
        await api.finish("one")
        report = await api.final("one")
    assert counted(report) == {"a": 20, "b": 30}
    assert report["window"]["requests"] == 57


BAD: dict[str, tuple[str, Json, int, str]] = {
    "no name": ("phases", {}, 422, "body: name: is required"),
    "an empty name": ("phases", {"name": ""}, 422, "body: name: must be text of at least 1"),
    "a long name": ("phases", {"name": "x" * 65}, 422, "body: name: must be text of at most 64"),
    "an unprintable name": ("phases", {"name": "a\nb"}, 422, "body: name: must be printable"),
    "no time": ("phases", {"name": "a", "start": "soon"}, 422, "body: start: 'soon' is no time"),
    "the future": ("phases", {"name": "a", "start": 4e9}, 422, "start: lies in the future"),
    "before the load": (
        "phases",
        {"name": "a", "start": 1},
        422,
        "start: 1970-01-01T00:00:01.000Z is before",
    ),
    "an unknown key": ("phases", {"name": "a", "end": 1}, 422, "body: end: is not a known key"),
    "an end in the future": ("phases/end", {"end": 4e9}, 422, "end: lies in the future"),
    "an end of nothing": ("phases/end", {"name": "a"}, 409, "has no phase 'a' to end"),
}


@pytest.mark.parametrize(("path", "body", "status", "words"), BAD.values(), ids=BAD.keys())
async def test_a_bad_mark_is_refused_with_its_field(
    api: Api, server: PageServer, path: str, body: Json, status: int, words: str
) -> None:
    await register(api, server)
    answer = await api.post(f"{EXPERIMENTS}/one/{path}", body)
    assert (answer.status, answer.type) == (status, PROBLEM)
    assert words in answer.json["detail"]
    assert (await api.show("one"))["phases"] == []


async def test_there_are_no_more_phases_than_the_settings_allow(
    server: PageServer, tmp_path: Path
) -> None:
    given = settings(tmp_path, prometheus={"enabled": False}, limits={"max_phases": 2})
    async with serving(given) as api:
        await register(api, server)
        for name in ("a", "b"):
            await start(api, name)
        refused = await api.post(f"{EXPERIMENTS}/one/phases", {"name": "c"})
        assert (refused.status, "limits.max_phases" in refused.json["detail"]) == (429, True)
        await api.abort("one")
        refused = await api.post(f"{EXPERIMENTS}/one/phases", {"name": "b"})
        assert (refused.status, "already aborted" in refused.json["detail"]) == (409, True)
        report = await api.score("one")
        assert [phase["status"] for phase in report["phases"]] == ["NO_DATA", "NO_DATA"]
