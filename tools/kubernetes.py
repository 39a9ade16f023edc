"""Write the alerts and dashboards as objects of Kubernetes: ``python -m tools.kubernetes``."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import indent
from typing import Final

from sloscore.alerting.render import render
from tools.dashboards.__main__ import files as dashboards

DIRECTORY: Final = Path(__file__).parents[1] / "deploy" / "kubernetes" / "monitoring"
_RULE: Final = """\
# The alerts of rules/sloscore-alerts.yml for the Prometheus operator. Made by `make kubernetes`.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: sloscore
spec:
"""
_DASHBOARDS: Final = """\
# dashboards/*.json for the sidecar of Grafana's Helm chart, which looks for the label. Made by `make kubernetes`.
"""
# Grafana's sidecar keeps the files of all ConfigMaps in one directory, so their names say whose they are.
_CONFIG_MAP: Final = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: sloscore-dashboard-{stem}
  labels: {{grafana_dashboard: "1"}}
data:
  sloscore-{stem}.json: |
{text}"""


def files() -> Mapping[str, str]:
    """The text of each generated file by its name."""
    _, _, groups = render().partition("groups:\n")
    maps = (
        _CONFIG_MAP.format(stem=name.removesuffix(".json"), text=indent(text, " " * 4))
        for name, text in dashboards().items()
    )
    return {
        "prometheusrule.yaml": _RULE + indent(f"groups:\n{groups}", "  "),
        "dashboards.yaml": _DASHBOARDS + "---\n".join(maps),
    }


if __name__ == "__main__":
    for name, text in files().items():
        (DIRECTORY / name).write_text(text, encoding="utf-8")
