"""Texts of tests/fixtures/expositions: the same load as each inference server would expose it.

40 requests, of which 2 failed and the others had 100 output tokens each: latencies of 3.22 s in the
mean, 0.25 s to the first token, 0.03 s between tokens, 0.05 s in the queue, 19000 input tokens.
A file is named for its preset; what follows a dot names how else the server exposes it.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from sloscore.core.samples import Family, InstanceSample
from sloscore.sources.scrapes import FamilyReader, Scrape, child_labels, set_part
from sloscore.spec.preset import load_preset

PLACE = Path(__file__).parent / "fixtures" / "expositions"
FILES = tuple(sorted(path.name for path in PLACE.glob("*.txt")))
INSTANCE = ("fixture", "127.0.0.1:1")

LATENCY = 3.22
MEANS = {"latency": LATENCY, "ttft": 0.25, "tpot": 0.03, "itl": 0.03, "queue": 0.05}
COUNTS = {"requests": 40.0, "errors": 2.0, "tokens_out": 3800.0, "tokens_in": 19000.0}
# Requests of these hold no failed ones.
ONLY_ANSWERED = frozenset({"nim", "tensorrt-llm", "triton"})
# Roles that a preset has, but not in each way that its server exposes them.
NOT_SHOWN = {
    "tensorrt-llm.early.txt": frozenset({"errors", "tokens_out", "tokens_in"}),
    "tensorrt-llm.dynamo-worker.txt": frozenset({"errors", "tokens_out", "tokens_in"}),
}
# Inference time over tokens, so the time to the first token is in it.
MEANS_OF_TGI = {**MEANS, "tpot": LATENCY / 100}


def preset_of_file(file: str) -> str:
    return file.split(".", maxsplit=1)[0]


def expected(file: str) -> dict[str, float]:
    """Each role that the preset reads in a file, with the mean or the count that it reads."""
    preset = preset_of_file(file)
    values = {**(MEANS_OF_TGI if preset == "tgi" else MEANS), **COUNTS}
    if preset in ONLY_ANSWERED:
        values["requests"] -= values["errors"]
    return {family.role: values[family.role] for family in families(file)}


def families(file: str) -> tuple[Family, ...]:
    """The families of the file's preset that the file holds."""
    preset = load_preset(preset_of_file(file))
    return preset.families(r for r in preset.metrics if r not in NOT_SHOWN.get(file, ()))


def samples(file: str) -> list[Sample]:
    """What Prometheus makes of a file; the parser alone ends every counter in _total."""
    text = (PLACE / file).read_text(encoding="utf-8")
    written = {re.split(r"[{ ]", line)[0] for line in text.splitlines()}
    found = [one for family in text_string_to_metric_families(text) for one in family.samples]
    return [
        one if one.name in written else one._replace(name=one.name.removesuffix("_total"))
        for one in found
    ]


def series_names(*files: str) -> set[str]:
    return {sample.name for file in files for sample in samples(file)}


def read(file: str, families: Iterable[Family]) -> InstanceSample:
    """The families in a file, by way of what files the series of a real scrape."""
    reader = FamilyReader(tuple(families))
    scrape = Scrape(time=1_000)
    for name, labels, value, *_ in samples(file):
        for family, part in reader.parts_of(name):
            series = scrape.series[family][child_labels(labels)]
            set_part(series, part, labels.get("le", ""), str(value))
    return reader.sample(INSTANCE, scrape)


def values(sample: InstanceSample) -> dict[str, float]:
    """The mean of each role's histograms, and the total of each role's counters."""
    counts: defaultdict[str, float] = defaultdict(float)
    totals: defaultdict[str, float] = defaultdict(float)
    for child, histogram in sample.histograms.items():
        totals[child.role] += histogram.sum
        counts[child.role] += histogram.count
    found = {role: total / counts[role] for role, total in totals.items()}
    for counter, value in sample.counters.items():
        found[counter.role] = found.get(counter.role, 0.0) + value
    return found
