"""``python -m sloscore.alerting``: rules for other jobs, other pages and older engines."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

COMMITTED = Path(__file__).parents[2] / "rules" / "sloscore-alerts.yml"


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sloscore.alerting", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def rules(text: str) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def without(text: str, *keys: str) -> list[dict[str, Any]]:
    """The rules, and their annotations, without these keys."""
    return [
        {k: v for k, v in (rule | {"annotations": None}).items() if k not in keys}
        | {k: v for k, v in rule["annotations"].items() if k not in keys}
        for rule in rules(text)
    ]


def test_without_options_the_rules_are_the_committed_ones() -> None:
    done = run()
    assert (done.returncode, done.stdout) == (0, COMMITTED.read_text())


def test_they_can_be_written_to_a_file(tmp_path: Path) -> None:
    done = run("--write", str(tmp_path / "rules.yml"))
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "rules.yml").read_text() == COMMITTED.read_text()


@pytest.mark.parametrize("url", ["https://wiki.example/slo", "https://wiki.example/slo/"])
def test_pages_can_be_elsewhere_and_then_nothing_is_asked_for_their_address(url: str) -> None:
    text = run("--runbooks", url).stdout
    assert {rule["annotations"]["runbook_url"] for rule in rules(text)} == {
        f"https://wiki.example/slo/{rule['alert']}.md" for rule in rules(text)
    }
    assert without(text, "runbook_url") == without(COMMITTED.read_text(), "runbook_url")


def test_an_engine_that_cannot_keep_alerts_firing_gets_the_rest() -> None:
    text = run("--no-keep-firing").stdout
    assert "keep_firing_for" not in text
    assert without(text) == without(COMMITTED.read_text(), "keep_firing_for")


def changed(text: str) -> Iterator[tuple[str, str]]:
    for new, old in zip(rules(text), rules(COMMITTED.read_text()), strict=True):
        if new != old:
            yield new["alert"], new["expr"]


def test_another_job_changes_the_alert_that_asks_for_it() -> None:
    assert list(changed(run("--job", "tuning/slo").stdout)) == [
        ("SloscoreDown", 'up{job="tuning/slo"} == 0 or absent(up{job="tuning/slo"})')
    ]


@pytest.mark.parametrize("job", ["", 'a"b', "a}", "a b"])
def test_what_is_no_name_of_a_job_is_refused(job: str) -> None:
    done = run("--job", job)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--job: give the name of a scrape job" in done.stderr
