"""Pictures of the dashboards: ``python -m tools.dashboards.render`` writes docs/images/*.png.

They are drawn from what a real Prometheus answers to the dashboards' own queries, not by Grafana.
"""
