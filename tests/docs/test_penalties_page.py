"""docs/penalties.md: its table recomputed, and its picture of all that there is."""

import re

import pytest
import yaml
from tests.docs.markdown import ROOT, table
from tools import penalties

from sloscore.core.curve import PenaltyFunction
from sloscore.spec.loader import validate
from sloscore.spec.slo import SloSpec

PAGE = "docs/penalties.md"
SHOWN = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", (ROOT / PAGE).read_text(), re.DOTALL)[0])
CHOICES = {
    "polynomial, degree 3": SHOWN["slo"]["latency"]["p99"]["penalty"],
    "piecewise": SHOWN["slo"]["ttft"]["penalty"],
}


@pytest.mark.parametrize("row", table(PAGE, "penalties"), ids=lambda row: row["over the threshold"])
def test_penalties_are_those_of_the_functions_by_these_names(row: dict[str, str]) -> None:
    ratio = float(row.pop("over the threshold").removesuffix(" %")) / 100
    assert row
    for name, shown in row.items():
        spec = validate(SloSpec, {"ttft": {"threshold": 1}, "penalty": CHOICES.get(name, name)})
        ((_, slo),) = spec.limits()
        assert f"{slo.curve.value(ratio):.4g}" == shown, name


def test_the_table_is_the_commands_and_has_every_function() -> None:
    assert penalties.table() in (ROOT / PAGE).read_text("utf-8")
    functions = {curve.function for curve in penalties.CURVES.values()}
    assert functions == set(PenaltyFunction)


def test_the_formulas_are_of_every_function() -> None:
    listed = re.findall(r"^\| `(\w+)` \| `w \*", (ROOT / PAGE).read_text("utf-8"), re.MULTILINE)
    assert set(listed) == set(PenaltyFunction)


def test_the_picture_names_every_curve_of_the_table() -> None:
    picture = penalties.PICTURE.read_text("utf-8")
    assert all(f">{name}<" in picture for name in penalties.CURVES)
