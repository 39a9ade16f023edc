"""docs/plain-formula.md: the plain formula and ``sloscore score`` give what its table says."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.cli.command import sloscore
from tests.docs.markdown import table

PAGE = "docs/plain-formula.md"
HARD = {"weight": 2.0, "hard_fail": True, "fail_ratio": 0.2}
SECTIONS: Mapping[str, Any] = {
    "latency_p90": {"latency": {"p90": {"threshold": 5.0, **HARD}}},
    "ttft": {"ttft": {"threshold": 1.0, **HARD}},
    "tpot": {"tpot": {"threshold": 0.05, "weight": 2.0}},
}
BASES = {"minimize_latency": 3.0, "maximize_throughput": 100.0}
STEEPNESS = 0.1


def plain(base: float, threshold: float, value: float | None, fail_ratio: float | None) -> str:
    """The formula as it is written, for one SLO of weight 2."""
    if value is None or value <= threshold:
        return f"{base:.4g}"
    ratio = (value - threshold) / threshold
    if fail_ratio is not None and ratio >= fail_ratio:
        return "inf"
    try:
        return f"{base * (1 + 2.0 * math.exp(ratio / STEEPNESS)):.4g}"
    except OverflowError:
        return "overflow"


@pytest.mark.parametrize("row", table(PAGE, "differences"), ids=lambda row: row["case"])
def test_a_case_comes_out_as_shown(row: dict[str, str], tmp_path: Path) -> None:
    objective = row["objective"].strip("`")
    sli, _, given = row["values"].strip("`").partition("=")
    section = SECTIONS[sli]
    limit = section["latency"]["p90"] if "latency" in section else section[sli]
    value = None if given == "?" else float(given)
    base = BASES[objective]
    threshold, fail_ratio = float(limit["threshold"]), limit.get("fail_ratio")
    assert plain(base, threshold, value, fail_ratio) == row["plain"]
    task = tmp_path / "task.json"
    optimization = {"objective": objective}
    task.write_text(json.dumps({"task_name": "t", "optimization": optimization, "slo": section}))
    values = () if value is None else ("--value", f"{sli}={value}")
    report = json.loads(
        sloscore("score", "--json", "--task", str(task), "--base-score", f"{base}", *values).out
    )
    score = report["score"]
    shown = "no score" if score is None else f"{float(score):.4g}"
    assert f"{shown} {report['status']}" == row["sloscore"]
