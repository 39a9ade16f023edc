"""Gauges as text are what prometheus_client writes of the same samples, in each format."""

import math

import pytest
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily

from sloscore.gauges import Families, Gauges, labels_text, without_end

ACCEPTED = (
    "",
    "text/plain;version=0.0.4",
    "text/plain;version=1.0.0;escaping=allow-utf-8",
    "application/openmetrics-text",
    "text/plain;version=1.0.0;escaping=values",
    "application/openmetrics-text;version=1.0.0;escaping=dots",
)
VALUES = (0, True, 0.25, -3.5, 1e6, 123456789.0, 1e21, 5e-324, math.inf, -math.inf)
LABELS = (
    {"task": "chat", "experiment": "one"},
    {"task": 'quoted "task" \\ \u00e9', "experiment": "two\nlines"},
)
HELP = {
    "sloscore_sli_value_seconds": "Measured value.",
    "sloscore_live": 'A "\\" and\na line.',
}


@pytest.mark.parametrize("accepted", ACCEPTED)
def test_the_text_is_that_of_prometheus_client(accepted: str) -> None:
    encode, _ = choose_encoder(accepted)
    gauges, families = Gauges(), []
    for name, text in HELP.items():
        family = GaugeMetricFamily(name, text)
        families.append(family)
        for labels in LABELS:
            for value in VALUES:
                gauges.add(name, text, labels_text(labels), value)
                family.add_sample(name, labels, float(value))
    expected, _ = without_end(encode(Families(families)))
    assert b"".join(gauges.encoded(encode)) == expected


@pytest.mark.parametrize(
    ("accepted", "end"), [("", b""), ("application/openmetrics-text", b"# EOF\n")]
)
def test_the_end_of_a_text_is_that_of_its_format(accepted: str, end: bytes) -> None:
    encode, _ = choose_encoder(accepted)
    text, found = without_end(encode(Families([GaugeMetricFamily("a", "One.", value=1)])))
    assert found == end
    assert text.endswith(b"\na 1.0\n")


@pytest.mark.parametrize("value", [None, math.nan])
def test_what_is_not_known_has_no_family(value: float | None) -> None:
    gauges = Gauges()
    gauges.add("a", "Nothing.", labels_text({"task": "chat"}), value)
    assert list(gauges.encoded(choose_encoder("")[0])) == []
