"""``sloscore serve``: what stops its start, and what it prints while it runs."""

import json
import re
import signal
import socket
from pathlib import Path

import aiohttp
import pytest
from tests.cli.command import PATIENCE, running, sloscore
from tests.integration.service import EXPERIMENTS, NOWHERE, Api, task_of

TOKEN = "a token of the tests"
ANNOUNCED = re.compile(r"sloscore listens on (http://127\.0\.0\.1:\d+)")


def config_file(place: Path, text: str) -> str:
    path = place / "sloscore.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("evaluation:\n  interval: soon\n", ":2: evaluation.interval: 'soon' is no duration"),
        ("listen:\n  port: 99999\n", ":2: listen.port: must be at most 65535"),
        ("# a\nlisten:\n  prot: 1\n", ":3: listen.prot: is not a known key; did you mean port?"),
        ("prometheus:\n  url: localhost:9090\n", ":2: prometheus.url: the URL must look like"),
        ("prometheus: {url: 'http://u:p@h'}\n", ":1: prometheus.url: the URL must not hold"),
        ("listen:\n  port: 1\n  port: 2\n", ":3: "),
        ("listen: [\n", ":"),
        ("- listen\n", ":1: must be a mapping at its top"),
    ],
)
def test_a_mistake_in_the_config_has_its_line_and_ends_with_1(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = config_file(tmp_path, text)
    ended = sloscore("serve", "--config", path)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"sloscore: {path}{sentence}")
    assert "Traceback" not in ended.err


def test_a_secret_of_the_config_is_never_printed(tmp_path: Path) -> None:
    path = config_file(
        tmp_path, "auth:\n  token: hunter2\nprometheus:\n  bearer_token: [hunter2]\n"
    )
    ended = sloscore("serve", "--config", path)
    assert ended.code == 1
    assert f"{path}:2: auth.token: " in ended.err
    assert f"{path}:4: prometheus.bearer_token: " in ended.err
    assert "hunter2" not in ended.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--interval", "soon"], "evaluation.interval: 'soon' is no duration"),
        (["--port", "99999"], "listen.port: must be at most 65535"),
        (["--prometheus", "prometheus"], "prometheus.url: the URL must look like"),
        (["--external-url", "slo.example"], "listen.external_url: the URL must look like"),
        (["--host", "10.0.0.5"], "listen.host is 10.0.0.5, which other machines can reach"),
        (["--config", "nowhere.yaml"], "nowhere.yaml: there is no such file"),
    ],
)
def test_an_option_that_cannot_be_used_ends_with_1(arguments: list[str], sentence: str) -> None:
    ended = sloscore("serve", *arguments)
    assert (ended.code, ended.out) == (1, "")
    assert sentence in ended.err


def test_an_address_in_use_is_told_in_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = sloscore("serve", "--port", str(port), "--store", str(tmp_path / "a.db"))
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        f"sloscore: cannot listen on 127.0.0.1:{port}: Address already in use; "
        "choose another listen.host or listen.port\n"
    )


@pytest.mark.parametrize("kind", ["directory", "text"])
def test_a_store_that_is_none_is_told_in_a_sentence_and_stays_as_it_was(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "store"
    if kind == "directory":
        path.mkdir()
    else:
        path.write_text("not a database, and dear to somebody\n", encoding="utf-8")
    ended = sloscore("serve", "--port", "0", "--store", str(path))
    assert (ended.code, ended.out) == (1, "")
    assert str(path) in ended.err
    assert "Traceback" not in ended.err
    assert path.is_dir() or path.read_text(encoding="utf-8").startswith("not a database")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_service_by_its_environment_from_its_first_line_to_its_last(
    tmp_path: Path, number: signal.Signals
) -> None:
    env = {
        "SLOSCORE_PORT": "0",
        "SLOSCORE_PROMETHEUS_URL": NOWHERE,
        "SLOSCORE_STORE": str(tmp_path / "sloscore.db"),
        "SLOSCORE_INTERVAL": "0.2",
        "SLOSCORE_TOKEN": TOKEN,
        "SLOSCORE_EXTERNAL_URL": "https://slo.example/tuning",
    }
    async with running("serve", "--log-format", "json", env=env) as process:
        found = ANNOUNCED.fullmatch(await process.line())
        assert found
        async with aiohttp.ClientSession() as session:
            api = Api(session, found[1])
            body = {"id": "one", "task": task_of(selector={"instance": "x"})}
            assert (await api.post(EXPERIMENTS, body)).status == 401
            bearer = {"Authorization": f"Bearer {TOKEN}"}
            answer = await api.request("POST", EXPERIMENTS, body=body, headers=bearer)
            assert answer.status == 201
            await api.score_until("one", lambda report: "cannot reach" in str(report["reason"]))
            exported = (await api.get("/metrics")).text
        process.send(number)
        ended = await process.end(PATIENCE)
    assert 'sloscore_external_url_info{url="https://slo.example/tuning"} 1.0' in exported
    assert (ended.code, ended.out) == (0, "")
    events = [json.loads(line) for line in ended.err.splitlines()]
    assert events[0]["event"] == "listening"
    assert (events[0]["url"], events[0]["prometheus"]) == (found[1], NOWHERE)
    assert {"evaluation failed", "stopping"} <= {event["event"] for event in events}
    assert all(event["level"] and event["timestamp"] for event in events)
    assert TOKEN not in ended.err


async def test_options_come_before_the_config(tmp_path: Path) -> None:
    path = config_file(
        tmp_path,
        f"listen: {{port: 1}}\nstore: {{path: {tmp_path}/config.db}}\n"
        f"prometheus: {{url: '{NOWHERE}', timeout: 5s}}\n",
    )
    store = tmp_path / "option.db"
    arguments = ("--config", path, "--port", "0", "--store", str(store))
    async with running("serve", *arguments, env={"SLOSCORE_TOKEN": ""}) as process:
        found = ANNOUNCED.fullmatch(await process.line())
        assert found
        async with aiohttp.ClientSession() as session:
            ready = await Api(session, found[1]).get("/-/ready")
        process.send(signal.SIGTERM)
        assert (await process.end()).code == 0
    assert f"cannot reach Prometheus at {NOWHERE}" in ready.text
    assert store.exists()
    assert not (tmp_path / "config.db").exists()


async def test_everybody_may_write_where_insecure_says_so(tmp_path: Path) -> None:
    everywhere = ("--host", "0.0.0.0", "--port", "0")  # noqa: S104  the address that is refused without
    arguments = (*everywhere, "--no-prometheus", "--store", str(tmp_path / "a.db"), "--insecure")
    async with running("serve", *arguments, env={"SLOSCORE_TOKEN": ""}) as process:
        announced = await process.line()
        port = announced.rpartition(":")[2]
        async with aiohttp.ClientSession() as session:
            api = Api(session, f"http://127.0.0.1:{port}")
            answer = await api.register("one", task_of(server="vllm"), target=f"{NOWHERE}/metrics")
        process.send(signal.SIGTERM)
        ended = await process.end()
    assert (answer.status, ended.code) == (201, 0)
