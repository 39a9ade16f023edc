"""Selectors of what runs in Kubernetes: what they hold, and that a Prometheus with such labels finds by them what is meant."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.conftest import SCRAPE_INTERVAL
from tests.docs.markdown import block
from tests.integration.service import (
    Deployments,
    Json,
    has_requests,
    requests_between,
    serving,
    settings,
    task_of,
)

from sloscore.client import kubernetes_selector
from sloscore.simulate.prometheus import PrometheusProcess

pytest_plugins = ["tests.integration.service_fixtures"]

META = "__meta_kubernetes_"


def group(address: str, pod: str, revision: str) -> Json:
    """A target as discovery tells it."""
    labels = {
        "namespace": "serving",
        "pod_name": pod,
        "pod_container_name": "vllm",
        "pod_container_port_name": "http",
        "pod_label_app": "chat",
        "pod_label_rollouts_pod_template_hash": revision,
    }
    found = {f"{META}{name}": value for name, value in labels.items()}
    return {"targets": [address], "labels": found}


@pytest.fixture(scope="module")
def cluster(
    prometheus_binary: Path, deployments: Deployments, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrometheusProcess]:
    """A Prometheus that scrapes as docs/kubernetes.md says, two pods of other revisions."""
    place = tmp_path_factory.mktemp("cluster")
    (scrape,) = yaml.safe_load(block("docs/kubernetes.md", "scrape"))["scrape_configs"]
    assert [one["role"] for one in scrape.pop("kubernetes_sd_configs")] == ["pod"]
    targets = place / "pods.json"
    quick = group(deployments.quick.address, "chat-6f9d8-x2x5k", "6f9d8")
    slow = group(deployments.slow.address, "chat-77c4b-q8zzt", "77c4b")
    targets.write_text(json.dumps([quick, slow]))
    scrape["file_sd_configs"] = [{"files": [str(targets)]}]
    del scrape["scrape_interval"]
    job = scrape["job_name"].replace("/", "-")
    with PrometheusProcess(
        prometheus_binary, place, SCRAPE_INTERVAL, scrape_settings={job: scrape}
    ) as process:
        for address in (deployments.quick.address, deployments.slow.address):
            deployments.run(process.wait_for_scrape(address, time.time()))
        yield process


@pytest.mark.prometheus
@pytest.mark.parametrize(
    "selector",
    [
        kubernetes_selector("serving", pod="chat-6f9d8-x2x5k"),
        kubernetes_selector("serving", labels={"rollouts-pod-template-hash": "6f9d8"}),
    ],
    ids=str,
)
async def test_a_selector_finds_the_requests_of_its_pods_and_no_others(
    cluster: PrometheusProcess, deployments: Deployments, tmp_path: Path, selector: Json
) -> None:
    async with serving(settings(tmp_path, cluster.url)) as api:
        assert (await api.register("one", task_of(), selector=selector)).status == 201
        report = await api.score_until("one", has_requests(10))
    window = report["window"]
    assert window["instances"] == 1
    assert window["requests"] == len(requests_between(deployments.quick, window))


def test_a_selector_holds_the_labels_of_the_operator() -> None:
    assert kubernetes_selector("serving", service="chat", container="vllm") == {
        "namespace": "serving", "service": "chat", "container": "vllm",
    }  # fmt: skip
    labelled = kubernetes_selector("serving", labels={"app.kubernetes.io/name": "Chat 1"})
    assert labelled == {"namespace": "serving", "app_kubernetes_io_name": "Chat 1"}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "name a pod, a service or labels"),
        ({"container": "vllm"}, "name a pod, a service or labels"),
        ({"pod": ""}, "pod: '' is no name"),
        ({"pod": "chat-.*"}, r"pod: 'chat-\.\*' is no name"),
        ({"service": "Chat"}, "service: 'Chat' is no name"),
        ({"labels": {"app": ""}}, "labels: app has no value"),
    ],
)
def test_a_selector_of_more_than_is_meant_is_refused(given: Json, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        kubernetes_selector("serving", **given)
