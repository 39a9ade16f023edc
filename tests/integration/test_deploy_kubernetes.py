"""The manifests for Kubernetes fit its schemas, the service and each other."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sloscore.api.openapi import openapi_document
from sloscore.cli.serve import serve
from sloscore.settings import Settings
from sloscore.spec.loader import parse_model

PLACE = Path(__file__).parents[2] / "deploy" / "kubernetes"
FILES = sorted(set(PLACE.glob("*.yaml")) - {PLACE / "kustomization.yaml"})


def manifest(name: str) -> Any:  # noqa: ANN401  as YAML has it
    return yaml.safe_load((PLACE / f"{name}.yaml").read_text())


def pod() -> Any:  # noqa: ANN401  as above
    return manifest("statefulset")["spec"]["template"]["spec"]


def settings() -> Settings:
    return parse_model(Settings, manifest("configmap")["data"]["sloscore.yaml"], "sloscore.yaml")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_manifest_fits_the_schema_of_kubernetes(path: Path) -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    validator.validate(yaml.safe_load(path.read_text()), validator.latest_version(), strict=True)


def test_the_kustomization_has_every_manifest_but_the_example() -> None:
    named = set(manifest("kustomization")["resources"])
    assert named == {path.name for path in FILES} - {"secret.example.yaml"}


def test_the_command_takes_the_arguments_and_finds_the_settings() -> None:
    (container,) = pod()["containers"]
    command, *arguments = container["args"]
    assert command == serve.name
    parsed = serve.make_context("serve", list(arguments)).params
    mounts = {one["name"]: Path(one["mountPath"]) for one in container["volumeMounts"]}
    (file,) = manifest("configmap")["data"]
    assert parsed["config"] == mounts["config"] / file
    secret, read_secret = manifest("secret.example")["stringData"]
    given = settings()
    (reader,) = given.auth.tokens
    assert given.auth.token_file == mounts["token"] / secret
    assert reader.token_file == mounts["token"] / read_secret
    assert given.store.path.parent == mounts["store"]


def test_ports_agree() -> None:
    (container,) = pod()["containers"]
    (port,) = container["ports"]
    (service,) = manifest("service")["spec"]["ports"]
    (ingress,) = manifest("networkpolicy")["spec"]["ingress"]
    assert settings().listen.port == port["containerPort"] == service["port"]
    assert service["targetPort"] == port["name"]
    assert [one["port"] for one in ingress["ports"]] == [port["containerPort"]]


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe", "readinessProbe"])
def test_a_probe_asks_what_the_service_answers(probe: str) -> None:
    (container,) = pod()["containers"]
    request = container[probe]["httpGet"]
    assert "get" in openapi_document()["paths"][request["path"]]
    assert request["port"] == container["ports"][0]["name"]


def test_the_pod_has_no_rights_that_it_does_not_need() -> None:
    spec = pod()
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["automountServiceAccountToken"] is False
    assert manifest("serviceaccount")["automountServiceAccountToken"] is False


def test_the_drain_ends_before_kubernetes_kills_the_pod() -> None:
    assert settings().listen.drain + 5 < pod()["terminationGracePeriodSeconds"]
