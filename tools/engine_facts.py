"""How engines differ in what a metric source relies on, measured on each that is here.

Each engine scrapes a page that counts its scrapes, every 0.5 s, until the page is no target any more.

    SLOSCORE_STACK=DIR python -m tools.engine_facts [--write]
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web
from tests.integration.pages import PageServer, page_of
from tests.integration.victoria_metrics import engine_process

from tools.engines import HERE, ROOT, binaries

DOCUMENT = ROOT / "docs" / "engines.md"
BEGIN, END = "<!-- table: differences -->\n", "<!-- end of table -->"
NAME = "lab_scrapes_total"
WATCHED_SECONDS = 12.0
PATIENCE = 20.0


class Page:
    """Counts its scrapes; ``shown_at`` holds the Unix time at which each number was given.

    Until ``is_open`` it refuses scrapes.
    """

    def __init__(self, *, is_open: bool = True) -> None:
        self.is_open = is_open
        self.shown_at: dict[int, float] = {}

    async def answer(self, _: web.Request) -> web.Response:
        """The page."""
        if not self.is_open:
            return web.Response(status=503)
        number = len(self.shown_at) + 1
        self.shown_at[number] = time.time()
        return page_of(f"# TYPE {NAME} counter\n{NAME} {number}\n")


def ask(url: str, query: str, at: float | None = None) -> list[dict[str, Any]]:
    """The rows of an instant query's answer, as the service asks for it."""
    form = {"query": query, "nocache": "1", **({} if at is None else {"time": f"{at:.3f}"})}
    data = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(f"{url}/api/v1/query", data, timeout=10) as answer:  # noqa: S310  loopback
        rows: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return rows


async def facts_of(binary: Path, place: Path) -> Mapping[str, str]:
    """One row of the table."""
    page, new = Page(), Page(is_open=False)
    async with PageServer(page.answer) as server, PageServer(new.answer) as new_server:
        process = engine_process(binary, place, 0.5)
        process.add_targets("lab", [server.address])
        process.add_targets("new", [new_server.address])
        await asyncio.to_thread(process.start)
        try:
            url = process.url
            late = await _latest_shown(url, page)
            new.is_open = True
            after_up = await _until_shown_after_up(url)
            (row,) = ask(url, f'{NAME}{{job="lab"}}[30s]')
            times = [float(at) for at, _ in row["values"]]
            span = round(times[-2] - times[-3], 3)
            (ends,) = ask(url, f'{NAME}{{job="lab"}}[{round(span * 1000)}ms]', times[-2])
            process.remove_targets([server.address])
            gone = await _until_gone(url)
            # What was scraped last is shown by now, on VictoriaMetrics too.
            await asyncio.sleep(5)
            (left,) = ask(url, f'{NAME}{{job="lab"}}[60s]')
        finally:
            await asyncio.to_thread(process.stop)
    return {
        "a scrape is shown after": f"{statistics.median(late):.2f} s, at most {max(late):.2f} s",
        "a new server's series are shown after its `up`": f"{after_up:.1f} s",
        "both ends of a range": "in it" if len(ends["values"]) == 2 else "only the later",
        "marks of ended series in a range": "NaN" if left["values"][-1][1] == "NaN" else "none",
        "an ended series is gone from answers after": f"{gone:.1f} s",
    }


async def _latest_shown(url: str, page: Page) -> list[float]:
    """Seconds from each scrape to the answer that shows it."""
    seen, late = 0, list[float]()
    began = time.monotonic()
    while time.monotonic() < began + WATCHED_SECONDS or len(late) < 3:
        for row in await asyncio.to_thread(ask, url, f'{NAME}{{job="lab"}}', time.time()):
            number = int(float(row["value"][1]))
            late += [time.time() - page.shown_at[each] for each in range(seen + 1, number + 1)]
            seen = max(seen, number)
        await asyncio.sleep(0.01)
    return late


async def _until_shown_after_up(url: str) -> float:
    """Seconds between the answers that first show a new server up, and then its series."""
    shown: dict[str, float] = {}
    wanted = {'up{job="new"} == 1', f'{NAME}{{job="new"}}'}
    began = time.monotonic()
    while len(shown) < len(wanted):
        for query in wanted - shown.keys():
            if await asyncio.to_thread(ask, url, query, time.time()):
                shown[query] = time.monotonic()
        if time.monotonic() > began + PATIENCE:
            raise TimeoutError(f"{url} does not show a new server")
        await asyncio.sleep(0.01)
    up, series = (shown[query] for query in sorted(wanted, reverse=True))
    return max(0.0, series - up)


async def _until_gone(url: str) -> float:
    """Seconds until an answer lacks the series whose target was taken away just now."""
    began = time.monotonic()
    while await asyncio.to_thread(ask, url, f'{NAME}{{job="lab"}}', time.time()):
        if time.monotonic() > began + PATIENCE:
            raise TimeoutError(f"{url} answers with {NAME} although nobody scrapes it")
        await asyncio.sleep(0.05)
    return time.monotonic() - began


def table() -> str:
    """The rows of all engines that are here."""
    rows = {}
    for name, binary in binaries().items():
        if binary is not None and name != HERE:
            with tempfile.TemporaryDirectory() as place:
                rows[name] = asyncio.run(facts_of(binary, Path(place)))
    if not rows:
        raise SystemExit("SLOSCORE_STACK names no engine")
    columns = next(iter(rows.values()))
    lines = [f"| engine | {' | '.join(columns)} |", "|" + " --- |" * (len(columns) + 1)]
    lines += [f"| {name} | {' | '.join(row.values())} |" for name, row in rows.items()]
    return "".join(f"{line}\n" for line in lines)


def main() -> None:
    """Print the table, or put it into the document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"put it into {DOCUMENT.name}")
    given = parser.parse_args()
    made = table()
    sys.stdout.write(made)
    if given.write:
        head, _, rest = DOCUMENT.read_text("utf-8").partition(BEGIN)
        DOCUMENT.write_text(head + BEGIN + made + END + rest.partition(END)[2], "utf-8")


if __name__ == "__main__":
    main()
