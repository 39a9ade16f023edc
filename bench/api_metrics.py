"""What a scrape of /metrics costs with thousands of experiments, and what others notice of it."""

import asyncio
import http.client
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from http_load import Load, probe, result_of
from laboratory import MEBIBYTE, serving
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from stored import ended, fill

from sloscore.gauges import Families

TASKS = 50
SCRAPE_SECONDS = 1.0
VARIED = ("value", "lower", "upper", "violation_ratio", "penalty")


@dataclass(frozen=True)
class Found:
    """One size of the table: seconds, bytes, and samples."""

    experiments: int
    samples: int
    plain: float
    zipped: float
    client: float
    size: int
    size_zipped: int
    alone: Load
    beside: Load


def metrics_table(
    report: Mapping[str, Any], slo: Mapping[str, Any], numbers: Sequence[int], times: int
) -> Iterator[str]:
    """The table: a row of the report's experiments multiplied to each of the numbers."""
    yield (
        "| experiments | samples | scrape | gzipped | generate_latest | share "
        "| size | gzipped | /-/healthy, p99 | while scraped, p99 | longest |"
    )
    yield "|" + " --- |" * 11
    for number in numbers:
        found = _measured(report, slo, number, times)
        yield (
            f"| {number:,} | {found.samples:,} | {_ms(found.plain)} | {_ms(found.zipped)} "
            f"| {_ms(found.client)} | {found.plain / found.client:.2f} "
            f"| {found.size / MEBIBYTE:.1f} MiB | {found.size_zipped / MEBIBYTE:.2f} MiB "
            f"| {_ms(found.alone.p99)} | {_ms(found.beside.p99)} | {_ms(found.beside.longest)} |"
        )


def _measured(report: Mapping[str, Any], slo: Mapping[str, Any], number: int, times: int) -> Found:
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        asyncio.run(fill(place / "sloscore.db", _rows(report, slo, number)))
        with serving(place, "--no-prometheus") as (_, url):
            plain = [_scrape(url, "identity") for _ in range(times)]
            zipped = [_scrape(url, "gzip") for _ in range(times)]
            text = plain[-1][1].decode()
            alone, beside = _probed(url, times, scraped=False), _probed(url, times, scraped=True)
    families = Families(list(text_string_to_metric_families(text)))
    return Found(
        number,
        sum(len(family.samples) for family in families.collect()),
        statistics.median(seconds for seconds, _ in plain),
        statistics.median(seconds for seconds, _ in zipped),
        statistics.median(_seconds_to_write(families) for _ in range(times)),
        len(text.encode()),
        len(zipped[-1][1]),
        alone,
        beside,
    )


def _rows(
    report: Mapping[str, Any], slo: Mapping[str, Any], number: int
) -> Iterator[Mapping[str, Any]]:
    """Experiments that ended just now with reports like this one, each with numbers of its own."""
    chance, now = random.Random(1), time.time()  # noqa: S311  nothing to guess
    for each in range(number):
        name, task = f"trial-{each:06}", f"chat-{each % TASKS}"
        slis = [
            {
                name: value * chance.uniform(0.5, 2) if name in VARIED and value else value
                for name, value in sli.items()
            }
            for sli in report["slis"]
        ]
        document = {**report, "experiment": name, "task": task, "slis": slis}
        yield ended(name, task, slo, document, now + each / 1000)


def _scrape(url: str, encoding: str) -> tuple[float, bytes]:
    """Seconds of a scrape, and the bytes that were sent."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    began = time.perf_counter()
    connection.request("GET", "/metrics", headers={"Accept-Encoding": encoding})
    answer = connection.getresponse()
    body = answer.read()
    seconds = time.perf_counter() - began
    connection.close()
    assert answer.status == 200
    assert answer.getheader("Content-Encoding", "identity") == encoding
    return seconds, body


def _probed(url: str, times: int, *, scraped: bool) -> Load:
    """Requests to /-/healthy every 5 ms, with a scrape a second as Prometheus asks for it, or none."""
    asking = probe(f"{url}/-/healthy", times * SCRAPE_SECONDS * 2)
    while asking.poll() is None:
        if scraped:
            _scrape(url, "gzip")
        time.sleep(SCRAPE_SECONDS)
    return result_of(asking)


def _seconds_to_write(families: Families) -> float:
    began = time.perf_counter()
    generate_latest(families)
    return time.perf_counter() - began


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.{0 if seconds > 0.1 else 1}f} ms"
