"""The tables of docs/scoring.md, recomputed."""

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import orjson
import pytest
from tests.docs.markdown import ROOT, table

from sloscore.core.curve import Exponential
from sloscore.core.penalty import Slo, penalty

PAGE = "docs/scoring.md"
LIMITS = {
    "latency_p50": Slo(2.0, 1.0),
    "latency_p90": Slo(5.0, 2.0, hard_fail=True, fail_ratio=0.2),
    "latency_p99": Slo(10.0, 3.0, hard_fail=True),
    "ttft": Slo(1.0, 2.0),
}


@pytest.mark.parametrize(
    "row", table(PAGE, "multipliers"), ids=lambda row: row["over the threshold"]
)
def test_multipliers_are_those_of_the_formula(row: dict[str, str]) -> None:
    over = float(row.pop("over the threshold").removesuffix(" %")) / 100
    assert row
    for column, shown in row.items():
        steepness = float(column.removeprefix("steepness "))
        multiplier = 1 + penalty(1 + over, Slo(1.0, weight=2.0, curve=Exponential(steepness)))
        assert f"{multiplier:.2f}" == shown


@pytest.mark.parametrize("row", table(PAGE, "scenarios"), ids=lambda row: row["scenario"])
def test_scenarios_come_out_of_the_command_as_shown(row: dict[str, str], tmp_path: Path) -> None:
    values = [pair.split("=")[0] for pair in row["values"].split()]
    latency: dict[str, object] = {}
    slo: dict[str, object] = {"latency": latency}
    for sli in values:
        section = asdict(LIMITS[sli])
        del section["is_minimum"], section["curve"]
        if sli == "ttft":
            slo["ttft"] = section
        else:
            latency[sli.removeprefix("latency_")] = section
    task = tmp_path / "task.json"
    task.write_bytes(orjson.dumps({"task_name": "scenario", "slo": slo}))
    command = [sys.executable, "-m", "sloscore", "score", "--json", "--task", str(task)]
    command += ["--base-score", row["base"]]
    for pair in row["values"].split():
        command += ["--value", pair]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    report = orjson.loads(done.stdout)
    assert report["status"] == row["status"]
    assert f"{report['penalty']:.2f}" == row["penalty"]
    assert f"{float(report['score']):.1f}" == row["score"]
    assert done.returncode == (3 if row["status"] == "FAILED" else 0)
