"""Generated rules under promtool: what Prometheus accepts, and what fires when."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.golden.rules.cases import CASES, made_by
from tests.golden.rules.cases import PLACE as GOLDEN
from tests.integration.rules_engines import binary_of

from sloscore.spec.preset import load_preset, preset_names

pytestmark = pytest.mark.prometheus

CASE_FILES = Path(__file__).parents[1] / "promtool" / "generated"
# Names and labels of a firing alert, but for its name as a series.
_LABEL = re.compile(r'(\w+)="([^"]*)"')

Labels = frozenset[tuple[str, str]]


def said_by(program: Path, *arguments: str | Path) -> tuple[int, str]:
    command = [str(program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


def documents(name: str) -> list[Any]:
    return [one for one in yaml.safe_load_all((GOLDEN / name).read_text("utf-8")) if one]


def rule_files(place: Path) -> Iterator[Path]:
    """Each golden file, and the spec of each Kubernetes object, as a rule file of its own."""
    for name in CASES:
        if "kubernetes" not in name:
            yield GOLDEN / name
            continue
        for number, document in enumerate(documents(name)):
            path = place / f"{number}-{name}"
            path.write_text(yaml.safe_dump(document["spec"]), encoding="utf-8")
            yield path


def test_prometheus_accepts_every_rule_file(promtool: Path, tmp_path: Path) -> None:
    files = list(rule_files(tmp_path))
    assert len(files) > len(CASES)
    code, said = said_by(promtool, "check", "rules", "--lint=all", "--lint-fatal", *files)
    assert code == 0, said


def task_of(preset: str) -> dict[str, Any]:
    """A task with an SLO on everything that the preset's server measures."""
    roles = load_preset(preset).metrics
    slo: dict[str, Any] = {}
    if "latency" in roles:
        slo["latency"] = {"p90": {"threshold": 4.0, "hard_fail": True}, "p99": {"threshold": 8.0}}
    for role in ("ttft", "tpot"):
        if role in roles:
            slo[role] = {"threshold": 0.5}
    if "tokens_out" in roles:
        slo["throughput"] = {"output": {"threshold": 100}, "total_per_gpu": {"threshold": 10}}
    if "queue" in roles:
        slo["queue"] = {"p50": {"threshold": 1.0}}
    if "errors" in roles:
        slo["error_rate"] = {"threshold": 0.01}
    objective = "minimize_latency" if "latency" in roles else "minimize_ttft"
    return {
        "task_name": f"on {preset}",
        "server": preset,
        "selector": {"job": preset},
        "optimization": {"objective": objective},
        "slo": slo,
        "gpus": 2,
    }


def test_prometheus_accepts_the_rules_for_every_preset(promtool: Path, tmp_path: Path) -> None:
    specs = [tmp_path / f"{preset}.json" for preset in preset_names()]
    for spec in specs:
        spec.write_text(json.dumps(task_of(spec.stem)), encoding="utf-8")
    rules = tmp_path / "rules.yml"
    rules.write_text(made_by("--assume-bound", *map(str, specs)), encoding="utf-8")
    code, said = said_by(promtool, "check", "rules", "--lint=all", "--lint-fatal", rules)
    assert code == 0, said


def test_vmalert_accepts_every_rule_file(tmp_path: Path, prometheus_binary: Path) -> None:
    vmalert = binary_of("vmalert", prometheus_binary)
    given = [f"-rule={path}" for path in rule_files(tmp_path)]
    code, said = said_by(vmalert, "-dryRun", *given)
    assert code == 0, said


@pytest.mark.parametrize("cases", sorted(path.name for path in CASE_FILES.glob("*.yml")))
def test_rules_record_and_alerts_fire_as_the_cases_say(promtool: Path, cases: str) -> None:
    code, said = said_by(promtool, "test", "rules", CASE_FILES / cases)
    assert code == 0, said


def alerts_of(name: str) -> set[Labels]:
    """The labels of every alert in a golden file."""
    return {
        frozenset({"alertname": rule["alert"], **rule["labels"]}.items())
        for document in documents(name)
        for group in document["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }


def firing(test: Mapping[str, Any]) -> Iterator[set[Labels]]:
    """The alerts that a case expects at each time at which it looks at all of them."""
    for asked in test["promql_expr_test"]:
        if asked["expr"] == 'ALERTS{alertstate="firing"}':
            shown = [_LABEL.findall(one["labels"]) for one in asked.get("exp_samples", ())]
            yield {frozenset(pair for pair in one if pair[0] != "alertstate") for one in shown}


def test_each_alert_on_the_documents_slos_is_made_to_fire_and_not_to() -> None:
    fired: set[Labels] = set()
    silent: set[Labels] = set()
    everything = alerts_of("chat.yml")
    for path in CASE_FILES.glob("*.yml"):
        loaded = yaml.safe_load(path.read_text("utf-8"))
        if loaded["rule_files"] == ["../../golden/rules/chat.yml"]:
            for test in loaded["tests"]:
                for seen in firing(test):
                    fired |= seen
                    silent |= everything - seen
    assert len(everything) == 22
    assert fired == everything
    assert silent == everything
