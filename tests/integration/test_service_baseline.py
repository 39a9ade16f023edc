"""Experiments next to a baseline: on real deployments, in reports, gauges and the client."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.integration.service import (
    PROBLEM,
    Api,
    Deployments,
    Json,
    has_requests,
    serving,
    settings,
    task_of,
)

from sloscore.client.report import Report
from sloscore.simulate.prometheus import PrometheusProcess

pytestmark = pytest.mark.prometheus
pytest_plugins = ["tests.integration.service_fixtures"]

# Sure enough that chance does not fail this test more often than once in thousands of runs.
CERTAIN = 0.9999
SLO = {
    "latency": {"p50": {"threshold": 1.0}},
    "throughput": {"threshold": 1.0},
    "confidence": CERTAIN,
}


def verdicts(report: Json) -> dict[str, str]:
    comparison = report["comparison"]
    assert comparison["reason"] is None, comparison
    found = {change["sli"]: change["verdict"] for change in comparison["slis"]}
    found["base_score"] = comparison["base_score"]["verdict"]
    return {**found, "over": comparison["slis"][0]["over_threshold"]["verdict"]}


def changes(report: Json) -> dict[str, Json]:
    comparison = report["comparison"]
    return {
        **{one["sli"]: one for one in comparison["slis"]},
        "base_score": comparison["base_score"],
    }


async def gauges(api: Api, experiment: str) -> dict[tuple[str, str], float]:
    answer = await api.get("/metrics")
    return {
        (sample.name.removeprefix("sloscore_sli_change_"), sample.labels["sli"]): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name.startswith("sloscore_sli_change_")
        and sample.labels["experiment"] == experiment
    }


async def run(api: Api, name: str, **more: Json) -> Json:
    await api.register(name, task_of(slo=SLO, **more.pop("task", {})), **more)
    await api.score_until(name, has_requests(100))
    await api.finish(name)
    return await api.final(name)


async def test_two_deployments_differ_and_one_does_not_differ_from_itself(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    quick = {"selector": {"instance": deployments.quick.address}, "server": "vllm"}
    slow = {"selector": {"instance": deployments.slow.address}, "server": "sglang"}
    by_task = {"task": {"baseline": "first"}}
    async with serving(settings(tmp_path, prometheus.url)) as api:
        first = await run(api, "first-one", **quick, **by_task)
        assert first["comparison"]["reason"] == "this experiment is the first of its task"
        again = await run(api, "again", **quick, **by_task)
        await api.register("slow", task_of(slo=SLO, baseline="first"), **slow)
        live = await api.score_until(
            "slow",
            lambda report: (report["comparison"]["base_score"] or {}).get("verdict") == "worse",
        )
        await api.finish("slow")
        worse = await api.final("slow")
        better = await run(api, "quick", baseline="slow", **quick)
        exposed = {name: await gauges(api, name) for name in ("again", "slow", "quick")}
    for report in (again, live, worse):
        assert report["comparison"]["baseline"] == "first-one"
        assert report["comparison"]["confidence"] == CERTAIN
    assert set(verdicts(again).values()) == {"cannot_tell"}
    assert live["status"] == "RUNNING"
    for report, outcome in ((worse, "worse"), (better, "better")):
        found = verdicts(report)
        assert {found[name] for name in ("latency_p50", "base_score", "over")} == {outcome}
    numbers = {"better": 1, "worse": -1, "cannot_tell": 0}
    for report in (again, worse, better):
        for sli, change in changes(report).items():
            own = exposed[report["experiment"]]
            assert own["ratio", sli] == change["change_ratio"]
            low, high = map(float, change["change_ratio_interval"])
            assert (own["lower_ratio", sli], own["upper_ratio", sli]) == (low, high)
            assert own["verdict", sli] == numbers[change["verdict"]]
    typed = Report.of(worse).comparison
    assert typed is not None
    assert typed.baseline == "first-one"
    assert {typed.slis["latency_p50"].verdict, typed.over_threshold["latency_p50"].verdict} == {
        "worse"
    }
    assert typed.base_score is not None
    assert typed.base_score.ratio == changes(worse)["base_score"]["change_ratio"]
    # What was told stays, and a baseline needs no Prometheus any more.
    async with serving(settings(tmp_path)) as away:
        assert await away.score("slow") == worse


async def test_a_baseline_has_to_be_registered_but_not_to_have_ended(tmp_path: Path) -> None:
    async with serving(settings(tmp_path, evaluation={"source_wait": "1ms"})) as api:
        selector = {"selector": {"instance": "x"}}
        for body, place, why in (
            ({"baseline": "gone"}, ["baseline"], "no experiment 'gone' is registered"),
            ({"baseline": "one"}, ["baseline"], "'one' is this experiment itself"),
            ({"baseline": "no id!"}, ["baseline"], "must match ^[A-Za-z0-9]"),
            ({"baseline": None}, ["task", "baseline"], "no experiment 'of-task' is registered"),
        ):
            task = task_of(baseline="of-task")
            answer = await api.register("one", task, **selector, **body)
            assert (answer.status, answer.type) == (422, PROBLEM)
            assert answer.json["detail"].startswith(f"body: {'.'.join(place)}: ")
            assert why in answer.json["detail"]
            assert answer.json["fields"][0]["pointer"] == f"/{'/'.join(place)}"
        itself = await api.register("of-task", task, **selector)
        assert itself.status == 201
        waiting = await api.register("one", task, **selector)
        assert waiting.status == 201
        assert (await api.register("one", task, **selector)).status == 200
        await api.finish("one")
        report = await api.final("one")
        reason = report["comparison"]["reason"]
        assert reason.startswith("this experiment has no data: the metric source failed")
        assert await gauges(api, "one") == {}
        plain = await api.register("plain", task_of(), **selector)
        assert plain.status == 201
        assert (await api.score("plain"))["comparison"] is None
