"""What the tests of stores on both databases share."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from sloscore.experiments.store import ExperimentStore

OpenStore: TypeAlias = Callable[[], Awaitable[ExperimentStore]]
