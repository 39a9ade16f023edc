"""Whether the service's memory grows with the experiments that it has ever had.

Experiments are registered and finished over 16 connections as fast as a real `sloscore serve`
takes them. It keeps the series of 1,000 ended ones for a minute at most, so that its memory must
be flat from the first sample on. No Prometheus answers, so that each ends without data.

    python bench/bench_leak.py [--experiments 100000] [--write [docs/load.md]]
"""

import argparse
import asyncio
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
from document import publish
from laboratory import MEBIBYTE, machine, serving, usage

from sloscore import conventions as names

CONNECTIONS, SAMPLES = 16, 10
EXPERIMENTS = "/api/v1/experiments"
SETTINGS = """
prometheus: {url: "http://127.0.0.1:1"}
evaluation: {source_wait: 1s, retention: 1m}
limits: {max_exported_experiments: 1000}
"""
TASK = {"task_name": "leak", "server": "vllm", "slo": {"latency": {"p90": {"threshold": 5.0}}}}
TOO_MANY = 429


async def post(session: aiohttp.ClientSession, url: str, body: object) -> None:
    """Send it until the service has room for it."""
    while True:
        async with session.post(url, json=body) as answer:
            text = await answer.text()
        if answer.status != TOO_MANY:
            break
        await asyncio.sleep(0.1)
    if answer.status not in {200, 201}:
        raise SystemExit(f"{url}: {answer.status}: {text}")


async def one(session: aiohttp.ClientSession, url: str, number: int) -> None:
    """An experiment from its registration to its finish."""
    body = {"id": f"trial-{number}", "task": TASK, "selector": {"instance": f"server-{number}"}}
    await post(session, url + EXPERIMENTS, body)
    await post(session, f"{url}{EXPERIMENTS}/trial-{number}/finish", {})


async def some(session: aiohttp.ClientSession, url: str, numbers: Iterator[int]) -> None:
    for number in numbers:
        await one(session, url, number)


async def live(session: aiohttp.ClientSession, url: str) -> int:
    """Experiments that run or settle, by /metrics."""
    async with session.get(url + "/metrics") as answer:
        text = await answer.text()
    states = rf'^{names.EXPERIMENTS_BY_STATE}{{state="(?:running|settling)"}} (\S+)$'
    return sum(int(float(number)) for number in re.findall(states, text, re.MULTILINE))


async def rows(number: int, url: str, pid: int) -> AsyncIterator[str]:
    """Lines of the table as they come, one for each tenth of the experiments."""
    async with aiohttp.ClientSession() as session:
        for part in range(SAMPLES):
            began = time.monotonic()
            numbers = iter(range(number * part // SAMPLES, number * (part + 1) // SAMPLES))
            await asyncio.gather(*(some(session, url, numbers) for _ in range(CONNECTIONS)))
            while await live(session, url):  # noqa: ASYNC110  only /metrics tells
                await asyncio.sleep(0.5)
            done, seconds = number * (part + 1) // SAMPLES, time.monotonic() - began
            rss = usage(pid).rss / MEBIBYTE
            print(f"{done} experiments, {rss:.0f} MiB", file=sys.stderr, flush=True)
            yield f"| {done:,} | {rss:,.0f} MiB | {number / SAMPLES / seconds:,.0f} |"


async def measured(number: int) -> list[str]:
    """The lines of the document."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        config = place / "sloscore.yaml"
        config.write_text(SETTINGS, encoding="utf-8")
        with serving(place, "--config", str(config)) as (service, url):
            found = [row async for row in rows(number, url, service.pid)]
    head = "| experiments so far | memory | experiments/s |"
    return ["", f"{machine()}.", "", head, "| --- | --- | --- |", *found]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--experiments", type=int, default=100_000)
    parser.add_argument(
        "--write", type=Path, nargs="?", const=Path("docs/load.md"), help="put the table there"
    )
    given = parser.parse_args()
    publish(asyncio.run(measured(given.experiments)), "leak", given.write)


if __name__ == "__main__":
    main()
