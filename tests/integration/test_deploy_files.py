"""The files that operators run as they are: rules, compose stack and Makefile."""

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.integration.alertmanager import amtool_beside

from sloscore import conventions as names
from sloscore.alerting.render import render

pytest_plugins = ["tests.integration.alertmanager_fixtures"]

ROOT = Path(__file__).parents[2]
RULES = ROOT / "rules" / "sloscore-alerts.yml"
COMPOSE = ROOT / "docker-compose.yml"
TOKEN = "a-token-for-this-test-only"

COUNTERS = {
    names.EVALUATION_ERRORS,
    names.EVALUATION_LATE,
    names.EVALUATION_ROUNDS,
    names.SOURCE_QUERIES,
    names.SOURCE_QUERY_ERRORS,
    names.EXPERIMENT_SERIES_EXPIRED,
}
HISTOGRAMS = {names.EVALUATION_DURATION, names.SOURCE_QUERY_DURATION}
METRICS = {
    value.format(unit=unit)
    for name, value in vars(names).items()
    if isinstance(value, str) and value.startswith(f"{names.PREFIX}_") and name.isupper()
    for unit in names.UNIT_NAMES.values()
}
EXPORTED = (
    (METRICS - COUNTERS - HISTOGRAMS)
    | {f"{name}_total" for name in COUNTERS}
    | {f"{name}_{part}" for name in HISTOGRAMS for part in ("bucket", "sum", "count")}
)


def metrics_in(expression: str) -> set[str]:
    return set(re.findall(r"\bsloscore_[a-z_]+", expression))


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def compose_services() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    return services


def run(
    *command: str | Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: PLW1510 - each caller judges the exit code
        [str(part) for part in command], cwd=ROOT, env=env, capture_output=True, text=True
    )


@pytest.fixture
def compose() -> Iterator[list[str]]:
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) and run(*command, "version").returncode == 0:
            yield command
            return
    pytest.skip("there is no docker compose here")


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_alert_asks_for_metrics_that_the_service_exports(alert: dict[str, Any]) -> None:
    assert metrics_in(alert["expr"]) <= EXPORTED
    assert metrics_in(alert["expr"]) or 'up{job="sloscore"}' in alert["expr"]


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_alert_tells_its_severity_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"warning", "critical"}
    told = {"summary", "description", "action", "link", "runbook_url"}
    assert alert["annotations"].keys() == told


@pytest.mark.parametrize("cases", ["experiments.yml", "service.yml"])
@pytest.mark.prometheus
def test_alerts_fire_when_they_should_and_only_then(promtool: Path, cases: str) -> None:
    done = run(promtool, "test", "rules", ROOT / "tests" / "promtool" / cases)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_made_to_fire_and_not_to_in_the_promtool_cases() -> None:
    fired: dict[bool, set[str]] = {True: set(), False: set()}
    for path in (ROOT / "tests" / "promtool").glob("*.yml"):
        for test in yaml.safe_load(path.read_text())["tests"]:
            for case in test.get("alert_rule_test", ()):
                fired[bool(case.get("exp_alerts"))].add(case["alertname"])
    assert fired[True] == fired[False] == {alert["alert"] for alert in alerts()}


@pytest.mark.prometheus
def test_prometheus_accepts_the_rules_and_its_configuration(promtool: Path) -> None:
    for check, path in (("rules", RULES), ("config", ROOT / "deploy" / "prometheus.yml")):
        done = run(promtool, "check", check, path)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.prometheus
def test_queries_of_the_runbooks_are_valid_and_ask_for_what_is_exported(
    promtool: Path, tmp_path: Path
) -> None:
    pages = (ROOT / "docs" / "runbooks").glob("*.md")
    queries = [
        query
        for page in sorted(pages)
        for query in re.findall(r"```promql\n(.*?)```", page.read_text(), re.DOTALL)
    ]
    assert set().union(*map(metrics_in, queries)) <= EXPORTED
    rules = [{"record": f"query:{n}", "expr": query} for n, query in enumerate(queries)]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "runbooks", "rules": rules}]}))
    done = run(promtool, "check", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_those_that_are_generated() -> None:
    assert RULES.read_text() == render(), "run: make alerts"


def test_alertmanager_accepts_its_configuration(alertmanager_binary: Path) -> None:
    amtool = amtool_beside(alertmanager_binary)
    if amtool is None:
        pytest.skip(f"there is no amtool beside {alertmanager_binary}, nor on PATH")
    done = run(amtool, "check-config", ROOT / "deploy" / "alertmanager.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 inhibit rules" in done.stdout


def test_compose_publishes_ports_on_the_loopback_address_only() -> None:
    ports = [port for service in compose_services().values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_compose_pins_every_image_it_pulls() -> None:
    images = {service["image"] for service in compose_services().values() if "image" in service}
    pulled = images - {"sloscore:local"}
    assert pulled
    assert [image for image in pulled if not re.search(r":v?\d+\.\d+\.\d+$", image)] == []


def test_compose_mounts_files_that_exist() -> None:
    mounts = [v for s in compose_services().values() for v in s.get("volumes", [])]
    sources = [mount.split(":")[0] for mount in mounts if mount.startswith("./")]
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_compose_accepts_the_stack_once_a_token_is_set(compose: list[str]) -> None:
    done = run(*compose, "-f", COMPOSE, "config", env={**os.environ, "SLOSCORE_TOKEN": TOKEN})
    assert done.returncode == 0, done.stderr


def test_compose_refuses_to_start_without_a_token(compose: list[str], tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name != "SLOSCORE_TOKEN"}
    empty = tmp_path / "empty.env"
    empty.touch()
    done = run(*compose, "--env-file", empty, "-f", COMPOSE, "config", env=env)
    assert done.returncode != 0
    assert "set SLOSCORE_TOKEN to a long random string" in done.stderr


def test_image_is_built_with_the_pages_that_the_package_links_to() -> None:
    linked = (ROOT / "service" / "sloscore" / "api" / "runbooks").resolve().relative_to(ROOT)
    build = (ROOT / "Dockerfile").read_text().partition('"wheel"')[0]
    assert f"COPY {linked} ./{linked}\n" in build
    assert f"!{linked}\n" in (ROOT / ".dockerignore").read_text()


def test_image_runs_as_a_numeric_user_and_without_a_shell() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    runtime = lines[max(i for i, line in enumerate(lines) if line.startswith("FROM")) :]
    assert "USER 10001:10001" in runtime
    for word in ("RUN", "CMD", "ENTRYPOINT"):
        commands = [line.strip() for line in lines if line.strip().startswith(f"{word} ")]
        assert commands
        assert [c for c in commands if not c.removeprefix(f"{word} ").startswith("[")] == []


def locked() -> dict[str, tuple[str, int]]:
    """The version of each locked package, and how many files of it may be installed."""
    text = (ROOT / "requirements.lock").read_text()
    entries = re.findall(
        r"^([a-z0-9-]+)==(\S+)((?: \\\n +--hash=sha256:[0-9a-f]{64})+)", text, re.MULTILINE
    )
    assert len(entries) == len(re.findall(r"^[a-z]", text, re.MULTILINE))
    return {name: (version, hashes.count("sha256:")) for name, version, hashes in entries}


def test_the_lock_names_a_version_that_fits_with_hashes_for_all_that_the_package_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = locked()
    for text in [*project["dependencies"], *project["optional-dependencies"]["postgres"]]:
        needed = Requirement(text)
        version, hashes = found[canonicalize_name(needed.name)]
        assert needed.specifier.contains(version), f"{text}: run make lock"
        assert hashes


def test_image_installs_only_what_is_locked_and_keeps_no_installer() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    stages = [i for i, line in enumerate(lines) if line.startswith("FROM")]
    build, runtime = lines[: stages[-1]], lines[stages[-1] :]
    installs = [line for line in build if '"install"' in line and "pip" in line]
    assert installs
    for line in installs:
        is_locked = "--require-hashes" in line and "requirements.lock" in line
        assert is_locked or ("--no-index" in line and "--no-deps" in line), line
    for stage in (build, runtime):
        assert [line for line in stage if '"uninstall"' in line and '"pip"' in line]
    assert "!requirements.lock\n" in (ROOT / ".dockerignore").read_text()


def test_make_alone_lists_every_target() -> None:
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    listed = re.findall(r"^  ([a-z0-9-]+) ", run("make", env=env).stdout, re.MULTILINE)
    assert sorted(listed) == sorted(phony[1].split())
