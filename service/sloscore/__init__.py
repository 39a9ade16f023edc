"""SLO scoring for LLM inference deployments that are being tuned."""

__version__ = "0.1.0"
