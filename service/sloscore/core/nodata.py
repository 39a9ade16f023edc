"""Missing data as a value, so that it can never be taken for a number."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NoData:
    """Nothing could be measured; ``reason`` is a sentence for the user."""

    reason: str
