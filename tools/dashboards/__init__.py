"""The Grafana dashboards: ``python -m tools.dashboards`` writes dashboards/*.json."""
