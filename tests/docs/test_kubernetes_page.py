"""docs/kubernetes.md: its commands, as far as they go without a cluster, its objects and what the service makes of them."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from tests.docs.markdown import ROOT, block, output, table
from tests.docs.shell import shell
from tests.integration.analysis_runs import Json, filled, phase
from tests.integration.custom_resources import check
from tests.integration.helm import helm_binary
from tests.integration.service import Answer, Api, serving, settings

from sloscore.client import kubernetes_selector
from sloscore.spec.loader import parse_model
from sloscore.wire.requests import Registration

PAGE = "docs/kubernetes.md"
DEPLOY = ROOT / "deploy"
HASH = "6f9d8"
# What needs no cluster is done, and tells what it would send; what needs one is told alone.
KUBECTL = """
kubectl() {
  case "$*" in
    *"create "*) command kubectl "$@" --dry-run=client -o yaml && echo --- ;;
    *"apply -k "*) command kubectl kustomize "${@: -1}" && echo --- ;;
    *"apply -f "*) cat "${@: -1}" && echo --- ;;
    *"get secret "*) printf 'a token' | base64 ;;
    *" patch "*) echo "${@: -1}" ;;
    *) return 1 ;;
  esac
}
"""


def objects(mark: str) -> list[Json]:
    """The objects that the commands behind a mark would send."""
    if shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl here")
    done = shell(KUBECTL + block(PAGE, mark))
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def example(mark: str) -> Json:
    return yaml.safe_load(block(PAGE, mark))


def manifest(name: str) -> Json:
    return yaml.safe_load((DEPLOY / "kubernetes" / f"{name}.yaml").read_text())


def named(made: list[Json], kind: str) -> Json:
    (one,) = (one for one in made if one.get("kind") == kind)
    return one


async def sent(api: Api, mark: str) -> tuple[Json, Answer]:
    """The metric of a template, and what its request is answered."""
    (metric,) = example(mark)["spec"]["metrics"]
    web = metric["provider"]["web"]
    given = {"args.experiment": HASH, "args.token": "any"}
    path = filled(web["url"], given).removeprefix("http://sloscore.sloscore.svc:8520")
    body = json.loads(filled(json.dumps(web["jsonBody"]), given))
    return metric, await api.request(web["method"], path, body=body)


def test_the_commands_make_what_the_manifests_need() -> None:
    made = objects("apply")
    secret, example = named(made, "Secret"), manifest("secret.example")
    assert secret["metadata"]["name"] == example["metadata"]["name"]
    assert secret["metadata"]["namespace"] == example["metadata"]["namespace"]
    assert secret["data"].keys() == example["stringData"].keys()
    assert len(set(secret["data"].values())) == 2
    assert named(made, "StatefulSet")["metadata"]["namespace"] == secret["metadata"]["namespace"]


def test_the_monitoring_is_applied() -> None:
    kinds = [one["kind"] for one in objects("monitor")]
    assert sorted(set(kinds)) == ["ConfigMap", "PrometheusRule", "ServiceMonitor"]


def test_helm_takes_the_values_that_are_shown() -> None:
    binary = helm_binary()
    command = block(PAGE, "helm").replace("helm install", f"{binary} template")
    done = shell(command)
    assert done.returncode == 0, done.stderr
    made = list(yaml.safe_load_all(done.stdout))
    for kind in ("ServiceMonitor", "PrometheusRule"):
        assert named(made, kind)["metadata"]["labels"]["release"] == "prometheus"
    (container,) = named(made, "StatefulSet")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.org/sloscore:0.1.0"


def test_the_analysis_finds_its_secret_and_may_ask_the_service() -> None:
    made = objects("rollouts")
    template, secret = named(made, "AnalysisTemplate"), named(made, "Secret")
    arguments = {one["name"]: one for one in template["spec"]["args"]}
    asked = arguments["token"]["valueFrom"]["secretKeyRef"]
    assert asked["name"] == secret["metadata"]["name"]
    assert asked["key"] in secret["data"]
    (patch,) = (one for one in made if "kind" not in one)
    labels = patch["spec"]["template"]["metadata"]["labels"]
    (ingress,) = manifest("networkpolicy")["spec"]["ingress"]
    assert labels in [one.get("podSelector", {}).get("matchLabels") for one in ingress["from"]]


@pytest.mark.parametrize("mark", ["podmonitor", "start", "finish", "rollout", "canary"])
def test_an_object_has_the_fields_of_its_kind(mark: str) -> None:
    check(example(mark))


def test_the_rollout_has_pods_that_kubernetes_takes() -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    rollout = example("rollout")
    spec = {name: rollout["spec"][name] for name in ("replicas", "selector", "template")}
    deployment = {**rollout, "apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}
    validator.validate(deployment, validator.latest_version(), strict=True)


def test_the_rollout_names_the_templates_and_gives_all_that_they_need() -> None:
    analysis = (DEPLOY / "argo-rollouts" / "analysis-template.yaml").read_text()
    templates = {
        one["metadata"]["name"]: one
        for one in (example("start"), example("finish"), yaml.safe_load(analysis))
    }
    steps = example("rollout")["spec"]["strategy"]["canary"]["steps"]
    runs = [step["analysis"] for step in steps if "analysis" in step]
    assert [run["templates"][0]["templateName"] for run in runs] == list(templates)
    for run in runs:
        (used,) = run["templates"]
        needed = templates[used["templateName"]]["spec"]["args"]
        missing = {one["name"] for one in needed if one.keys() == {"name"}}
        assert missing == {one["name"] for one in run["args"]}


def test_the_canary_uses_the_metric_template_as_it_is_meant() -> None:
    (metric,) = example("canary")["spec"]["analysis"]["metrics"]
    text = (DEPLOY / "flagger" / "metric-template.yaml").read_text()
    template = yaml.safe_load(text)
    assert metric["templateRef"]["name"] == template["metadata"]["name"]
    assert metric["thresholdRange"] == {"max": 0}
    values = {f"variables.{name}": value for name, value in metric["templateVariables"].items()}
    assert "{{" not in filled(template["spec"]["query"], values)


async def test_the_templates_begin_and_end_an_experiment_once(tmp_path: Path) -> None:
    async with serving(settings(tmp_path)) as api:
        metric, started = await sent(api, "start")
        again = await sent(api, "start")
        finishing, finished = await sent(api, "finish")
        _, late = await sent(api, "start")
    assert (started.status, again[1].status, finished.status, late.status) == (201, 200, 200, 200)
    assert phase(metric, started.text) == phase(metric, again[1].text) == "Successful"
    assert phase(finishing, finished.text) == "Successful"
    assert phase(metric, late.text) == "Failed"


def test_the_experiment_selects_the_pods_that_the_monitor_labels() -> None:
    body = example("start")["spec"]["metrics"][0]["provider"]["web"]["jsonBody"]
    given = parse_model(Registration, filled(json.dumps(body), {"args.experiment": HASH}), "body")
    monitor = example("podmonitor")
    labels = {label: HASH for label in monitor["spec"]["podTargetLabels"] if "hash" in label}
    namespace = monitor["metadata"]["namespace"]
    assert given.selector == kubernetes_selector(namespace, labels=labels)


def test_the_selectors_are_as_shown() -> None:
    imported, *calls = block(PAGE, "selectors").strip().splitlines()
    known: dict[str, object] = {}
    exec(imported, known)  # noqa: S102  the document's own line
    shown = [str(eval(call, known)) for call in calls if call]  # noqa: S307  as above
    assert shown == output(PAGE, "selectors").strip().splitlines()


def test_the_phases_are_told_of_every_verdict() -> None:
    told = {re.split(r"\W", row["the analysis is"])[0] for row in table(PAGE, "phases")}
    assert told == {"Successful", "Failed", "Inconclusive", "Error"}


@pytest.mark.parametrize(("certain", "ends"), [("true", "Successful"), ("false", "Inconclusive")])
def test_an_analysis_may_ask_for_a_certain_pass(certain: str, ends: str) -> None:
    text = (DEPLOY / "argo-rollouts" / "analysis-template.yaml").read_text()
    (metric,) = yaml.safe_load(text)["spec"]["metrics"]
    strict = {**metric, "successCondition": block(PAGE, "certain").strip()}
    report = f'{{"status": "SUCCESS", "slis": [{{"verdict": "met", "certain": {certain}}}]}}'
    assert phase(strict, report) == ends
