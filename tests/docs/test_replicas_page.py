"""docs/replicas.md: its settings, and its shards as the service computes them."""

import asyncio
import contextlib
import json
import os
import re
import shutil
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from tests.docs.markdown import ROOT, block
from tests.integration.alertmanager import free_port
from tests.integration.service import EXPERIMENTS, Api, serving, settings, task_of

from sloscore.settings import Settings, SettingsFile
from sloscore.sharding import shard_of
from sloscore.simulate.process import ChildProcess
from sloscore.spec.loader import parse_model

PAGE = "docs/replicas.md"
HAPROXY = shutil.which(os.environ.get("SLOSCORE_HAPROXY", "haproxy"))


@pytest.mark.parametrize(
    "example", re.findall(r"```yaml\n(.*?)```", (ROOT / PAGE).read_text(), re.DOTALL)
)
def test_an_example_is_a_valid_file(example: str) -> None:
    read = parse_model(SettingsFile, example, "example.yaml")
    assert Settings.model_validate(read.model_dump(exclude_unset=True)).store.url is not None


async def test_an_experiment_of_another_shard_is_refused_as_shown(tmp_path: Path) -> None:
    shown = json.loads(block(PAGE, "refused"))
    async with serving(settings(tmp_path, listen={"shard": "0/3", "port": 0})) as api:
        answer = (await api.get(f"{EXPERIMENTS}/chat-17")).json
    assert {name: answer[name] for name in shown} == shown


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.skipif(HAPROXY is None, reason="apt install haproxy")
async def test_haproxy_finds_the_service_that_takes_an_experiment(tmp_path: Path) -> None:
    text = block(PAGE, "haproxy")
    async with contextlib.AsyncExitStack() as stack:
        for number in range(3):
            given = settings(tmp_path / str(number), listen={"shard": f"{number}/3", "port": 0})
            api = await stack.enter_async_context(serving(given))
            name = f"sloscore-{number}:8520"
            assert name in text
            text = text.replace(name, api.url.removeprefix("http://"))
        port = free_port()
        (tmp_path / "haproxy.cfg").write_text(text.replace("127.0.0.1:8520", f"127.0.0.1:{port}"))
        command = [str(HAPROXY), "-db", "-f", str(tmp_path / "haproxy.cfg")]
        process = ChildProcess("HAProxy", command, tmp_path / "haproxy.log")
        stack.callback(process.stop)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        proxied = Api(session, f"http://127.0.0.1:{port}")
        await asyncio.to_thread(process.wait_until, lambda: listens(port) or None)
        for experiment in ["chat-17", *(f"sweep:{number}" for number in range(12))]:
            selector = {"instance": "127.0.0.1:8000"}
            body = {"id": experiment, "task": task_of(), "selector": selector}
            assert (await proxied.post(EXPERIMENTS, body)).status == 201
            path = quote(experiment, safe="")
            assert (await proxied.get(f"{EXPERIMENTS}/{path}/score")).json[
                "experiment"
            ] == experiment
            assert (await proxied.get(f"/experiments/{path}")).status == 200
            assert (await proxied.abort(path)).json["state"] == "aborted"
        assert (await proxied.get("/-/healthy")).status == 200


def test_a_tuner_finds_the_service_that_takes_its_experiment() -> None:
    names: dict[str, Any] = {}
    exec(block(PAGE, "route"), names)  # noqa: S102  the page's own code
    service_of = names["service_of"]
    for name in ("chat-17", "sweep:3", "A.b_c"):
        assert service_of(name) == names["SERVICES"][shard_of(name, 3)]
