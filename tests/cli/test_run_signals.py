"""``sloscore run`` when a signal comes: passed on to the command, and nothing is left behind."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.command import running
from tests.integration.service import until

from sloscore.client.testing import FakeService
from sloscore.simulate.server import SimulatedServer

# Prints its process id, and the signals that it gets. The first of those which it does not shrug
# off ends it with 0: what it makes of a signal is no success of the load.
LOAD = """
import os, signal, sys, time
def say(what):
    # One write, so that the lines of two processes stay apart.
    os.write(1, f"{{what}}\\n".encode())
def tell(number, _):
    say(signal.Signals(number).name)
    if number != {shrugs_off}:
        sys.exit(0)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, tell)
say(os.getpid())
while True:
    time.sleep(60)
"""
STOP = {"action": "stop", "reason": "Enough is known.", "confidence": 1.0}


@pytest.fixture
def fake() -> Iterator[FakeService]:
    with FakeService() as service:
        yield service


@pytest.fixture(autouse=True)
def heeded_hangups() -> Iterator[None]:
    """Where the tests run under nohup, what they start would ignore SIGHUP, too."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def slo(tmp_path: Path) -> str:
    path = tmp_path / "slo.yaml"
    path.write_text(
        "latency: {p50: {threshold: 1, hard_fail: true}}\nearly_stop: {}\n", encoding="utf-8"
    )
    return str(path)


def load(shrugs_off: int = 0) -> list[str]:
    return [sys.executable, "-c", LOAD.format(shrugs_off=int(shrugs_off))]


def arguments(fake: FakeService, slo: str, *more: str) -> list[str]:
    return ["run", "--url", fake.url, "--slo", slo, "--id", "one", *more]


async def left_of(*pids: int) -> list[int]:
    """Those processes that are there."""
    left = []
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 0)
            left.append(pid)
    return left


async def all_gone(*pids: int) -> None:
    # Somebody else has to take note of the end of an orphan.
    await until(lambda: left_of(*pids), lambda left: not left)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_goes_to_the_command_and_the_experiment_is_aborted(
    fake: FakeService, slo: str, number: signal.Signals
) -> None:
    async with running(*arguments(fake, slo), *load()) as process:
        pid = int(await process.line())
        assert fake.states == {"one": "running"}
        process.send(number)
        ended = await process.end()
    assert (ended.code, ended.out) == (128 + number, f"{number.name}\n")
    assert ended.err.splitlines()[1:] == [
        "sloscore: experiment one is aborted",
        f"sloscore: interrupted by {number.name}",
    ]
    assert fake.states == {"one": "aborted"}
    assert await left_of(pid) == []


async def test_a_command_that_does_not_end_is_killed_with_all_that_it_started(
    fake: FakeService, slo: str
) -> None:
    shell = ["sh", "-c", 'trap "" TERM; "$@" & "$@"', "sh", *load(signal.SIGTERM)]
    async with running(*arguments(fake, slo, "--grace", "1s"), *shell) as process:
        pids = [int(await process.line()), int(await process.line())]
        process.send(signal.SIGTERM)
        ended = await process.end()
    assert (ended.code, ended.out) == (143, "SIGTERM\nSIGTERM\n")
    assert fake.states == {"one": "aborted"}
    await all_gone(*pids)


async def test_advice_to_stop_ends_a_command_that_shrugs_it_off(
    fake: FakeService, slo: str
) -> None:
    options = ("--stop-early", "--grace", "1s")
    async with running(*arguments(fake, slo, *options), *load(signal.SIGTERM)) as process:
        pid = int(await process.line())
        fake.will_report("one", decision=STOP, status="FAILED", slo_violation=True)
        ended = await process.end()
    assert ended.code == 2
    assert ended.out.startswith("SIGTERM\n{")
    assert "sloscore: ending the load: Enough is known.\n" in ended.err
    assert fake.states == {"one": "finished"}
    assert await left_of(pid) == []


async def test_advice_to_stop_on_a_terminal_ends_all_that_a_script_has_started(
    fake: FakeService, slo: str
) -> None:
    script = ["sh", "-c", '"$@" & "$@"', "sh", *load()]
    async with running(*arguments(fake, slo, "--stop-early"), *script, in_terminal=True) as process:
        assert await process.line() == "sloscore: experiment one runs\r"
        pids = [int(await process.line()), int(await process.line())]
        fake.will_report("one", decision=STOP)
        ended = await process.end()
    assert ended.code == 0
    assert ended.out.count("SIGTERM") == 2
    await all_gone(*pids)


async def test_a_service_that_is_away_for_a_while_is_told_of_once_and_ends_no_load(
    fake: FakeService, slo: str
) -> None:
    command = ["sh", "-c", "echo; read line"]
    async with running(*arguments(fake, slo, "--stop-early"), *command) as process:
        await process.line()
        fake.will_fail(2)
        await until(lambda: asyncio.to_thread(lambda: fake._failures), lambda left: not left)
        process.type("\n")
        ended = await process.end()
    assert ended.code == 0
    assert ended.err.count("sloscore: cannot ask whether to stop: ") == 1
    assert fake.states == {"one": "finished"}


async def test_a_signal_while_the_score_is_awaited_leaves_the_experiment_to_be_scored(
    fake: FakeService, slo: str
) -> None:
    fake.will_report("one", status="RUNNING")
    async with running(*arguments(fake, slo), "true") as process:
        assert await process.error_line() == "sloscore: experiment one runs"
        await process.error_line()
        process.send(signal.SIGTERM)
        ended = await process.end()
    assert (ended.code, ended.out) == (143, "")
    assert ended.err.splitlines() == [
        f"sloscore: the score will be at {fake.url}/api/v1/experiments/one/score",
        "sloscore: interrupted by SIGTERM",
    ]
    assert fake.states == {"one": "finished"}


async def test_without_a_service_a_signal_ends_the_command_as_well(slo: str) -> None:
    async with SimulatedServer("vllm") as server:
        url = f"http://{server.address}/metrics"
        options = ("--no-service", "--target", url, "--server", "vllm", "--slo", slo)
        async with running("run", *options, *load()) as process:
            pid = int(await process.line())
            process.send(signal.SIGTERM)
            ended = await process.end()
    assert (ended.code, ended.out) == (143, "SIGTERM\n")
    assert ended.err == f"sloscore: scraping {url}\nsloscore: interrupted by SIGTERM\n"
    assert await left_of(pid) == []


async def test_ctrl_c_on_a_terminal_reaches_the_command_once(fake: FakeService, slo: str) -> None:
    async with running(*arguments(fake, slo), *load(), in_terminal=True) as process:
        assert await process.line() == "sloscore: experiment one runs\r"
        pid = int(await process.line())
        process.type("\x03")
        ended = await process.end()
    lines = ended.out.removeprefix("^C").splitlines()
    assert lines == [
        "SIGINT", "sloscore: experiment one is aborted", "sloscore: interrupted by SIGINT",
    ]  # fmt: skip
    assert ended.code == 130
    assert await left_of(pid) == []
