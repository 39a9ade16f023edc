"""What ``sloscore serve`` logs: requests with their ids, the evaluation with its experiments."""

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.cli.command import Process, running
from tests.integration.service import EXPERIMENTS, NOWHERE, Api, task_of

ID = "X-Request-ID"
# The token is in a variable only: the trace names the line that failed.
BREAKS = """
import logging
from sloscore.logs import configure_logs
configure_logs("json", "info")
token = "hunter" + str(2)
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("library").exception("broke")
"""
TASK = task_of("chat", selector={"instance": "x"})


@contextlib.asynccontextmanager
async def serving(place: Path, *arguments: str) -> AsyncIterator[tuple[Process, Api]]:
    store = ("--port", "0", "--store", str(place / "s.db"), "--prometheus", NOWHERE)
    options = ("--interval", "200ms", "--log-format", "json", *arguments)
    async with running("serve", *store, *options) as process, aiohttp.ClientSession() as session:
        announced = await process.line()
        yield process, Api(session, announced.split()[-1])


async def events_of(process: Process) -> list[dict[str, Any]]:
    """All that it logged until its end; fails where a line of stderr is no JSON object."""
    process.send(signal.SIGTERM)
    events = [json.loads(line) for line in (await process.end()).err.splitlines()]
    assert all(event["timestamp"] and event["level"] and event["logger"] for event in events)
    return events


def requests(events: list[dict[str, Any]]) -> list[tuple[str, str, int, str]]:
    keys = ("method", "path", "status", "level")
    return [tuple(e[key] for key in keys) for e in events if e["event"] == "request"]


async def test_each_request_is_logged_at_the_level_of_what_it_may_change(tmp_path: Path) -> None:
    async with serving(tmp_path, "--log-level", "debug") as (process, api):
        await api.register("one", TASK)
        await api.show("one")
        await api.show("two")
        await api.get("/-/healthy")
        await api.get("/nowhere%0Aevent")
        await api.post("/api/v1/check", {"task": TASK})
        events = await events_of(process)
    assert requests(events) == [
        ("POST", EXPERIMENTS, 201, "info"),
        ("GET", f"{EXPERIMENTS}/one", 200, "debug"),
        ("GET", f"{EXPERIMENTS}/two", 404, "info"),
        ("GET", "/-/healthy", 200, "debug"),
        ("GET", "/nowhere%0Aevent", 404, "info"),
        ("POST", "/api/v1/check", 200, "debug"),
    ]
    first, second, *_ = (event for event in events if event["event"] == "request")
    assert (first["experiment"], first["task"], second["experiment"]) == ("one", "chat", "one")
    assert 0 < first["seconds"] < 30


async def test_reads_and_probes_are_not_logged_unless_asked_for(tmp_path: Path) -> None:
    async with serving(tmp_path) as (process, api):
        for path in ("/metrics", "/-/ready", "/-/healthy", EXPERIMENTS):
            await api.get(path)
        events = await events_of(process)
    assert requests(events) == []


async def test_a_request_has_one_id_in_its_answer_its_problem_and_the_log(tmp_path: Path) -> None:
    async with serving(tmp_path) as (process, api):
        named = await api.request("GET", f"{EXPERIMENTS}/a", headers={ID: "tuner-7/3"})
        made = await api.get(f"{EXPERIMENTS}/b")
        fine = await api.request("GET", EXPERIMENTS, headers={ID: "read"})
        events = await events_of(process)
    assert (named.headers[ID], named.json["request_id"]) == ("tuner-7/3", "tuner-7/3")
    assert made.headers[ID] == made.json["request_id"] != ""
    assert fine.headers[ID] == "read"
    logged = [event["request_id"] for event in events if event["event"] == "request"]
    assert logged == ["tuner-7/3", made.headers[ID]]


@pytest.mark.parametrize("given", ["", "two words", 'quote"', "x" * 129, "\xe9"])
async def test_an_id_that_is_no_plain_word_is_replaced(tmp_path: Path, given: str) -> None:
    async with serving(tmp_path) as (process, api):
        answer = await api.request("GET", f"{EXPERIMENTS}/a", headers={ID: given})
        await events_of(process)
    assert answer.headers[ID].isalnum()
    assert answer.json["request_id"] == answer.headers[ID] != given


async def test_requests_of_one_connection_do_not_share_their_names(tmp_path: Path) -> None:
    async with serving(tmp_path) as (process, api):
        await api.register("one", TASK)
        await api.get("/nowhere")
        events = await events_of(process)
    _, nowhere = (event for event in events if event["event"] == "request")
    assert "experiment" not in nowhere
    assert "task" not in nowhere


async def test_the_evaluation_names_experiment_and_task(tmp_path: Path) -> None:
    async with serving(tmp_path) as (process, api):
        await api.register("one", TASK)
        await api.score_until("one", lambda report: "cannot reach" in str(report["reason"]))
        await api.abort("one")
        events = await events_of(process)
    failed = next(event for event in events if event["event"] == "evaluation failed")
    assert (failed["experiment"], failed["task"], failed["kind"]) == ("one", "chat", "unreachable")
    assert "request_id" not in failed


async def test_the_end_of_an_experiment_names_it_and_no_request(tmp_path: Path) -> None:
    arguments = ("--config", str(tmp_path / "c.yaml"))
    (tmp_path / "c.yaml").write_text("evaluation: {source_wait: 100ms, closing_wait: 100ms}\n")
    async with serving(tmp_path, *arguments) as (process, api):
        await api.register("one", TASK)
        await api.finish("one")
        await api.final("one")
        events = await events_of(process)
    ended = next(event for event in events if event["event"] == "experiment ended")
    assert (ended["experiment"], ended["task"], ended["state"]) == ("one", "chat", "no_data")
    assert "request_id" not in ended


async def test_a_library_logs_the_same_way(tmp_path: Path) -> None:
    async with serving(tmp_path, "--log-level", "debug") as (process, _):
        events = await events_of(process)
    assert [e["event"] for e in events if e["logger"] == "asyncio"] == [
        "Using selector: EpollSelector"
    ]


def test_a_trace_is_one_object_without_the_values_of_variables() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BREAKS], capture_output=True, text=True, check=True
    )
    (line,) = done.stderr.splitlines()
    said = json.loads(line)
    assert (said["event"], said["logger"], said["level"]) == ("broke", "library", "error")
    (trace,) = said["exception"]
    assert trace["exc_type"] == "ZeroDivisionError"
    assert trace["frames"]
    assert "hunter2" not in line


@pytest.mark.parametrize(
    ("option", "env"),
    [(("--log-level", "error"), {}), ((), {"SLOSCORE_LOG_LEVEL": "error"})],
)
async def test_less_is_logged_on_request(
    tmp_path: Path, option: tuple[str, ...], env: Mapping[str, str]
) -> None:
    store = ("--port", "0", "--store", str(tmp_path / "s.db"), "--no-prometheus")
    async with running("serve", *store, *option, env=env) as process:
        assert (await process.line()).startswith("sloscore listens on")
        process.send(signal.SIGTERM)
        assert (await process.end()).err == ""
