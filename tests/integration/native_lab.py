"""What the Prometheus of the tests of native histograms scrapes, and how it is read."""

import asyncio
import math
import random
import time
from collections.abc import Iterable, Mapping

from tests.integration.native_page import NativeHistogram, NativePage

from sloscore.core.samples import Family, FamilyKind, InstanceSample, Target
from sloscore.errors import SourceError
from sloscore.sources.prometheus import PrometheusSource

# Prometheus moves the times of scrapes by up to 2 ms so that they compress better.
STAMP = 0.01
SELF_JOBS = ("self-classic", "self-native")
BOTH: Mapping[str, object] = {"always_scrape_classic_histograms": True}
SETTINGS: Mapping[str, Mapping[str, object]] = {
    "nhcb": {"convert_classic_histograms_to_nhcb": True},
    "twin": BOTH,
    "alone": BOTH,
    "self-classic": {"scrape_protocols": ["PrometheusText0.0.4"]},
}


def observed(
    values: Iterable[float],
    schema: int,
    zero_threshold: float = 2.0**-128,
    classic: tuple[float, ...] = (),
) -> NativeHistogram:
    histogram = NativeHistogram(schema, zero_threshold, classic)
    for value in values:
        histogram.observe(value)
    return histogram


def make_cases(seed: int) -> dict[str, NativeHistogram]:
    """Histograms of every schema whose bounds are no powers of two, and of coarser ones."""
    chance = random.Random(seed)
    cases: dict[str, NativeHistogram] = {}
    for schema in range(1, 9):
        for count in (1, 7, 200, 1000):
            values = [chance.lognormvariate(0.5, 1.2) for _ in range(count)]
            cases[f"schema {schema}, {count} values"] = observed(values, schema)
        far = [*(chance.uniform(0.01, 0.02) for _ in range(7)), chance.uniform(900, 1000)]
        cases[f"schema {schema} with a gap"] = observed(far, schema)
        zeros = [*(0.0 for _ in range(30)), *(chance.expovariate(1.0) for _ in range(63))]
        cases[f"schema {schema} with zeros"] = observed(zeros, schema, zero_threshold=0.001)
    for schema in (-4, -1, 0):
        values = [0.0, *(chance.lognormvariate(0, 2) for _ in range(100))]
        cases[f"schema {schema} that its zero bucket tells"] = observed(values, schema)
    return cases


CASES = make_cases(seed=7)
VALUES = (0.1, 0.7, 0.8, 2.0, 7.0)
PAGES = {
    "cases": NativePage("lab_native_seconds", CASES),
    "coarser": NativePage("lab_coarser_seconds", {"a": NativeHistogram(schema=5)}),
    "same": NativePage("lab_same_seconds", {"a": NativeHistogram(schema=5)}),
    "finer": NativePage("lab_finer_seconds", {"a": NativeHistogram(schema=5)}),
    "twin": NativePage(
        "lab_twin_seconds",
        {"a": observed(VALUES, schema=3, classic=(0.5, 1.0, 5.0, math.inf))},
    ),
    "alone": NativePage("lab_alone_seconds", {"a": observed(VALUES, schema=3)}),
}


def reads(job: str, name: str) -> Target:
    """A metric's latency, and its count as a counter of its own."""
    families = (
        Family("latency", FamilyKind.HISTOGRAM, (name,)),
        Family("requests", FamilyKind.COUNTER, (f"{name}_count",)),
    )
    return Target(job, (("job", job),), families)


async def scraped(source: PrometheusSource, target: Target) -> list[InstanceSample]:
    """What the next scrape after now shows; one instance or more."""
    after = time.time() + STAMP
    async with asyncio.timeout(30):
        while True:
            found = (await source.snapshot([target], time.time()))[target.key]
            assert not isinstance(found, SourceError), found
            if found and all(sample.up and sample.time > after for sample in found):
                return list(found)
            await asyncio.sleep(0.05)
