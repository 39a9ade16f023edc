"""docs/slis.md, held against the SLIs that there are."""

import re

import pytest
import yaml
from tests.docs.markdown import ROOT, table

from sloscore.conventions import UNIT_NAMES
from sloscore.core.objective import Direction, Objective, Signal
from sloscore.core.sli import signal_of
from sloscore.spec.loader import validate
from sloscore.spec.preset import load_preset, preset_names
from sloscore.spec.slo import SloSpec

PAGE = "docs/slis.md"
ROWS = table(PAGE, "slis")
LIMIT = "threshold: 0.5"


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["id"]))
def test_a_section_gives_the_sli_of_its_row(row: dict[str, str]) -> None:
    names, sections = quoted(row["id"]), quoted(row["in the `slo` section"])
    for name, section in zip(names * (len(sections) // len(names)), sections, strict=True):
        text = section.replace(", ...}", f", {LIMIT}}}").replace("...", f"{{{LIMIT}}}")
        spec = validate(SloSpec, yaml.safe_load(text))
        ((sli, slo),) = spec.limits()
        assert sli.id == name
        assert sli.signal.unit == row["unit"]
        assert slo.is_minimum == (row["limit"] == "at least")
        assert signal_of(sli.id) is sli.signal


def test_every_signal_and_objective_has_its_row() -> None:
    assert {signal_of(name) for row in ROWS for name in quoted(row["id"])} == set(Signal)
    shown = [objective for row in ROWS for objective in quoted(row["objective"])]
    assert shown == list(Objective)
    for objective in Objective:
        least = objective.direction is Direction.MAXIMIZE
        (row,) = (one for one in ROWS if f"`{objective}`" in one["objective"])
        assert (row["limit"] == "at least") is least


def test_the_examples_are_valid() -> None:
    texts = re.findall(r"```yaml\n(.*?)```", (ROOT / PAGE).read_text(), re.DOTALL)
    specs = [validate(SloSpec, yaml.safe_load(text)["slo"]) for text in texts]
    assert [[sli.id for sli, _ in spec.limits()] for spec in specs] == [
        ["throughput", "total_throughput_per_gpu", "request_throughput"],
        ["error_rate"],
        ["goodput_share"],
    ]


def failures_row(name: str) -> dict[str, str]:
    preset = load_preset(name)
    told = preset.failures.zero_with
    means = f"none failed, where `{told}` is there" if told else "nobody knows: no data"
    known = "errors" in preset.metrics
    return {
        "preset": f"`{name}`",
        "failed requests are in `requests`, too": preset.failures.held if known else "-",
        "no counter of failures means": means if known else "-",
    }


def test_the_table_of_failures_is_that_of_the_presets() -> None:
    assert table(PAGE, "failures") == [failures_row(name) for name in preset_names()]


def test_a_unit_of_every_gauge_is_named() -> None:
    text = (ROOT / PAGE).read_text()
    for unit in UNIT_NAMES.values():
        assert re.search(rf"`(?:sloscore_sli_value|\.\.\.)_{unit}`", text), unit
