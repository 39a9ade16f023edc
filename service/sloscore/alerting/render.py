"""The alerts as a rule file of Prometheus."""

import textwrap
from collections.abc import Iterator

from sloscore import conventions as names
from sloscore.alerting.rules import DEFAULT_JOB, Alert, groups

_HEAD = """\
# Alerts on what the service exports; docs/alerts.md explains them. Made by `make alerts`: change
# service/sloscore/alerting/rules.py, or print rules of your own: python -m sloscore.alerting --help
groups:
"""
_WIDTH = 118


def render(job: str = DEFAULT_JOB, runbooks: str | None = None, *, keep_firing: bool = True) -> str:
    """The rule file, for a service that is scraped under this job.

    ``runbooks`` is the URL under which the pages of ``docs/runbooks`` are found; without one alerts
    link to those that the service itself serves. ``keep_firing`` False leaves out
    ``keep_firing_for``, for engines that do not know it.
    """
    made = []
    for group in groups(job):
        rules = (_rule(alert, runbooks, keep_firing=keep_firing) for alert in group.alerts)
        listed = "\n\n".join("\n".join(lines) for lines in rules)
        made.append(f"  - name: {group.name}\n    rules:\n{listed}\n")
    return _HEAD + "\n".join(made)


def _rule(alert: Alert, runbooks: str | None, *, keep_firing: bool) -> Iterator[str]:
    yield f"      - alert: {alert.name}"
    yield "        expr: |-"
    yield from (f"          {line}" for line in alert.expr.splitlines())
    yield f"        # {alert.reason}"
    if alert.hold is not None:
        yield f"        for: {alert.hold}"
    if keep_firing:
        yield f"        keep_firing_for: {alert.keep}"
    yield "        labels:"
    yield f"          severity: {alert.severity}"
    yield "        annotations:"
    page = f"{runbooks.rstrip('/')}/" if runbooks else f"{alert.base}{names.RUNBOOKS_PATH}/"
    for name, text in (
        ("summary", alert.summary),
        ("description", alert.description),
        ("action", alert.action),
        ("link", f"{alert.base}{alert.path}"),
        ("runbook_url", f"{page}{alert.name}.md"),
    ):
        yield f"          {name}: >-"
        yield from textwrap.wrap(
            text, _WIDTH, initial_indent=" " * 12, subsequent_indent=" " * 12,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
