"""SLO scoring of LLM inference deployments that are being tuned.

A tuner needs ``SLOClient`` or ``AsyncSLOClient``; both are imported when they are used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sloscore.client import AsyncSLOClient, SLOClient

__version__ = "0.1.0"
__all__ = ["AsyncSLOClient", "SLOClient", "__version__"]


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever the module has
    if name in {"AsyncSLOClient", "SLOClient"}:
        from sloscore import client  # noqa: PLC0415  the service does not need it

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
