"""From a server that gets slow to the messages of Alertmanager, through every shipped file."""

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from tests.conftest import SCRAPE_INTERVAL
from tests.integration.alertmanager import Alertmanager, Webhook, free_port
from tests.integration.service import Api, Json, serving, settings, task_of

from sloscore.settings_base import parse_duration
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.simulate.requests import Deployment, Workload
from sloscore.simulate.server import SimulatedServer

pytestmark = pytest.mark.prometheus
pytest_plugins = ["tests.integration.alertmanager_fixtures"]

ROOT = Path(__file__).parents[2]
HURRY = 60
WARNING, CRITICAL = "SloscoreSloViolation", "SloscoreHardSloViolation"
MINE = {"task": 'a "quoted" task', "experiment": "exp-1"}
# Past 0.5 s from the first requests on, past 10 s when they queue.
SLO = {"latency": {"p90": {"threshold": 0.5, "hard_fail": True, "fail_ratio": 19.0}}}
QUICK = (Deployment(), Workload(rate=6.0, output_tokens=64.0))
SLOW = (Deployment(max_num_seqs=8), Workload(rate=30.0, output_tokens=64.0))


def hurried(node: Any, keys: frozenset[str]) -> Any:  # noqa: ANN401  parts of a document
    """A document with the durations under these keys shortened, and nothing else changed."""
    if isinstance(node, list):
        return [hurried(one, keys) for one in node]
    if not isinstance(node, dict):
        return node
    return {
        key: f"{shortened(value)}ms" if key in keys else hurried(value, keys)
        for key, value in node.items()
    }


def shortened(duration: str) -> int:
    seconds = parse_duration(duration)
    assert isinstance(seconds, float)
    return round(1000 * seconds / HURRY)


def shipped_rules(place: Path) -> Path:
    rules = yaml.safe_load((ROOT / "rules" / "sloscore-alerts.yml").read_text())
    path = place / "rules.yml"
    path.write_text(yaml.safe_dump(hurried(rules, frozenset({"for", "keep_firing_for"}))))
    return path


def shipped_config(webhook: str) -> Json:
    text = (ROOT / "deploy" / "alertmanager.yml").read_text()
    config = yaml.safe_load(re.sub(r"http://webhook\.invalid/\S*", webhook, text))
    return hurried(config, frozenset({"group_wait", "group_interval", "repeat_interval"}))


@dataclass(frozen=True, slots=True)
class Stack:
    """All that runs: the server that is tuned, the service, and those that watch both."""

    server: SimulatedServer
    api: Api
    alertmanager: Alertmanager
    webhook: Webhook


@contextlib.asynccontextmanager
async def running(
    prometheus_binary: Path, alertmanager_binary: Path, place: Path
) -> AsyncIterator[Stack]:
    port = free_port()
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(SimulatedServer("vllm", speed=10))
        webhook = await stack.enter_async_context(Webhook())
        alertmanager = stack.enter_context(
            Alertmanager(alertmanager_binary, place / "alertmanager", shipped_config(webhook.url))
        )
        prometheus = PrometheusProcess(
            prometheus_binary,
            place / "prometheus",
            SCRAPE_INTERVAL,
            rule_files=[shipped_rules(place)],
            alertmanagers=[alertmanager.address],
        )
        prometheus.set_targets({"vllm": [server.address], "sloscore": [f"127.0.0.1:{port}"]})
        stack.enter_context(prometheus)
        # Not the name that Prometheus scrapes it by.
        listen = {"port": port, "external_url": f"http://localhost:{port}/"}
        api = await stack.enter_async_context(
            serving(settings(place, prometheus.url, listen=listen))
        )
        await prometheus.wait_for_scrape(server.address, 0)
        yield Stack(server, api, alertmanager, webhook)


def alerts_in(message: Json) -> dict[str, Json]:
    """The alerts of a message that tell of the experiment's violations, by their name."""
    return {
        alert["labels"]["alertname"]: alert
        for alert in message["alerts"]
        if MINE.items() <= alert["labels"].items()
        and alert["labels"]["alertname"] in {WARNING, CRITICAL}
    }


def told(messages: list[Json]) -> list[dict[str, str]]:
    """The status of the alerts of each message that holds any."""
    found = [{name: alert["status"] for name, alert in alerts_in(m).items()} for m in messages]
    return [statuses for statuses in found if statuses]


def last_told(messages: list[Json]) -> dict[str, str]:
    """What somebody who reads all messages takes for the status of each alert."""
    return {name: status for statuses in told(messages) for name, status in statuses.items()}


async def test_a_violation_warns_then_pages_and_both_end_with_the_experiment(
    prometheus_binary: Path, alertmanager_binary: Path, tmp_path: Path
) -> None:
    async with running(prometheus_binary, alertmanager_binary, tmp_path) as stack:
        api, webhook = stack.api, stack.webhook
        stack.server.start_load(*QUICK, seed=1)
        task = task_of(MINE["task"], slo=SLO)
        await api.register("exp-1", task, selector={"instance": stack.server.address})
        await webhook.until(lambda messages: last_told(messages) == {WARNING: "firing"})
        warned = next(message for message in webhook.messages if alerts_in(message))
        await check_warning(warned, api.url.replace("127.0.0.1", "localhost"))

        await stack.server.stop_load()
        stack.server.start_load(*SLOW, seed=2)
        await webhook.until(lambda messages: last_told(messages).get(CRITICAL) == "firing")
        before = len(told(webhook.messages)) - 1
        assert await inhibited(stack.alertmanager)

        await api.finish("exp-1")
        assert (await api.final("exp-1"))["status"] == "FAILED"
        both = {WARNING: "resolved", CRITICAL: "resolved"}
        await webhook.until(lambda messages: last_told(messages) == both)
        since = told(webhook.messages)[before:]
    # The warning is not told again as long as the critical alert fires.
    assert since[0] == {CRITICAL: "firing"}
    assert [one for one in since if one.get(CRITICAL) == "firing" and WARNING in one] == []


async def check_warning(message: Json, service: str) -> None:
    """One message for the experiment, whose links lead to its page and to what to do."""
    assert message["groupLabels"] == MINE
    warning = alerts_in(message)[WARNING]
    labels = {"alertname": WARNING, "severity": "warning", "sli": "latency_p90"}
    assert warning["labels"] == {**MINE, **labels}
    annotations = warning["annotations"]
    said = re.fullmatch(
        r'latency_p90 of experiment exp-1 \(task a "quoted" task\) is (\S+) \(between (\S+) and (\S+)\), '
        r"(\S+)% past its threshold of 500ms\. The verdict is (not )?certain.*",
        annotations["description"],
    )
    assert said is not None, annotations["description"]
    value, lower, upper = (seconds_of(said[group]) for group in (1, 2, 3))
    assert lower <= value <= upper
    assert float(said[4]) == pytest.approx(100 * (value / 0.5 - 1), rel=0.01)
    assert annotations["link"] == f"{service}/experiments/exp-1"
    assert "<h1>exp-1</h1>" in await fetched(annotations["link"])
    assert annotations["runbook_url"] == f"{service}/runbooks/{WARNING}.md"
    assert f"# {WARNING}" in await fetched(annotations["runbook_url"])


def seconds_of(shown: str) -> float:
    """The seconds of what Prometheus' humanizeDuration wrote, below a minute."""
    number = float(shown.rstrip("ms"))
    return number / 1000 if shown.endswith("ms") else number


async def fetched(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200, url
        return await answer.text()


async def inhibited(alertmanager: Alertmanager) -> bool:
    """Whether Alertmanager holds the warning back because of the critical alert."""
    found = alerts_in({"alerts": await alertmanager.alerts()})
    status = found[WARNING]["status"]
    expected = ("suppressed", [found[CRITICAL]["fingerprint"]])
    return (status["state"], status["inhibitedBy"]) == expected
