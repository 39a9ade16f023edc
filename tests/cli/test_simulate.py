"""``sloscore simulate``: a server, its load and its log."""

import asyncio
import json
import re
import signal
import socket
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.cli.command import running, sloscore
from tests.integration.service import until

QUICK = ("--port", "0", "--speed", "50", "--rate", "10", "--output-tokens", "8")
ANNOUNCED = re.compile(r"(\w+) listens on (http://127\.0\.0\.1:\d+/metrics)")
COUNT = {
    "vllm": "vllm:e2e_request_latency_seconds_count",
    "sglang": "sglang:e2e_request_latency_seconds_count",
}


async def lines_of(path: Path) -> list[str]:
    text = await asyncio.to_thread(path.read_text, encoding="utf-8")
    return text.splitlines()


async def count_at(url: str, name: str) -> float:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        families = text_string_to_metric_families(await answer.text())
    return sum(s.value for family in families for s in family.samples if s.name == name)


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_and_logs_every_request_until_it_is_stopped(
    tmp_path: Path, kind: str, number: signal.Signals
) -> None:
    log = tmp_path / "requests.jsonl"
    async with running("simulate", "--kind", kind, *QUICK, "--log", str(log)) as process:
        found = ANNOUNCED.fullmatch(await process.line())
        assert found
        assert found[1] == kind
        early = await until(lambda: lines_of(log), lambda lines: len(lines) >= 20)
        shown = await count_at(found[2], COUNT[kind])
        process.send(number)
        ended = await process.end()
    requests = [json.loads(line) for line in await lines_of(log)]
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"{len(requests)} requests finished\n"
    assert len(early) <= shown <= len(requests)
    assert len({request["number"] for request in requests}) == len(requests)
    times = [request["finished_at"] for request in requests]
    assert times == sorted(times)
    for request in requests:
        assert request["latency"] >= request["ttft"] > request["queue"] >= 0
        assert request["output_tokens"] >= 1


async def test_it_ends_by_itself_after_its_duration(tmp_path: Path) -> None:
    async with running("simulate", *QUICK, "--duration", "0.5") as process:
        assert ANNOUNCED.fullmatch(await process.line())
        ended = await process.end()
    assert (ended.code, ended.err) == (0, "")
    assert re.fullmatch(r"[1-9]\d* requests finished\n", ended.out)


async def test_the_same_seed_sends_the_same_requests(tmp_path: Path) -> None:
    logs = []
    for name in ("first", "second"):
        log = tmp_path / name
        more = ("--seed", "7", "--duration", "0.3", "--log", str(log))
        async with running("simulate", *QUICK, *more) as process:
            assert (await process.end()).code == 0
        fields = ("latency", "ttft", "prompt_tokens", "output_tokens")
        requests = {r["number"]: r for r in map(json.loads, await lines_of(log))}
        logs.append({n: [r[field] for field in fields] for n, r in requests.items()})
    both = logs[0].keys() & logs[1].keys()
    assert both
    for number in both:
        assert logs[0][number] == logs[1][number]


def test_an_address_in_use_is_told_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = sloscore("simulate", "--port", str(port))
    assert (ended.code, ended.out) == (1, "")
    assert re.fullmatch(
        rf"sloscore: cannot listen on 127\.0\.0\.1:{port}: .+; choose another port\n", ended.err
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--memory-share", "0.5"], "does not hold the 16 GiB of weights: give more"),
        (["--prompt-tokens", "1e6", "--duration", "5"], "does not fit into the"),
        (["--log", "/nowhere/requests.jsonl"], "cannot write /nowhere/requests.jsonl: No such"),
    ],
)
def test_a_deployment_that_cannot_serve_is_told_in_a_sentence(
    arguments: list[str], sentence: str
) -> None:
    ended = sloscore("simulate", *QUICK, *arguments)
    assert ended.code == 1
    assert sentence in ended.err
    assert "Traceback" not in ended.err
