"""``sloscore score --target``: a server from now on, in tables, in JSON and in exit codes."""

import asyncio
import bisect
import contextlib
import json
import signal
import statistics
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.cli.command import PATIENCE, Ended, running, sloscore
from tests.integration.service import Deployments, Json, unix

from sloscore.simulate.server import SimulatedServer

NOWHERE = "http://127.0.0.1:1/metrics"
MILD = {"latency": {"p50": {"threshold": 5000.0}}}
HARD = {"latency": {"p50": {"threshold": 0.1, "hard_fail": True}}}


@pytest.fixture(scope="module")
def deployments() -> Iterator[Deployments]:
    """Servers under load that no Prometheus scrapes."""
    with Deployments() as running:
        for server in (running.quick, running.slow):
            while not server.log:
                time.sleep(0.01)
        yield running


def url_of(server: SimulatedServer) -> str:
    return f"http://{server.address}/metrics"


def task_file(place: Path, slo: Json = None, **more: Json) -> str:
    path = place / "task.json"
    path.write_text(json.dumps({"task_name": "chat", "slo": slo, **more}), encoding="utf-8")
    return str(path)


def score(task: str, url: str, *more: str, seconds: str = "1s") -> Ended:
    return sloscore("score", "--slo", task, "--target", url, "--for", seconds, *more)


def shown_at(server: SimulatedServer, time_of_scrape: str) -> int:
    """How many requests the scrape showed that was asked for then."""
    place = bisect.bisect_left(server.scrapes, unix(time_of_scrape) - 0.001, key=lambda s: s.at)
    return server.scrapes[place].finished


def test_3_seconds_of_a_server_count_as_its_log_does(
    deployments: Deployments, tmp_path: Path
) -> None:
    server = deployments.quick
    ended = score(
        task_file(tmp_path, MILD), url_of(server), "--server", "vllm", "--json", seconds="3s"
    )
    report = json.loads(ended.out)
    window = report["window"]
    first, last = (shown_at(server, window[n]) for n in ("observed_start", "observed_end"))
    log = [finished.request for finished in server.log[first:last]]
    assert (ended.code, report["status"]) == (0, "SUCCESS")
    assert window["requests"] == len(log) > 0
    mean = statistics.fmean(request.latency for request in log)
    assert report["base_score"] == report["score"] == pytest.approx(mean, rel=1e-9)
    assert (window["unseen_head"], window["unseen_tail"], window["resets"]) == (0, 0, 0)
    assert unix(window["end"]) - unix(window["start"]) >= 3.0
    assert ended.err == f"Scraping {url_of(server)} for 3 s\n"


def test_a_table_shows_the_score(deployments: Deployments, tmp_path: Path) -> None:
    task = task_file(tmp_path, MILD, server="sglang")
    ended = score(task, url_of(deployments.slow))
    lines = ended.out.splitlines()
    assert ended.code == 0
    assert lines[0].split() == ["SLI", "VALUE", "INTERVAL", "THRESHOLD", "PENALTY", "VERDICT"]
    assert lines[1].startswith("latency_p50 ")
    assert any(line.startswith("Requests ") and "instances 1, resets 0" in line for line in lines)
    assert any(line.startswith("Score ") and line.endswith("SUCCESS") for line in lines)


def test_a_server_that_nobody_names_is_recognised(deployments: Deployments, tmp_path: Path) -> None:
    ended = score(task_file(tmp_path, MILD), url_of(deployments.quick), "--json")
    assert (ended.code, json.loads(ended.out)["status"]) == (0, "SUCCESS")


def test_a_hard_fail_ends_with_3(deployments: Deployments, tmp_path: Path) -> None:
    ended = score(task_file(tmp_path, HARD, server="vllm"), url_of(deployments.quick))
    assert ended.code == 3
    assert "Hard SLO violation" in ended.out


@pytest.mark.parametrize(
    ("slo", "more", "reason"),
    [
        ({**MILD, "min_requests": 10**6}, [], "requests are too few for p50"),
        (MILD, ["--selector", "model_name=another"], "the selector matched no series"),
    ],
)
def test_what_cannot_be_told_ends_with_4(
    deployments: Deployments, tmp_path: Path, slo: Json, more: list[str], reason: str
) -> None:
    task = task_file(tmp_path, slo, server="vllm")
    ended = score(task, url_of(deployments.quick), *more, seconds="500ms")
    assert ended.code == 4
    assert "Score    -  NO_DATA" in ended.out
    assert reason in ended.out


def test_a_selector_chooses_the_series_that_count(deployments: Deployments, tmp_path: Path) -> None:
    task = task_file(tmp_path, MILD, server="vllm", selector={"model_name": "another"})
    model = "model_name=llama-3-1-8b-instruct"
    ended = score(task, url_of(deployments.quick), "--selector", model)
    assert ended.code == 0


def test_a_server_that_is_down_ends_with_5_and_a_sentence(tmp_path: Path) -> None:
    ended = score(task_file(tmp_path, MILD, server="vllm"), NOWHERE)
    assert (ended.code, ended.out) == (5, "")
    assert f"sloscore: cannot scrape {NOWHERE}: " in ended.err
    assert "Traceback" not in ended.err


@contextlib.contextmanager
def serving(*answers: tuple[int, bytes]) -> Iterator[str]:
    """The URL of a server that gives these answers, and the last one from then on."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/metrics"
        server.shutdown()
        thread.join()


def test_a_server_that_goes_down_ends_with_5(tmp_path: Path) -> None:
    page = b"vllm:generation_tokens_total 1\n"
    with serving((200, page), (200, page), (503, b"")) as url:
        ended = score(task_file(tmp_path, MILD, server="vllm"), url, seconds="100ms")
    assert (ended.code, ended.out) == (5, "")
    assert f"{url} answered HTTP 503" in ended.err


def test_a_page_of_something_else_ends_with_5(tmp_path: Path) -> None:
    with serving((200, b"<html></html>\n")) as url:
        ended = score(task_file(tmp_path, MILD, server="vllm"), url)
    assert (ended.code, ended.out) == (5, "")
    assert "is no metrics exposition" in ended.err


def test_the_settings_say_what_may_be_scraped(deployments: Deployments, tmp_path: Path) -> None:
    config = tmp_path / "sloscore.yaml"
    config.write_text("scrape:\n  allowed_targets: ['10.0.0.0/24:8000']\n", encoding="utf-8")
    task = task_file(tmp_path, MILD, server="vllm")
    ended = score(task, url_of(deployments.quick), "--config", str(config))
    assert ended.code == 5
    assert "is not among scrape.allowed_targets" in ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--target", NOWHERE], 2, "scraping needs both --target and --for"),
        (["--for", "3s"], 2, "scraping needs both --target and --for"),
        (["--target", NOWHERE, "--for", "3s", "--value", "ttft=1"], 2, "give one of --value"),
        (["--target", NOWHERE, "--for", "3s", "--base-score", "1"], 2, "give one of --value"),
        (["--target", NOWHERE, "--for", "3s", "--start", "1", "--end", "2"], 2, "give one of"),
        (["--target", "file:///etc/passwd", "--for", "3s"], 1, "target: "),
        (["--target", "http://a:b@127.0.0.1/", "--for", "3s"], 1, "must not hold credentials"),
        (["--target", NOWHERE, "--for", "3 s"], 1, "'3 s' is no duration"),
        (["--target", NOWHERE, "--for", "0s"], 1, "must be above 0"),
        (["--target", NOWHERE, "--for", "3s", "--server", "nginx"], 1, "server: must be one of"),
        (["--target", NOWHERE, "--for", "10s"], 1, "slo.warmup: 10 s leave nothing"),
    ],
)
def test_wrong_usage_and_input_are_told_in_a_sentence(
    tmp_path: Path, arguments: list[str], code: int, sentence: str
) -> None:
    slo = {**MILD, "warmup": "10s"}
    ended = sloscore("score", "--task", task_file(tmp_path, slo, server="vllm"), *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert sentence in ended.err
    assert "Traceback" not in ended.err


async def test_a_scrape_that_is_interrupted_ends_as_a_shell_tells_it(tmp_path: Path) -> None:
    connected = asyncio.Event()

    async def stay_silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await ended.wait()
        writer.close()

    ended = asyncio.Event()
    silent = await asyncio.start_server(stay_silent, "127.0.0.1")
    url = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}/metrics"
    task = task_file(tmp_path, MILD, server="vllm")
    async with silent, running("score", "--slo", task, "--target", url, "--for", "60") as process:
        await asyncio.wait_for(connected.wait(), PATIENCE)
        process.send(signal.SIGINT)
        interrupted = await process.end()
        ended.set()
    assert (interrupted.code, interrupted.out) == (130, "")
    assert interrupted.err.splitlines() == [
        f"Scraping {url} for 60 s",
        "sloscore: interrupted",
    ]
