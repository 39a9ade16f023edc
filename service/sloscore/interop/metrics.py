"""Which signal a histogram's name stands for: by the presets, or by the words in it."""

import re
from dataclasses import dataclass
from typing import Final

from sloscore.spec.metric import Metric, Unit
from sloscore.spec.preset import load_preset, preset_names

SIGNALS: Final = ("latency", "ttft", "tpot", "queue")
_WORDS: Final = (
    ("ttft", r"ttft|time_to_first|first_token"),
    ("tpot", r"tpot|per_output_token"),
    ("queue", r"queue"),
    ("latency", r"latency|duration|response_time|e2e"),
)
_UNITS: Final[tuple[tuple[Unit, str], ...]] = (
    ("us", r"_(?:us|microseconds)$"),
    ("ms", r"_(?:ms|milliseconds)$"),
    ("s", r"_(?:s|seconds)$"),
)


@dataclass(frozen=True, slots=True)
class Known:
    """A histogram's signal and unit, and the presets that read it; none where its words tell."""

    signal: str
    metric: Metric
    servers: frozenset[str]


def signal_in(name: str) -> str | None:
    """The signal that the words of a name tell of."""
    found = (signal for signal, words in _WORDS if re.search(words, name.lower()))
    return next(found, None)


def known_histogram(name: str) -> Known:
    """The signal of a histogram; raises ValueError where neither presets nor words know it."""
    found: dict[str, dict[str, Metric]] = {}
    for server in preset_names():
        for role, metric in load_preset(server).metrics.items():
            # What is narrowed to a part of the metric would be another measure than the query's.
            if role in SIGNALS and name in metric.names and not (metric.match or metric.unless):
                found.setdefault(role, {})[server] = metric
    if found:
        signal = next(one for one in SIGNALS if one in found)
        servers = found[signal]
        return Known(signal, next(iter(servers.values())), frozenset(servers))
    told = signal_in(name)
    if told is None:
        raise ValueError(f"measures {name}, of which neither presets nor words tell the signal")
    unit = next((unit for unit, ending in _UNITS if re.search(ending, name)), None)
    if unit is None:
        raise ValueError(f"measures {name}, whose name does not end in a unit such as _seconds")
    return Known(told, Metric(names=(name,), unit=unit), frozenset())
