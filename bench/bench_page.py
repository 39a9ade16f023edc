"""How long the list of experiments takes, and how many bytes, with 10,000 experiments in the store.

The service runs in this process, with reports of four SLIs in five tasks. Times are medians of
whole answers on loopback; bytes are as they are sent, compressed. In the browser the time is that
from the navigation's start to the first row that is painted, with an empty cache.

    python bench/bench_page.py [--experiments 10000] [--times 20] [--write docs/page.md]
"""

import argparse
import asyncio
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from document import publish
from playwright.async_api import async_playwright
from stored import ended, fill

from sloscore.api.server import running_service
from sloscore.evaluation.report import report_values
from sloscore.settings import Settings
from sloscore.wire import ScoreRequest

CHROMIUM = "/usr/bin/chromium"
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
HARD = {"threshold": 5.0, "weight": 2.0, "hard_fail": True, "fail_ratio": 0.2}
SLO = {
    "latency": {"p50": {"threshold": 2.0}, "p90": HARD, "p99": {"threshold": 10.0}},
    "ttft": {"threshold": 1.0},
}
TOP = {"latency_p50": 2.5, "latency_p90": 6.5, "latency_p99": 11.0, "ttft": 1.2}
ANSWERS = (
    ("the newest", "/"),
    ("best score first", "/?sort=score"),
    ("one task, failed, by penalty", "/?task=chat-1&state=failed&sort=penalty"),
    ("the last page", "/?page=100000"),
    ("all as CSV", "/experiments.csv"),
    ("all as JSON", "/experiments.json"),
)


def row(number: int, chance: random.Random) -> Mapping[str, Any]:
    """An ended experiment as the store keeps it."""
    values = {sli: chance.uniform(0.2, 1.0) * top for sli, top in TOP.items()}
    asked = {"slo": SLO, "base_score": chance.uniform(1.0, 5.0), "values": values}
    report = report_values(ScoreRequest.model_validate(asked), 1.0)
    document = orjson.loads(report.model_dump_json())
    document["window"] = {"requests": chance.randrange(100, 1000), "instances": 1}
    return ended(f"trial-{number:06}", f"chat-{number % 5}", SLO, document, 1.7e9 + number)


async def fetch(
    session: aiohttp.ClientSession, url: str, headers: Mapping[str, str]
) -> tuple[float, int, aiohttp.ClientResponse]:
    """Seconds and bytes of an answer."""
    began = time.perf_counter()
    async with session.get(url, headers=headers) as answer:
        size = len(await answer.content.read())
        return time.perf_counter() - began, size, answer


async def painted(url: str) -> float:
    """Seconds until a new browser has painted the first row."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page()
        await page.goto(url, wait_until="commit")
        await page.locator("tbody tr").first.wait_for()
        shown: float = await page.evaluate("""() => new Promise((done) =>
            requestAnimationFrame(() => setTimeout(() => done(performance.now()))))""")
        await browser.close()
    return shown / 1000


@asynccontextmanager
async def served(number: int) -> AsyncIterator[str]:
    """A service with so many ended experiments."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "sloscore.db"
        chance = random.Random(1)  # noqa: S311  nothing to guess
        await fill(path, (row(each, chance) for each in range(number)))
        data = {"listen": {"port": 0}, "store": {"path": path}, "prometheus": {"enabled": False}}
        async with running_service(Settings.model_validate(data)) as url:
            yield url


async def measured(number: int, times: int) -> list[str]:
    """The lines of the table."""
    lines = ["| what | time | bytes |", "| --- | --- | --- |"]
    compressed = {"Accept-Encoding": "gzip", "Accept": "text/html"}
    async with served(number) as url, aiohttp.ClientSession(auto_decompress=False) as session:
        for what, path in ANSWERS:
            runs = 3 if "all as" in what else times
            found = [await fetch(session, url + path, compressed) for _ in range(runs)]
            lines.append(line(what, [seconds for seconds, _, _ in found], found[-1][1]))
        _, _, answer = await fetch(session, url + "/", compressed)
        known = {**compressed, "If-None-Match": answer.headers["ETag"]}
        found = [await fetch(session, url + "/", known) for _ in range(times)]
        assert {answer.status for _, _, answer in found} == {304}
        lines.append(line("asked again, nothing changed", [s for s, _, _ in found], 0))
        if shutil.which(CHROMIUM):
            seconds = [await painted(url) for _ in range(5)]
            lines.append(line("first row painted in Chromium", seconds, None))
    return lines


def line(what: str, seconds: list[float], size: int | None) -> str:
    """A line of the table."""
    said = "" if size is None else f"{size:,}"
    return f"| {what} | {statistics.median(seconds) * 1000:.0f} ms | {said} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--write", type=Path, help="put the table into this document")
    given = parser.parse_args()
    publish(asyncio.run(measured(given.experiments, given.times)), "times", given.write)


if __name__ == "__main__":
    main()
