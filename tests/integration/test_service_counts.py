"""The counts of a window over HTTP, and what can be made of them when Prometheus is gone."""

from pathlib import Path

import orjson
import pytest
from tests.integration.service import (
    EXPERIMENTS,
    PROBLEM,
    Api,
    Deployments,
    Json,
    has_requests,
    serving,
    settings,
    task_of,
    unix,
)

from sloscore.evaluation.plan import plan_of
from sloscore.evaluation.report import report_window
from sloscore.experiments.counted import kept_counts
from sloscore.experiments.store import ExperimentStore
from sloscore.simulate.prometheus import PrometheusProcess

pytestmark = pytest.mark.prometheus
pytest_plugins = ["tests.integration.service_fixtures"]

HARD = {"threshold": 0.5, "hard_fail": True, "fail_ratio": 0.2}
SLOS = {"latency": {"p50": {"threshold": 0.4}, "p90": HARD}, "ttft": {"threshold": 0.05}}


async def counts(api: Api, name: str) -> Json:
    return (await api.get(f"{EXPERIMENTS}/{name}/counts")).json


async def check_none(api: Api, name: str, why: str) -> None:
    answer = await api.get(f"{EXPERIMENTS}/{name}/counts")
    assert (answer.status, answer.type) == (404, PROBLEM)
    assert why in answer.json["detail"]


async def rejudged(path: Path, name: str) -> Json:
    """The report that the stored counts give, by nothing but the store's file."""
    store = await ExperimentStore.open(path)
    try:
        experiment = await store.get(name)
        counted = kept_counts(await store.counts(name))
    finally:
        await store.close()
    assert counted is not None
    assert experiment.report is not None
    now = unix(str(experiment.report["evaluated_at"]))
    span = (counted.start, counted.end)
    report = report_window(plan_of(experiment), counted.counts, span, now=now)
    return orjson.loads(report.model_dump_json())


async def test_counts_are_those_of_the_report_while_it_runs_and_for_good(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    selector = {"instance": deployments.quick.address}
    async with serving(settings(tmp_path, prometheus.url)) as api:
        task = task_of(slo=SLOS, objective="maximize_throughput")
        await api.register("one", task, selector=selector)
        early = await api.score_until("one", has_requests(10))
        running = await counts(api, "one")
        assert running["window"]["end"] is None
        assert running["window"]["requests"] >= early["window"]["requests"]
        assert running["histograms"]["latency"]["counts"][-1] == running["window"]["requests"]
        await api.finish("one")
        final = await api.final("one")
    async with serving(settings(tmp_path)) as away:
        kept = await counts(away, "one")
        assert await away.score("one") == final
    assert (kept["experiment"], kept["task"], kept["window"]) == ("one", "chat", final["window"])
    latency = kept["histograms"]["latency"]
    assert latency["bounds"][-1] == "Infinity"
    assert len(latency["bounds"]) == len(latency["counts"])
    assert latency["layout"] == "classic"
    assert latency["counts"] == sorted(latency["counts"])
    assert 0 < latency["sum"] / latency["counts"][-1] < 60
    assert kept["histograms"].keys() >= {"latency", "ttft"}
    assert kept["counters"]["tokens_out"] > 0
    assert await rejudged(tmp_path / "sloscore.db", "one") == final


async def test_where_nothing_is_kept_a_sentence_says_why(tmp_path: Path) -> None:
    given = settings(tmp_path, evaluation={"source_wait": "1ms"})
    patient = settings(tmp_path, evaluation={"source_wait": "1h"})
    async with serving(given) as api:
        for name in ("unread", "aborted"):
            await api.register(name, task_of(), selector={"instance": "x"})
        await api.finish("unread")
        await api.abort("aborted")
        await api.final("unread")
        await check_none(api, "unread", "no counts are kept of experiment 'unread'")
        await check_none(api, "aborted", "experiment 'aborted' was aborted")
        await check_none(api, "nobody", "'nobody' is not registered")
        unknown = await api.get(f"{EXPERIMENTS}/unread/counts?phase=1")
        assert (unknown.status, unknown.json["detail"][:6]) == (422, "phase:")
    async with serving(patient) as api:
        await api.register("settling", task_of(), selector={"instance": "x"})
        await check_none(api, "settling", "nothing was counted for experiment 'settling' yet")
        await api.finish("settling")
        await check_none(api, "settling", "waits for its closing scrape")
