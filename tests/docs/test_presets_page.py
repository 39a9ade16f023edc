"""The tables of docs/presets.md and the README, held against presets and expositions."""

import math

import pytest
import yaml
from tests.docs.markdown import ROOT, block, table
from tests.expositions import read

from sloscore.core.objective import Signal
from sloscore.core.samples import FamilyKind
from sloscore.core.sli import Sli
from sloscore.spec.loader import validate
from sloscore.spec.metric import ROLES
from sloscore.spec.preset import Preset, load_preset, preset_names

PAGE = "docs/presets.md"
BOUNDED = ("latency", "ttft", "tpot", "itl", "queue")
SCORED = {
    "latency": "latency",
    "ttft": "TTFT",
    "tpot": "TPOT",
    "queue": "queue",
    "tokens_out": "throughput",
    "errors": "error rate",
}


def roles_row(name: str) -> dict[str, str]:
    preset = load_preset(name)
    return {"preset": f"`{name}`"} | {r: "yes" if r in preset.metrics else "-" for r in ROLES}


def endpoint_row(name: str) -> dict[str, str]:
    preset = load_preset(name)
    return {
        "preset": f"`{name}`",
        "version": preset.version,
        "endpoint": preset.endpoint,
        "switched on by": preset.enable,
        "model's label": f"`{preset.model_label}`" if preset.model_label else "-",
    }


def bounds_row(name: str) -> dict[str, str]:
    preset = load_preset(name)
    asked = [role for role in BOUNDED if role in preset.metrics]
    row = {"preset": f"`{name}`", **dict.fromkeys(BOUNDED, "-")}
    for child, histogram in read(f"{name}.txt", preset.families(asked)).histograms.items():
        finite = [bound for bound in histogram.bounds if 0 < bound < math.inf]
        row[child.role] = f"{finite[0]:.6g} .. {finite[-1]:.6g}"
    return row


@pytest.mark.parametrize("mark", ["roles", "endpoints", "bounds"])
def test_a_table_is_that_of_the_presets(mark: str) -> None:
    make = {"roles": roles_row, "endpoints": endpoint_row, "bounds": bounds_row}[mark]
    assert table(PAGE, mark) == [make(name) for name in preset_names()]


def test_the_readme_says_what_each_preset_can_be_scored_on() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    shown = {row[1].strip("`"): row[2] for row in rows if row[1].startswith("`")}
    measured = {role for signal in Signal for role in Sli.of_window(signal).roles}
    assert measured == {*SCORED, "tokens_in", "requests"}
    assert shown == {
        name: ", ".join(
            word for role, word in SCORED.items() if role in roles_of(load_preset(name))
        )
        for name in preset_names()
    }


def roles_of(preset: Preset) -> set[str]:
    return {str(role) for role in preset.metrics}


def test_every_server_has_its_pitfalls() -> None:
    text = (ROOT / PAGE).read_text()
    assert text.count("\n- **") == len(preset_names()) - 1, "two presets share an entry"


def test_the_custom_metrics_shown_are_valid_and_read_as_described() -> None:
    metrics = yaml.safe_load(block(PAGE, "custom"))
    texts = {"server": "shown", "version": "", "source": "", "model_label": None}
    preset = validate(Preset, {**texts, "metrics": metrics})
    sample = read("ray-serve-llm.txt", preset.families(metrics))
    assert {child.role for child in (*sample.histograms, *sample.counters)} == set(metrics)
    kinds = {family.kind for family in preset.families(metrics)}
    assert kinds == set(FamilyKind)
