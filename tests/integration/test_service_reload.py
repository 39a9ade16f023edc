"""Settings that are read again: what changes live, what is refused, and windows that go on."""

import asyncio
import contextlib
import json
import signal
import statistics
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from tests.cli.command import Process, running
from tests.integration.relay import relayed
from tests.integration.service import (
    EXPERIMENTS,
    NOWHERE,
    PROBLEM,
    Answer,
    Api,
    Deployments,
    Json,
    has_requests,
    requests_between,
    serving,
    settings,
    task_of,
    until,
)

from sloscore.simulate.prometheus import PrometheusProcess

pytest_plugins = ["tests.integration.service_fixtures"]

RELOAD = "/-/reload"
SUCCESSFUL = "sloscore_config_last_reload_successful"
SUCCESS_AT = "sloscore_config_last_reload_success_timestamp_seconds"


@dataclass
class Service:
    """A service that runs with a settings file."""

    process: Process
    api: Api
    path: Path

    def write(self, data: Json) -> None:
        self.path.write_text(yaml.safe_dump(data), encoding="utf-8")

    async def reload(self) -> Json:
        answer = await self.api.post(RELOAD)
        assert answer.status == 200, answer
        return answer.json["changed"]

    async def gauge(self, name: str) -> float:
        lines = (await self.api.get("/metrics")).text.splitlines()
        (value,) = (line.split()[1] for line in lines if line.startswith(f"{name} "))
        return float(value)

    async def events(self) -> list[dict[str, Any]]:
        """All that it logged until its end."""
        self.process.send(signal.SIGTERM)
        return [json.loads(line) for line in (await self.process.end()).err.splitlines()]


def data_of(place: Path, url: str = NOWHERE, **more: Json) -> Json:
    return {
        "listen": {"port": 0},
        "store": {"path": str(place / "s.db")},
        "prometheus": {"url": url},
        "evaluation": {"interval": "200ms", "closing_wait": "3s"},
        "log": {"format": "json"},
        **more,
    }


@contextlib.asynccontextmanager
async def configured(place: Path, data: Json) -> AsyncIterator[Service]:
    path = place / "sloscore.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    async with (
        running("serve", "--config", str(path)) as process,
        aiohttp.ClientSession() as session,
    ):
        announced = await process.line()
        yield Service(process, Api(session, announced.split()[-1]), path)


@pytest.mark.prometheus
async def test_a_window_goes_on_at_another_address_of_prometheus(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    server = deployments.quick
    async with (
        relayed(prometheus.url) as relay,
        configured(tmp_path, data_of(tmp_path, prometheus.url)) as service,
    ):
        api = service.api
        await api.register("one", task_of(), selector={"instance": server.address})
        before = await api.score_until("one", has_requests(10))
        service.write(data_of(tmp_path, relay.url))
        assert await service.reload() == ["prometheus.url"]
        after = await api.score_until("one", has_requests(before["window"]["requests"] + 10))
        assert after["window"]["start"] == before["window"]["start"]
        assert relay.connections > 0
        await api.finish("one")
        final = await api.final("one")
        events = await service.events()
    requests = requests_between(server, final["window"])
    assert final["window"]["requests"] == len(requests) > 0
    mean = statistics.fmean(request.latency for request in requests)
    assert final["base_score"] == pytest.approx(mean, rel=1e-9)
    assert [event for event in events if event["level"] in {"warning", "error"}] == []


@pytest.mark.prometheus
async def test_a_score_that_is_asked_for_meanwhile_is_answered(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    async with (
        relayed(prometheus.url) as relay,
        configured(tmp_path, data_of(tmp_path, prometheus.url)) as service,
    ):
        await service.api.register(
            "one", task_of(), selector={"instance": deployments.quick.address}
        )
        await service.api.score_until("one", has_requests(1))
        start = (await service.api.show("one"))["start"]
        past = {
            "selector": {"instance": deployments.quick.address},
            "server": "vllm",
            "slo": task_of()["slo"],
            "window": {"start": start, "end": start},
        }
        past["window"]["end"] = (await service.api.score("one"))["window"]["observed_end"]

        async def score() -> int:
            return (await service.api.post("/api/v1/score", past)).status

        for url in (relay.url, prometheus.url) * 3:
            asked = [asyncio.create_task(score()) for _ in range(8)]
            service.write(data_of(tmp_path, url))
            assert await service.reload() == ["prometheus.url"]
            assert await asyncio.gather(*asked) == [200] * 8
        assert service.process.pid


async def test_a_signal_reloads_as_the_call_does(tmp_path: Path) -> None:
    async with configured(tmp_path, data_of(tmp_path)) as service:
        began = await service.gauge(SUCCESS_AT)
        service.write(data_of(tmp_path, limits={"max_phases": 2}))
        service.process.send(signal.SIGHUP)

        async def limit() -> Json:
            status = (await service.api.get("/api/v1/status")).json
            return status["settings"]["limits"]["max_phases"]

        await until(limit, lambda value: value == 2)
        assert await service.gauge(SUCCESS_AT) > began
        assert await service.gauge(SUCCESSFUL) == 1
        events = await service.events()
    (reloaded,) = (event for event in events if event["event"] == "settings reloaded")
    assert reloaded["changed"] == ["limits.max_phases"]


async def test_settings_with_a_mistake_leave_those_before_and_say_where_it_is(
    tmp_path: Path,
) -> None:
    async with configured(tmp_path, data_of(tmp_path)) as service:
        began = await service.gauge(SUCCESS_AT)
        service.path.write_text("evaluation:\n  interval: 1s\n  retention: soon\n")
        answer = await service.api.post(RELOAD)
        sentence = f"{service.path}:3: evaluation.retention: 'soon' is no duration"
        assert (answer.status, answer.type) == (422, PROBLEM)
        assert answer.json["detail"].startswith(sentence)
        status = (await service.api.get("/api/v1/status")).json
        assert status["settings"]["evaluation"]["interval"] == 0.2
        assert await service.gauge(SUCCESSFUL) == 0
        assert await service.gauge(SUCCESS_AT) == began
        service.write(data_of(tmp_path))
        assert await service.reload() == []
        assert await service.gauge(SUCCESSFUL) == 1
        events = await service.events()
    (refused,) = (event for event in events if event["event"] == "settings not reloaded")
    assert refused["errors"][0].startswith(sentence)
    assert refused["level"] == "error"


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("listen", "port", 1),
        ("listen", "host", "127.0.0.2"),
        ("store", "path", "other.db"),
        ("limits", "max_body_bytes", 4096),
    ],
)
async def test_what_needs_a_restart_is_refused_with_all_else(
    tmp_path: Path, section: str, key: str, value: Json
) -> None:
    async with configured(tmp_path, data_of(tmp_path)) as service:
        changed = data_of(tmp_path, evaluation={"interval": "1s"})
        changed[section] = {**changed.get(section, {}), key: value}
        service.write(changed)
        answer = await service.api.post(RELOAD)
        assert answer.status == 422
        lines = service.path.read_text().splitlines()
        line = next(n for n, text in enumerate(lines, 1) if text.strip().startswith(f"{key}:"))
        place = f"{service.path}:{line}: {section}.{key}"
        sentence = "cannot change while the service runs: restart it"
        assert answer.json["errors"] == [f"{place}: {sentence}"]
        status = (await service.api.get("/api/v1/status")).json
        assert status["settings"]["evaluation"]["interval"] == 0.2
        await service.events()


async def test_a_reload_changes_limits_targets_intervals_and_what_is_logged(tmp_path: Path) -> None:
    hour = {"interval": "1h"}
    async with configured(tmp_path, data_of(tmp_path, evaluation=hour)) as service:
        api = service.api
        await api.register("one", task_of(selector={"instance": "x"}))
        service.write(
            data_of(
                tmp_path,
                limits={"max_live_experiments": 1},
                scrape={"allowed_targets": ["10.0.0.1:*"]},
                log={"format": "json", "level": "debug"},
            )
        )
        changed = await service.reload()
        # An hour's wait for the next round is over at once.
        await api.score_until("one", lambda report: "cannot reach" in str(report["reason"]))
        full = await api.register("two", task_of(selector={"instance": "y"}))
        elsewhere = await api.register("three", task_of(), target=f"{NOWHERE}/metrics")
        await api.get(EXPERIMENTS)
        events = await service.events()
    assert set(changed) == {
        "evaluation.interval",
        "evaluation.closing_wait",
        "limits.max_live_experiments",
        "scrape.allowed_targets",
        "log.level",
    }
    assert full.status == 429
    assert (elsewhere.status, "scrape.allowed_targets" in elsewhere.text) == (422, True)
    assert ("GET", EXPERIMENTS) in {(e.get("method"), e.get("path")) for e in events}


async def test_who_runs_without_a_file_reloads_nothing(tmp_path: Path) -> None:
    async with serving(settings(tmp_path)) as api:
        answer = await api.post(RELOAD)
    assert (answer.status, answer.json) == (200, {"changed": []})


async def test_a_token_in_a_file_is_another_after_a_reload(tmp_path: Path) -> None:
    old, new = ("old token of the tests", "new token of the tests")
    file = tmp_path / "token"
    file.write_text(old)
    async with serving(settings(tmp_path, auth={"token_file": file})) as api:

        async def reload(token: str) -> Answer:
            return await api.request("POST", RELOAD, headers={"Authorization": f"Bearer {token}"})

        file.write_text(new)
        assert (await reload(new)).status == 401
        assert (await reload(old)).status == 200
        assert (await reload(old)).status == 401
        file.write_text("short")
        refused = await reload(new)
        assert (refused.status, "16 or more" in refused.json["detail"]) == (422, True)
        file.write_text(new)
        assert (await reload(new)).status == 200
