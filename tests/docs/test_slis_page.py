"""docs/slis.md, held against the SLIs that there are."""

import re

import pytest
import yaml
from tests.docs.markdown import ROOT, table

from sloscore.core.objective import Direction, Objective, Signal
from sloscore.core.sli import signal_of
from sloscore.spec.loader import validate
from sloscore.spec.slo import SloSpec

PAGE = "docs/slis.md"
ROWS = table(PAGE, "slis")
LIMIT = "{threshold: 0.5}"


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["id"]))
def test_a_section_gives_the_sli_of_its_row(row: dict[str, str]) -> None:
    names, sections = quoted(row["id"]), quoted(row["in the `slo` section"])
    for name, section in zip(names * (len(sections) // len(names)), sections, strict=True):
        spec = validate(SloSpec, yaml.safe_load(section.replace("...", LIMIT)))
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


def test_the_example_is_valid() -> None:
    (text,) = re.findall(r"```yaml\n(gpus: .*?)```", (ROOT / PAGE).read_text(), re.DOTALL)
    spec = validate(SloSpec, yaml.safe_load(text)["slo"])
    assert [sli.id for sli, _ in spec.limits()] == [
        "throughput",
        "total_throughput_per_gpu",
        "request_throughput",
    ]
