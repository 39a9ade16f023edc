"""The violation budget of a task, as the API tells it and as its gauges do."""

import asyncio
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.integration.service import (
    Api,
    Deployments,
    Json,
    has_requests,
    serving,
    settings,
    task_of,
    until,
)

from sloscore.simulate.prometheus import PrometheusProcess

pytest_plugins = ["tests.integration.service_fixtures"]

HARD = {"latency": {"p50": {"threshold": 0.001, "hard_fail": True}}}


async def gauges(api: Api) -> dict[str, dict[str, float]]:
    """The gauges of tasks by task: states by their name, the budget's by theirs."""
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families((await api.get("/metrics")).text):
        for sample in family.samples:
            if sample.name.startswith("sloscore_task_"):
                name = sample.name.removeprefix("sloscore_task_")
                key = sample.labels.get("state", name)
                found.setdefault(sample.labels["task"], {})[key] = sample.value
    return found


def search(budget: Json = None, **more: Json) -> Json:
    slo = HARD if budget is None else {**HARD, "violation_budget": budget}
    return task_of("search", slo=slo, **more)


async def test_the_newest_task_file_decides_how_many_may_fail(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    selector = {"instance": deployments.quick.address}
    planned = {"optimization": {"objective": "minimize_latency", "max_iterations": 20}}
    async with serving(settings(tmp_path, prometheus.url)) as api:
        await api.register("one", search({"count": 1}), selector=selector)
        await api.register("two", search({"share": 0.2}, **planned), selector=selector)
        for name in ("one", "two"):
            await api.score_until(name, has_requests(2))
        running = (await api.get("/api/v1/tasks/search")).json["violation_budget"]
        await asyncio.gather(*(api.finish(name) for name in ("one", "two")))
        assert [(await api.final(name))["status"] for name in ("one", "two")] == ["FAILED"] * 2
        told = (await api.get("/api/v1/tasks/search")).json
        shown = await gauges(api)
        await api.register("three", search({"count": 2}), selector=selector)
        fewer = (await api.get("/api/v1/tasks/search")).json["violation_budget"]
        await api.register("four", search(), selector=selector)
        none = (await api.get("/api/v1/tasks/search")).json["violation_budget"]
        without = await gauges(api)

    assert running == {
        "ended": 0, "hard_violations": 0, "no_data": 0, "hard_violation_share": None,
        "allowed": 4, "spent": 0, "exhausted": False,
    }  # fmt: skip
    assert told["violation_budget"] == {
        "ended": 2, "hard_violations": 2, "no_data": 0, "hard_violation_share": 1,
        "allowed": 4, "spent": 0.5, "exhausted": False,
    }  # fmt: skip
    budget = {"violation_budget_experiments": 4, "violation_budget_spent_ratio": 0.5}
    assert shown == {"search": {**told["states"], **budget}}
    assert (fewer["allowed"], fewer["spent"], fewer["exhausted"]) == (2, 1, True)
    assert (none["allowed"], none["spent"], none["exhausted"]) == (None, None, None)
    assert without["search"].keys() == told["states"].keys()
    assert without["search"]["failed"] == 2


async def test_a_task_that_may_not_fail_at_all_has_spent_infinitely_much(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    async with serving(settings(tmp_path, prometheus.url)) as api:
        selector = {"instance": deployments.quick.address}
        await api.register("one", search({"count": 0}), selector=selector)
        await api.score_until("one", has_requests(2))
        await api.finish("one")
        await api.final("one")
        budget = (await api.get("/api/v1/tasks/search")).json["violation_budget"]
        shown = await gauges(api)
    assert (budget["allowed"], budget["spent"], budget["exhausted"]) == (0, "Infinity", True)
    assert shown["search"]["violation_budget_spent_ratio"] == float("inf")


async def test_the_gauges_of_a_task_leave_with_its_last_experiment(tmp_path: Path) -> None:
    short = {"source_wait": "1ms", "retention": "500ms"}
    async with serving(settings(tmp_path, evaluation=short)) as api:
        await api.register("one", search({"count": 1}), selector={"instance": "x"})
        await api.finish("one")
        await api.final("one")
        assert (await gauges(api))["search"]["no_data"] == 1
        assert await until(lambda: gauges(api), lambda found: not found) == {}
        budget = (await api.get("/api/v1/tasks/search")).json["violation_budget"]
    assert (budget["ended"], budget["no_data"], budget["spent"]) == (1, 1, 0)


@pytest.mark.parametrize(
    ("budget", "problem"),
    [
        ({"share": 0.1, "count": 3}, "give either share"),
        ({"share": 7}, "must be at most 1"),
    ],
)
async def test_a_registration_with_an_impossible_budget_is_refused(
    tmp_path: Path, budget: Json, problem: str
) -> None:
    async with serving(settings(tmp_path)) as api:
        answer = await api.register("one", search(budget), selector={"instance": "x"})
    assert answer.status == 422
    assert "task.slo.violation_budget" in answer.json["errors"][0]
    assert problem in answer.json["errors"][0]


async def test_a_task_of_any_name_is_found_by_the_link_of_its_alert(tmp_path: Path) -> None:
    async with serving(settings(tmp_path)) as api:
        await api.register("one", task_of("a b/c"), selector={"instance": "x"})
        # As urlquery and reReplaceAll write it in the rules.
        answer = await api.get("/api/v1/tasks/a%20b%2Fc")
    assert (answer.status, answer.json["task"]) == (200, "a b/c")
