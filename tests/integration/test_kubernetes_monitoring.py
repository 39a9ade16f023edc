"""The objects of the Prometheus operator and Grafana: made as they are, and fit for the service and its manifests."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.integration.custom_resources import Json, check, documents
from tests.integration.service import serving, settings
from tools.dashboards.__main__ import DIRECTORY as DASHBOARDS
from tools.kubernetes import DIRECTORY, files

from sloscore.alerting.rules import DEFAULT_JOB

BASE = DIRECTORY.parent
RULES = BASE.parents[1] / "rules" / "sloscore-alerts.yml"
# What an object of Kubernetes may hold; a client's apply keeps a copy of it in an annotation.
MAX_ANNOTATIONS = 256 * 1024


def load(path: Path) -> Json:
    (one,) = documents(path.read_text())
    return one


def token_of(settings_name: str) -> str:
    """The name under which a token of the settings is in the Secret."""
    given = yaml.safe_load(load(BASE / "configmap.yaml")["data"]["sloscore.yaml"])["auth"]
    (token,) = (one for one in given["tokens"] if one["name"] == settings_name)
    assert token["role"] == "read"
    return Path(token["token_file"]).name


@pytest.fixture
def endpoint() -> Json:
    (endpoint,) = load(DIRECTORY / "servicemonitor.yaml")["spec"]["endpoints"]
    return endpoint


def test_the_generated_files_are_those_that_are_generated() -> None:
    committed = {name: (DIRECTORY / name).read_text() for name in files()}
    assert committed == files(), "run: make kubernetes"


@pytest.mark.parametrize("name", ["servicemonitor.yaml", "prometheusrule.yaml"])
def test_an_object_of_the_operator_has_the_fields_of_its_kind(name: str) -> None:
    check(load(DIRECTORY / name))


def test_the_rule_holds_the_alerts_of_the_rule_file() -> None:
    held = load(DIRECTORY / "prometheusrule.yaml")["spec"]
    assert held == yaml.safe_load(RULES.read_text())


def test_the_dashboards_are_what_grafana_s_sidecar_takes() -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    maps = documents((DIRECTORY / "dashboards.yaml").read_text())
    for one in maps:
        validator.validate(one, validator.latest_version(), strict=True)
        assert one["metadata"]["labels"] == {"grafana_dashboard": "1"}
        assert len(str(one)) < MAX_ANNOTATIONS
    held = {name: text for one in maps for name, text in one["data"].items()}
    assert held == {f"sloscore-{p.name}": p.read_text() for p in DASHBOARDS.glob("*.json")}


def test_the_monitor_finds_the_service_under_the_job_of_the_alerts(endpoint: Json) -> None:
    monitor, service = load(DIRECTORY / "servicemonitor.yaml"), load(BASE / "service.yaml")
    labels = service["metadata"]["labels"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert labels[monitor["spec"]["jobLabel"]] == DEFAULT_JOB
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}


def test_the_monitor_s_secret_holds_a_token_that_may_only_read(endpoint: Json) -> None:
    secret = load(BASE / "secret.example.yaml")
    asked = endpoint["authorization"]["credentials"]
    assert asked["name"] == secret["metadata"]["name"]
    assert asked["key"] in secret["stringData"]
    assert asked["key"] == token_of("reader")


@pytest.mark.parametrize(("key", "status"), [("read-token", 200), (None, 401)])
async def test_the_service_lets_the_monitor_scrape_with_its_token_only(
    endpoint: Json, tmp_path: Path, key: str | None, status: int
) -> None:
    tokens = load(BASE / "secret.example.yaml")["stringData"]
    auth = yaml.safe_load(load(BASE / "configmap.yaml")["data"]["sloscore.yaml"])["auth"]
    for name, text in tokens.items():
        (tmp_path / name).write_text(text)
    auth["token_file"] = tmp_path / Path(auth["token_file"]).name
    for token in auth["tokens"]:
        token["token_file"] = tmp_path / Path(token["token_file"]).name
    # On the address of a pod that is so anyway.
    auth["require_read"] = True
    headers = {"Authorization": f"{endpoint['authorization']['type']} {tokens[key]}"} if key else {}
    async with serving(settings(tmp_path, auth=auth)) as api:
        answer = await api.request("GET", endpoint["path"], headers=headers)
    assert answer.status == status


@pytest.mark.parametrize("place", [BASE, DIRECTORY], ids=lambda place: place.name)
def test_kustomize_builds_it(place: Path) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl here")
    done = subprocess.run(
        ["kubectl", "kustomize", place], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    named = yaml.safe_load((place / "kustomization.yaml").read_text())["resources"]
    expected = [one for name in named for one in documents((place / name).read_text())]
    built = documents(done.stdout)
    assert {(one["kind"], one["metadata"]["name"]) for one in built} == {
        (one["kind"], one["metadata"]["name"]) for one in expected
    }
