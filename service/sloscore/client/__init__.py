"""The client for tuners, synchronous and asynchronous."""

from typing import TYPE_CHECKING, Any

from sloscore.client.comparison import Change, Comparison
from sloscore.client.kubernetes import kubernetes_selector
from sloscore.client.report import Decision, PhaseResult, Report, SliResult
from sloscore.client.sync import Experiment, Phase, SLOClient

if TYPE_CHECKING:
    from sloscore.client.aio import AsyncExperiment, AsyncPhase, AsyncSLOClient

__all__ = [
    "AsyncExperiment",
    "AsyncPhase",
    "AsyncSLOClient",
    "Change",
    "Comparison",
    "Decision",
    "Experiment",
    "Phase",
    "PhaseResult",
    "Report",
    "SLOClient",
    "SliResult",
    "kubernetes_selector",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever the module has
    # A tuner that blocks need not import an event loop's HTTP client.
    if name in {"AsyncExperiment", "AsyncPhase", "AsyncSLOClient"}:
        from sloscore.client import aio  # noqa: PLC0415  on demand, as said above

        return getattr(aio, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
