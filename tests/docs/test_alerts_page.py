"""docs/alerts.md and the runbooks tell of the alerts that there are, in queries and requests that work."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.docs.markdown import ROOT, table

from sloscore.alerting.rules import groups
from sloscore.api.openapi import openapi_document
from sloscore.settings import SettingsFile

ALERTS = {alert.name: alert for group in groups() for alert in group.alerts}
PAGES = sorted((ROOT / "docs" / "runbooks").glob("*"))
SECTIONS = ["What it means", "Impact", "How to look", "What to do", "When to silence"]


def test_the_table_has_every_alert_as_it_is() -> None:
    rows = {}
    for row in table("docs/alerts.md", "alerts"):
        link = re.fullmatch(r"\[(\w+)\]\(runbooks/(\w+)\.md\)", row["alert"])
        assert link is not None
        assert link[1] == link[2]
        rows[link[1]] = (row["severity"], row["for"], row["kept for"])
    assert rows == {
        name: (alert.severity, alert.hold or "", alert.keep) for name, alert in ALERTS.items()
    }


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    assert [page.name for page in PAGES] == sorted(f"{name}.md" for name in ALERTS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_says_what_to_know_in_the_same_order(page: Path) -> None:
    text = page.read_text()
    assert text.startswith(f"# {page.stem}\n\nSeverity: {ALERTS[page.stem].severity}. ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS


def test_links_of_pages_lead_somewhere() -> None:
    for page in PAGES:
        links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
        assert [link for link in links if not (page.parent / link).exists()] == []


def requests() -> Iterator[str]:
    """Paths that pages send requests to, with words in capitals in place of parameters."""
    for page in PAGES:
        for path in re.findall(r"127\.0\.0\.1:8520([^\s'?]*)|POST (/\S+?)`", page.read_text()):
            yield "".join(path)


def test_pages_ask_for_what_the_service_answers() -> None:
    known = {re.sub(r"{\w+}", "NAME", path) for path in openapi_document()["paths"]}
    asked = {re.sub(r"\b[A-Z]{2,}\b", "NAME", path) for path in requests()}
    assert asked
    assert asked <= known


def test_pages_name_settings_that_there_are() -> None:
    sections = {
        name: set(getattr(field.annotation, "model_fields", ()))
        for name, field in SettingsFile.model_fields.items()
    }
    for page in [*PAGES, ROOT / "docs" / "alerts.md"]:
        for section, key in re.findall(r"`(\w+)\.(\w+)`", page.read_text()):
            if section in sections:
                assert key in sections[section], page


def test_the_example_of_routes_is_one_of_alertmanager() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/alerts.md").read_text(), re.DOTALL)
    (paging, shipped) = yaml.safe_load(example)["routes"]
    config = yaml.safe_load((ROOT / "deploy" / "alertmanager.yml").read_text())
    assert [shipped] == config["route"]["routes"]
    assert paging["continue"] is True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_leads_back_to_the_alerts(page: Path) -> None:
    assert page.read_text().endswith("\n[All alerts](../alerts.md)\n")
