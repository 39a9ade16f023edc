"""The rule files beside tests/golden/rules/cases.py; `make golden` writes them anew."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.golden.rules.cases import CASES, PLACE, made_by

from sloscore import __version__

FIELDS_THAT_ALL_RULERS_KNOW = {"record", "alert", "expr", "for", "labels", "annotations"}


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PLACE)


def documents(name: str) -> list[Any]:
    return [one for one in yaml.safe_load_all((PLACE / name).read_text("utf-8")) if one]


def groups(name: str) -> Iterator[dict[str, Any]]:
    for document in documents(name):
        yield from document.get("spec", document)["groups"]


def rules(name: str) -> list[dict[str, Any]]:
    return [rule for group in groups(name) for rule in group["rules"]]


@pytest.mark.parametrize("name", CASES)
def test_the_command_makes_the_golden_file(name: str) -> None:
    assert made_by(*CASES[name]) == (PLACE / name).read_text("utf-8")


def test_every_golden_file_is_one_that_the_command_makes() -> None:
    assert {path.name for path in PLACE.glob("*.yml")} == set(CASES)


def test_a_file_is_the_same_wherever_it_is_made_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    golden = (PLACE / "chat.yml").read_text("utf-8")
    monkeypatch.chdir(tmp_path)

    assert made_by(str(PLACE / "specs/chat.yaml")) == golden


def test_the_head_says_what_it_was_made_of() -> None:
    head = (PLACE / "odd-kubernetes.yml").read_text("utf-8").split("\n---\n")[0]
    assert head.startswith(f"# Made by sloscore {__version__} with: sloscore rules ")
    for file in ("odd.yaml", "first.json"):
        digest = hashlib.sha256((PLACE / "specs" / file).read_bytes()).hexdigest()
        assert f"# from {file} (sha256 {digest})" in head


@pytest.mark.parametrize("name", CASES)
def test_every_alert_says_how_severe_it_is_and_of_what_and_what_to_do(name: str) -> None:
    for alert in (rule for rule in rules(name) if "alert" in rule):
        assert alert["labels"].keys() == {"severity", "task", "sli", "window"}
        assert alert["labels"]["severity"] in {"warning", "critical"}
        assert alert["annotations"].keys() == {"summary", "description"}


@pytest.mark.parametrize("name", CASES)
def test_rules_have_only_fields_that_all_rulers_know(name: str) -> None:
    assert {key for rule in rules(name) for key in rule} <= FIELDS_THAT_ALL_RULERS_KNOW
    assert {key for group in groups(name) for key in group} == {"name", "interval", "rules"}


@pytest.mark.parametrize("name", CASES)
def test_groups_have_names_of_their_own_and_are_of_a_size_that_mimir_takes(name: str) -> None:
    found = list(groups(name))
    assert len({group["name"] for group in found}) == len(found)
    assert all(0 < len(group["rules"]) <= 20 for group in found)


@pytest.mark.parametrize("name", CASES)
def test_recorded_names_are_of_the_form_level_metric_operation(name: str) -> None:
    for rule in rules(name):
        if "record" in rule:
            assert re.fullmatch(r"(task|task_sli):sloscore_[a-z_]+:[a-z0-9_]+", rule["record"])


@pytest.mark.parametrize("name", ["odd.yml", "odd-kubernetes.yml"])
def test_a_task_is_labelled_with_its_name_whatever_that_is(name: str) -> None:
    task = yaml.safe_load((PLACE / "specs/odd.yaml").read_text("utf-8"))["task_name"]
    recorded = {
        rule["labels"]["task"] for rule in rules(name) if "labels" in rule and "record" in rule
    }
    assert task in recorded


def test_kubernetes_holds_the_same_groups() -> None:
    (one,) = documents("chat-kubernetes.yml")
    assert one["apiVersion"] == "monitoring.coreos.com/v1"
    assert one["kind"] == "PrometheusRule"
    assert one["metadata"] == {
        "name": "sloscore-chat",
        "namespace": "monitoring",
        "labels": {"release": "prometheus", "team": "inference"},
    }
    assert one["spec"] == documents("chat.yml")[0]


def test_each_task_is_a_kubernetes_object_with_a_name_that_kubernetes_takes() -> None:
    names = [one["metadata"]["name"] for one in documents("odd-kubernetes.yml")]
    assert len(set(names)) == 2
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name) for name in names)
