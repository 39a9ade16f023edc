"""docs/rules.md: its commands run, and its tables name what generated rules have."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.docs.markdown import ROOT, block, table

from sloscore import conventions as names
from sloscore.generate.burn import BURN_RATES

PAGE = "docs/rules.md"
RULES = [ROOT / "tests/golden/rules" / name for name in ("chat.yml", "slis.yml")]
UNITS = "|".join(names.UNIT_NAMES.values())


def rules() -> list[dict[str, Any]]:
    documents = [yaml.safe_load(path.read_text("utf-8")) for path in RULES]
    return [rule for one in documents for group in one["groups"] for rule in group["rules"]]


@pytest.mark.parametrize(
    ("mark", "file"), [("prometheus", "vllm-rules.yml"), ("kubernetes", "vllm-rules.yaml")]
)
def test_the_commands_write_what_they_say(mark: str, file: str, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block(PAGE, mark)],
        cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == done.stderr == ""
    assert "task_sli:sloscore_latency_seconds:p95_5m" in (tmp_path / file).read_text("utf-8")


def test_the_page_names_every_rule_that_is_recorded() -> None:
    def general(name: str) -> str:
        # Signal, unit and statistic, and the windows of burn rates, stand for all others.
        value = rf":sloscore_[a-z_]+?_(?:{UNITS}):(?:p\d+|mean|rate|share)_"
        name = re.sub(value, ":sloscore_latency_seconds:p90_", name)
        return re.sub(r"(ratio_rate)_\w+", r"\1_1h", name)

    shown = {row["rule"].strip("`") for row in table(PAGE, "recorded")}
    assert shown == {general(rule["record"]) for rule in rules() if "record" in rule}


def test_the_page_names_every_alert_with_its_severity() -> None:
    severities: dict[str, set[str]] = {}
    for rule in rules():
        if "alert" in rule:
            severities.setdefault(rule["alert"], set()).add(rule["labels"]["severity"])
    shown = {row["alert"].strip("`"): row["severity"] for row in table(PAGE, "alerts")}
    assert shown.keys() == severities.keys()
    for alert, known in severities.items():
        assert set(re.findall(r"warning|critical", shown[alert])) == known
    assert shown[names.DEPLOYMENT_HARD_FAIL] == "critical"


def test_the_page_has_the_burn_rates_in_effect() -> None:
    shown = [tuple(row.values()) for row in table(PAGE, "burn rates")]
    assert shown == [(r.long.text, r.short.text, str(r.factor), r.spent) for r in BURN_RATES]
