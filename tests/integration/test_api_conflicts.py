"""Repeated and contradicting requests: what may be said twice, and what is refused."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.service import EXPERIMENTS, PROBLEM, Answer, Api, serving, settings, task_of

TASK = task_of(selector={"instance": "x"})


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    # Without a source experiments end without data at once, which is an end like others.
    async with serving(settings(tmp_path, evaluation={"source_wait": "1ms"})) as api:
        yield api


def check_refused(answer: Answer, status: int, *words: str) -> None:
    assert (answer.status, answer.type) == (status, PROBLEM)
    for word in words:
        assert word in answer.json["detail"]


async def test_the_same_registration_may_be_repeated_and_another_one_conflicts(api: Api) -> None:
    first = await api.register("one", TASK, start=None)
    again = await api.register("one", TASK, start=None)
    assert (first.status, again.status) == (201, 200)
    assert again.json == first.json
    assert again.headers["Location"] == first.headers["Location"] == f"{EXPERIMENTS}/one"
    other = await api.register("one", task_of(selector={"instance": "y"}))
    check_refused(other, 409, "'one'", "another body")
    renamed = await api.register("one", {**TASK, "task_name": "other"})
    check_refused(renamed, 409, "'one'", "another body")
    assert await api.show("one") == first.json


async def test_keys_of_a_registration_may_come_in_another_order(api: Api) -> None:
    await api.register("one", TASK)
    backwards = dict(reversed(TASK.items()))
    assert (await api.post(EXPERIMENTS, {"task": backwards, "id": "one"})).status == 200


async def test_a_registration_repeated_after_the_end_answers_the_end_and_starts_nothing(
    api: Api,
) -> None:
    await api.register("one", TASK)
    await api.finish("one")
    report = await api.final("one")
    again = await api.register("one", TASK)
    assert (again.status, again.json["state"]) == (200, "no_data")
    assert await api.score("one") == report


async def test_finishing_may_be_repeated_and_another_end_conflicts(api: Api) -> None:
    started = await api.register("one", TASK)
    end = started.json["start"]
    first = await api.finish("one", end=end, base_score=2.5)
    repeated = [await api.finish("one"), await api.finish("one", end=end, base_score=2.5)]
    assert [answer.status for answer in (first, *repeated)] == [200, 200, 200]
    assert {answer.json["end"] for answer in (first, *repeated)} == {end}
    check_refused(await api.finish("one", base_score=3.0), 409, "base_score", "2.5")
    check_refused(await api.finish("one", end=0), 422, "end:", "before the start")
    await api.final("one")
    assert (await api.finish("one")).json["state"] == "no_data"
    check_refused(await api.finish("one", base_score=3.0), 409, "already no_data")


async def test_a_time_that_was_answered_can_be_sent_back(api: Api) -> None:
    for number in range(5):
        name = f"trial-{number}"
        start = (await api.register(name, TASK)).json["start"]
        end = (await api.finish(name)).json["end"]
        assert (await api.finish(name, end=end)).json["end"] == end
        await api.register(f"{name}-empty", TASK, start=start)
        assert (await api.finish(f"{name}-empty", end=start)).json["end"] == start


async def test_an_ended_experiment_cannot_be_aborted_and_keeps_its_report(api: Api) -> None:
    await api.register("one", TASK)
    await api.finish("one")
    report = await api.final("one")
    check_refused(await api.abort("one"), 409, "'one'", "already no_data")
    assert await api.score("one") == report


async def test_an_aborted_experiment_cannot_be_finished_and_keeps_its_first_reason(
    api: Api,
) -> None:
    await api.register("one", TASK)
    first = await api.abort("one", reason="out of memory")
    again = await api.abort("one", reason="another reason")
    assert (first.status, again.status) == (200, 200)
    assert first.json["reason"] == again.json["reason"] == "out of memory"
    check_refused(await api.finish("one"), 409, "'one' is aborted")
    assert (await api.register("one", TASK)).json["state"] == "aborted"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{EXPERIMENTS}/nobody"),
        ("GET", f"{EXPERIMENTS}/nobody/score"),
        ("GET", f"{EXPERIMENTS}/nobody/score?wait=5"),
        ("POST", f"{EXPERIMENTS}/nobody/finish"),
        ("POST", f"{EXPERIMENTS}/nobody/abort"),
        ("GET", "/api/v1/tasks/nobody"),
    ],
)
async def test_nobody_is_found_under_an_unknown_name(api: Api, method: str, path: str) -> None:
    check_refused(await api.request(method, path), 404, "'nobody'", "registered")


async def test_names_of_tasks_may_hold_any_printable_text(api: Api) -> None:
    name = "a/b c?d%20\u00e9&x=1"
    await api.register("one", {**TASK, "task_name": name})
    quoted = "a%2Fb%20c%3Fd%2520%C3%A9%26x%3D1"
    assert (await api.get(f"/api/v1/tasks/{quoted}")).json["task"] == name
    page = (await api.get(f"{EXPERIMENTS}?task={quoted}")).json
    assert [one["task"] for one in page["experiments"]] == [name]


async def test_pages_follow_each_other_and_filters_hold(api: Api) -> None:
    names = [f"trial-{number}" for number in range(5)]
    for name in names:
        await api.register(name, TASK)
    await api.register("other", {**TASK, "task_name": "other"})
    await api.abort("trial-3")
    found = []
    query = f"{EXPERIMENTS}?task=chat&state=running&limit=2"
    cursor = ""
    while True:
        page = (await api.get(query + cursor)).json
        assert len(page["experiments"]) <= 2
        found += [one["id"] for one in page["experiments"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == ["trial-4", "trial-2", "trial-1", "trial-0"]
