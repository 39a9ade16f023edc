"""Families of gauges, kept as text from the first on: thousands of samples cost little to write."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

Encoder = Callable[[Collector], bytes]
_NUMBERS = {0.0: "0.0", 1.0: "1.0"}
_END = b"# EOF\n"


@dataclass(frozen=True, slots=True)
class Families(Collector):
    """Families of metrics as a collector, so that they can be encoded."""

    families: Iterable[Metric]

    def collect(self) -> Iterable[Metric]:
        """The families."""
        return self.families


@dataclass(slots=True)
class Gauges:
    """Gauges by name: the help text of each, and its samples as text without the name."""

    _families: dict[str, tuple[str, list[str]]] = field(default_factory=dict)

    def add(self, name: str, text: str, labels: str, value: float | None) -> None:
        """Add a sample with labels as ``labels_text`` gives them; what is not known has none."""
        if value is None or math.isnan(value):
            return
        family = self._families.get(name)
        if family is None:
            family = self._families[name] = (text, [])
        number = _NUMBERS.get(value) or floatToGoString(value)  # type: ignore[no-untyped-call]  # it has no types
        family[1].append(f"{labels} {number}\n")

    def encoded(self, encode: Encoder) -> Iterator[bytes]:
        """The families one by one as an encoder of prometheus_client writes them, without an end."""
        for name, (text, samples) in self._families.items():
            # The name depends on the escaping that was asked for.
            head = encode(Families([GaugeMetricFamily(name, text)])).removesuffix(_END).decode()
            written = head.rpartition("# TYPE ")[2].partition(" ")[0]
            yield written.join([head, *samples]).encode()


def labels_text(labels: Mapping[str, str]) -> str:
    """Labels as both text formats write them, by name."""
    pairs = (f'{name}="{_escaped(value)}"' for name, value in sorted(labels.items()))
    return "{" + ",".join(pairs) + "}"


def without_end(text: bytes) -> tuple[bytes, bytes]:
    """What an encoder wrote, and the end that its format has or has not."""
    return (text.removesuffix(_END), _END) if text.endswith(_END) else (text, b"")


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
