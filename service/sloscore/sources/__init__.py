"""Metric sources: where histogram snapshots come from."""
