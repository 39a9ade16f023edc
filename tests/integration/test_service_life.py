"""Experiments over HTTP from their registration to their place in the ranking of their task."""

import asyncio
import math
import statistics
import time
from pathlib import Path

import pytest
from tests.integration.service import (
    EXPERIMENTS,
    NOWHERE,
    Api,
    Deployments,
    Json,
    has_requests,
    is_closed_in_time,
    requests_between,
    serving,
    settings,
    task_of,
    unix,
)

from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.simulate.server import SimulatedServer

pytestmark = pytest.mark.prometheus
pytest_plugins = ["tests.integration.service_fixtures"]


def on(server: SimulatedServer) -> Json:
    return {"instance": server.address}


def check_counts(report: Json, server: SimulatedServer) -> None:
    """Hold what was measured against the server's own log of requests."""
    requests = requests_between(server, report["window"])
    assert report["window"]["requests"] == len(requests) > 0
    mean = statistics.fmean(request.latency for request in requests)
    assert report["base_score"] == pytest.approx(mean, rel=1e-9)


async def test_an_experiment_from_its_registration_to_its_ranking(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    slo = {"latency": {"p90": {"threshold": 0.5, "weight": 2.0}}, "steepness": 2.0}
    async with serving(settings(tmp_path, prometheus.url)) as api:
        registered = await api.register("one", task_of(slo=slo), selector=on(deployments.quick))
        assert (registered.status, registered.json["state"]) == (201, "running")
        assert registered.headers["Location"] == f"{EXPERIMENTS}/one"
        early = await api.score_until("one", has_requests(10))
        later = await api.score_until("one", has_requests(early["window"]["requests"] + 1))
        for report in (early, later):
            assert (report["status"], report["window"]["end"]) == ("RUNNING", None)
            check_counts(report, deployments.quick)
        waiting = asyncio.create_task(api.final("one"))
        finished = await api.finish("one")
        assert (finished.status, finished.json["state"]) == (200, "settling")
        final = await waiting
        assert final["status"] == "SUCCESS"
        check_counts(final, deployments.quick)
        window = final["window"]
        assert window["observed_start"] <= window["start"] == registered.json["start"]
        assert window["end"] == finished.json["end"]
        assert is_closed_in_time(deployments.quick, window)
        assert (window["unseen_head"], window["unseen_tail"], window["instances"]) == (0, 0, 1)
        (sli,) = final["slis"]
        ratio = (sli["value"] - 0.5) / 0.5
        assert final["penalty"] == pytest.approx(2.0 * math.exp(ratio / 2.0))
        assert final["score"] == pytest.approx(final["base_score"] * (1 + final["penalty"]))
        shown = await api.show("one")
        assert (shown["state"], shown["score"]) == ("scored", final["score"])
        assert (await api.get(EXPERIMENTS)).json["experiments"] == [shown]
        ranking = (await api.get("/api/v1/tasks/chat")).json
        assert (ranking["best"], ranking["ranking"]) == ("one", [shown])
        assert await api.score("one") == final


async def test_every_way_to_end_has_its_state_and_its_place_in_the_ranking(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    # However long the queue has grown meanwhile, the penalty is a finite number.
    limit = {"threshold": 1.0, "hard_fail": True, "fail_ratio": 0.5}
    hard = {"latency": {"p90": limit}, "steepness": 1000.0}
    lenient = task_of(server="sglang")
    async with serving(settings(tmp_path, prometheus.url)) as api:
        await api.register("healthy", task_of(), selector=on(deployments.quick))
        await api.register("queueing", lenient, selector=on(deployments.slow))
        await api.register(
            "broken", task_of(server="sglang", slo=hard), selector=on(deployments.slow)
        )
        await api.register("nowhere", task_of(), selector={"instance": "10.255.255.1:8000"})
        await api.register("called-off", task_of(), selector=on(deployments.quick))
        for name in ("healthy", "queueing", "broken"):
            await api.score_until(name, has_requests(10))
        running = await api.score("broken")
        assert (running["status"], running["score"]) == ("RUNNING", "Infinity")
        assert (await api.abort("called-off", reason="out of memory")).json["state"] == "aborted"
        for name in ("healthy", "queueing", "broken", "nowhere"):
            await api.finish(name)
        reports = {name: await api.final(name) for name in ("healthy", "broken", "nowhere")}
        slow = await api.final("queueing")
        states = {name: (await api.show(name))["state"] for name in (*reports, "called-off")}
        task = (await api.get("/api/v1/tasks/chat")).json
    assert states == {
        "healthy": "scored",
        "broken": "failed",
        "nowhere": "no_data",
        "called-off": "aborted",
    }
    check_counts(slow, deployments.slow)
    broken = reports["broken"]
    assert (broken["status"], broken["slo_violation"]) == ("FAILED", True)
    assert (broken["score"], broken["reason"]) == ("Infinity", "Hard SLO violation")
    assert broken["finite_score"] == pytest.approx(broken["base_score"] * (1 + broken["penalty"]))
    nothing = reports["nowhere"]
    assert (nothing["status"], nothing["score"], nothing["base_score"]) == ("NO_DATA", None, None)
    assert "matched no series" in nothing["reason"]
    assert [one["id"] for one in task["ranking"]][:3] == ["healthy", "queueing", "broken"]
    assert task["best"] == "healthy"
    assert {state: n for state, n in task["states"].items() if n} == {
        "scored": 2,
        "failed": 1,
        "no_data": 1,
        "aborted": 1,
    }
    assert task["violation_budget"] == {
        "ended": 5,
        "hard_violations": 1,
        "no_data": 1,
        "hard_violation_share": pytest.approx(1 / 3),
        "allowed": None,
        "spent": None,
        "exhausted": None,
    }


async def test_a_load_that_began_before_its_registration_is_counted_from_its_start(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    start = await prometheus.wait_for_scrape(deployments.slow.address, time.time())
    end = await prometheus.wait_for_scrape(deployments.slow.address, start + 1.0)
    async with serving(settings(tmp_path, prometheus.url)) as api:
        task = task_of(server="sglang", selector=on(deployments.slow))
        await api.register("late", task, start=start)
        await api.finish("late", end=end)
        report = await api.final("late")
    assert unix(report["window"]["observed_start"]) == pytest.approx(start, abs=1e-3)
    assert unix(report["window"]["observed_end"]) == pytest.approx(end, abs=1e-3)
    check_counts(report, deployments.slow)


async def test_throughput_is_the_tokens_of_the_window_and_fails_towards_minus_infinity(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    slo = {"throughput": {"threshold": 1e6, "hard_fail": True, "fail_ratio": 0.1}}
    objective = "maximize_throughput"
    async with serving(settings(tmp_path, prometheus.url)) as api:
        for name, slos in (("good", None), ("bad", slo)):
            task = task_of("batch", objective=objective, slo=slos)
            await api.register(name, task, selector=on(deployments.quick))
        for name in ("good", "bad"):
            await api.score_until(name, has_requests(10))
            await api.finish(name)
        good, bad = [await api.final(name) for name in ("good", "bad")]
        task = (await api.get("/api/v1/tasks/batch")).json
    window = good["window"]
    tokens = sum(r.output_tokens for r in requests_between(deployments.quick, window))
    inside = unix(window["end"]) - unix(window["start"])
    seconds = max(inside, unix(window["observed_end"]) - unix(window["observed_start"]))
    assert good["base_score"] == good["score"] == pytest.approx(tokens / seconds, rel=0.01)
    assert (bad["status"], bad["score"]) == ("FAILED", "-Infinity")
    assert (task["direction"], task["best"]) == ("maximize", "good")
    assert [one["id"] for one in task["ranking"]] == ["good", "bad"]


async def test_a_base_score_of_the_tuner_takes_the_place_of_the_measured_one(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    async with serving(settings(tmp_path, prometheus.url)) as api:
        await api.register("own", task_of(), selector=on(deployments.quick))
        await api.score_until("own", has_requests(10))
        await api.finish("own", base_score=42.5)
        report = await api.final("own")
    assert (report["base_score"], report["penalty"], report["score"]) == (42.5, 0, 42.5)


async def test_an_experiment_that_nobody_ends_is_ended_by_the_longest_window(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    short = settings(tmp_path, prometheus.url, evaluation={"max_window": "2s"})
    async with serving(short) as api:
        await api.register("forgotten", task_of(), selector=on(deployments.quick))
        report = await api.final("forgotten")
        assert (await api.show("forgotten"))["state"] == "scored"
    window = report["window"]
    assert unix(window["end"]) - unix(window["start"]) == pytest.approx(2.0, abs=2e-3)
    check_counts(report, deployments.quick)


async def settling(api: Api) -> None:
    await api.register("settling", task_of(), selector={"instance": "x"})
    await api.score_until("settling", lambda report: "cannot reach" in report["reason"])
    end = (await api.finish("settling")).json["end"]
    report = await api.score("settling")
    assert (report["status"], report["score"]) == ("RUNNING", None)
    assert report["infeasibility_reason"] is None
    assert report["window"]["end"] == end
    assert report["decision"]["action"] == "stop"
    assert report["decision"]["reason"] == "The load has ended; waiting for the closing scrape."
    assert (await api.show("settling"))["state"] == "settling"


async def test_an_experiment_settles_while_its_source_is_away_and_can_be_called_off(
    tmp_path: Path,
) -> None:
    async with serving(settings(tmp_path, NOWHERE)) as api:
        await settling(api)
        waiting = asyncio.create_task(api.score("settling", 30))
        await api.abort("settling", reason="no longer wanted")
        report = await waiting
    assert report["reason"] == "Experiment aborted: no longer wanted"
    assert report["infeasibility_reason"] == report["reason"]
    assert (report["status"], report["score"]) == ("NO_DATA", None)


async def test_a_source_that_stays_away_ends_in_no_data_with_its_reason(tmp_path: Path) -> None:
    async with serving(settings(tmp_path, NOWHERE, evaluation={"source_wait": "500ms"})) as api:
        await settling(api)
        report = await api.final("settling")
        assert (await api.show("settling"))["state"] == "no_data"
    assert report["status"] == "NO_DATA"
    assert "cannot reach Prometheus at http://127.0.0.1:1" in report["reason"]
