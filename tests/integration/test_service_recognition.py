"""A deployment whose server nobody names is recognised by the metrics that it exposes."""

from pathlib import Path

import pytest
from tests.integration.service import Deployments, Json, has_requests, serving, settings, task_of

from sloscore.simulate.prometheus import PrometheusProcess

pytest_plugins = ["tests.integration.service_fixtures"]
pytestmark = pytest.mark.prometheus

SLO = {"latency": {"p50": {"threshold": 5000.0}}, "ttft": {"threshold": 5000.0}}


def unnamed(**more: Json) -> Json:
    task = task_of(slo=SLO, **more)
    del task["server"]
    return task


async def test_servers_of_two_kinds_are_recognised_and_scored_alike(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    async with serving(settings(tmp_path, prometheus.url)) as api:
        for name, server in (("v", deployments.quick), ("s", deployments.slow)):
            selector = {"instance": server.address}
            assert (await api.register(name, unnamed(), selector=selector)).status == 201
        for name in ("v", "s"):
            await api.score_until(name, has_requests(20))
            await api.finish(name)
            final = await api.final(name)
            assert (final["status"], final["reason"]) == ("SUCCESS", None)


async def test_a_selector_that_shows_two_kinds_of_server_is_no_data_with_both_named(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    del deployments
    async with serving(
        settings(tmp_path, prometheus.url, evaluation={"closing_wait": "1s"})
    ) as api:
        await api.register("both", unnamed(), selector={"job": "serving"})
        await api.finish("both")
        report = await api.final("both")
    assert report["status"] == "NO_DATA"
    assert "sglang, vllm all fit the metrics that are exposed" in report["reason"]


async def test_a_past_window_of_an_unnamed_server_is_scored(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    async with serving(settings(tmp_path, prometheus.url)) as api:
        selector = {"instance": deployments.quick.address}
        await api.register("live", unnamed(), selector=selector)
        await api.score_until("live", has_requests(20))
        await api.finish("live")
        window = (await api.final("live"))["window"]
        body = {"slo": SLO, "selector": selector}
        past = await api.post(
            "/api/v1/score", {**body, "window": {"start": window["start"], "end": window["end"]}}
        )
        assert past.json["window"]["requests"] == window["requests"]
        nobody = await api.post(
            "/api/v1/score",
            {"slo": SLO, "selector": {"instance": "x"}, "window": {"start": 1, "end": 2}},
        )
    assert nobody.status == 422
    assert "cannot be recognised, as no metrics are exposed" in nobody.json["detail"]


async def test_a_page_is_recognised_when_it_is_registered(
    deployments: Deployments, tmp_path: Path
) -> None:
    given = settings(tmp_path, prometheus={"enabled": False}, scrape={"interval": "200ms"})
    async with serving(given) as api:
        target = f"http://{deployments.slow.address}/metrics"
        assert (await api.register("page", unnamed(), target=target)).status == 201
        await api.score_until("page", has_requests(20))
        await api.finish("page")
        final = await api.final("page")
        assert (final["status"], final["reason"]) == ("SUCCESS", None)
        refused = await api.register("down", unnamed(), target="http://127.0.0.1:1/metrics")
    assert refused.status == 422
    assert refused.json["detail"].startswith("server: cannot be recognised, as cannot scrape")


async def test_metrics_are_read_under_the_names_that_a_task_gives(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    own = {
        "latency": {
            "names": ["sglang:queue_time_seconds", "sglang_queue_time_seconds"],
            "unit": "s",
        }
    }
    task = unnamed(metrics=own)
    task["slo"] = {"latency": {"p50": {"threshold": 5000.0}}}
    async with serving(settings(tmp_path, prometheus.url)) as api:
        selector = {"instance": deployments.slow.address}
        assert (await api.register("own", task, selector=selector)).status == 201
        await api.score_until("own", has_requests(20))
        await api.finish("own")
        report = await api.final("own")
    assert report["status"] == "SUCCESS"
