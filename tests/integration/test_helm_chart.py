"""The Helm chart: it makes what the manifests for kustomize are, and refuses values that it does not know."""

import json

import pytest
import yaml
from jsonschema import Draft7Validator  # type: ignore[import-untyped]  # it has no types
from tests.integration.custom_resources import Json, check, documents
from tests.integration.helm import CHART, rendered
from tools.kubernetes import DIRECTORY as MONITORING

from sloscore import __version__
from sloscore.settings import Settings
from sloscore.spec.loader import parse_model

MANIFESTS = MONITORING.parent
MONITORED = [
    f"--set={name}.enabled=true" for name in ("serviceMonitor", "prometheusRule", "dashboards")
]
# What Helm's charts add to the manifests' objects, and what they leave to Kubernetes.
ADDED = {
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/version",
    "helm.sh/chart",
    "annotations",
    "imagePullPolicy",
}


def made(*options: str, name: str = "sloscore") -> list[Json]:
    done = rendered(*options, name=name)
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


def settings(objects: list[Json], name: str = "sloscore") -> Json:
    """The service's settings, which must be valid."""
    maps = [one for one in objects if (one["kind"], one["metadata"]["name"]) == ("ConfigMap", name)]
    (text,) = (one["data"]["sloscore.yaml"] for one in maps)
    parse_model(Settings, text, "sloscore.yaml")
    return yaml.safe_load(text)


def shared(value: Json) -> Json:
    """An object without what Helm's charts add; settings are read."""
    if isinstance(value, list):
        return [shared(one) for one in value]
    if not isinstance(value, dict):
        return value
    read = {"sloscore.yaml": yaml.safe_load}
    kept = {name: read.get(name, shared)(one) for name, one in value.items() if name not in ADDED}
    return {name: one for name, one in kept.items() if name != "metadata"} | (
        {"metadata": {"name": value["metadata"].get("name")}} if "metadata" in value else {}
    )


def manifests() -> list[Json]:
    """The objects of both kustomizations, but for the namespace."""
    found = []
    for place in (MANIFESTS, MONITORING):
        resources = yaml.safe_load((place / "kustomization.yaml").read_text())["resources"]
        for name in resources:
            found += documents((place / name).read_text())
    return [one for one in found if one["kind"] != "Namespace"]


def by_name(objects: list[Json]) -> dict[tuple[str, str], Json]:
    return {(one["kind"], one["metadata"]["name"]): shared(one) for one in objects}


def test_the_chart_makes_the_objects_of_the_manifests() -> None:
    assert by_name(made("--set=image.tag=local", *MONITORED)) == by_name(manifests())


@pytest.mark.parametrize("name", ["sloscore", "tuning"])
def test_the_objects_fit_their_schemas_and_each_other(name: str) -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    objects = made(*MONITORED, name=name)
    for one in objects:
        if one["apiVersion"].startswith("monitoring.coreos.com/"):
            check(one)
        else:
            validator.validate(one, validator.latest_version(), strict=True)
    kinds = {one["kind"]: one for one in objects}
    labels = kinds["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    selectors = [
        kinds["Service"]["spec"]["selector"],
        kinds["StatefulSet"]["spec"]["selector"]["matchLabels"],
        kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        kinds["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ]
    assert all(selector.items() <= labels.items() for selector in selectors)
    found = kinds["ServiceMonitor"]["spec"]["selector"]["matchLabels"]
    assert found.items() <= kinds["Service"]["metadata"]["labels"].items()


def test_monitoring_is_off_unless_asked_for() -> None:
    kinds = sorted(one["kind"] for one in made())
    assert kinds == [
        "ConfigMap", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount", "StatefulSet",
    ]  # fmt: skip


def test_settings_are_laid_over_those_of_the_chart_and_tokens_beside_the_reader() -> None:
    token = {"name": "tuner", "role": "write", "sha256": "0" * 64}
    given = {"evaluation": {"interval": "2s"}, "auth": {"tokens": [token]}}
    plain, changed = settings(made()), settings(made(f"--set-json=config={json.dumps(given)}"))
    assert changed["evaluation"] == {"interval": "2s"}
    assert changed["auth"] == {**plain["auth"], "tokens": [*plain["auth"]["tokens"], token]}
    assert changed["listen"] == plain["listen"]
    assert changed["prometheus"] == plain["prometheus"]


def test_other_settings_start_another_pod() -> None:
    def marks(*options: str) -> Json:
        (one,) = (one for one in made(*options) if one["kind"] == "StatefulSet")
        return one["spec"]["template"]["metadata"]["annotations"]

    assert marks() == marks() != marks("--set=config.prometheus.url=http://other:9090")


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("replicas=2", "replicas"),
        ("config.listen.port=80", "config.listen.port"),
        ("config.listen.host=127.0.0.1", "config.listen.host"),
        ("serviceMonitor.interval=often", "serviceMonitor.interval"),
        ("networkPolicy.prometheus.port=0", "networkPolicy.prometheus.port"),
        ("secretName=", "secretName"),
        ("persistence.size=much", "persistence.size"),
    ],
)
def test_a_value_that_the_chart_does_not_take_is_refused_by_its_name(
    value: str, place: str
) -> None:
    done = rendered(f"--set={value}")
    assert done.returncode != 0
    assert "don't meet the specifications of the schema" in done.stderr
    # Helm 4 writes places with slashes.
    assert place in done.stderr.replace("/", ".")


def test_the_values_of_the_chart_are_those_of_its_schema() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    Draft7Validator.check_schema(schema)
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    Draft7Validator(schema).validate(values)
    assert values.keys() == schema["properties"].keys() - {"global"}


def test_the_chart_is_of_the_version_of_the_service() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == __version__


@pytest.mark.parametrize("name", ["dashboards", "sloscore-alerts.yml"])
def test_the_chart_holds_the_files_of_the_repository(name: str) -> None:
    root = CHART.parents[2]
    held = (CHART / "files" / name).resolve()
    assert held in {root / "dashboards", root / "rules" / "sloscore-alerts.yml"}
    assert held.exists()
