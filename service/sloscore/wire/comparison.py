"""An experiment next to its baseline, as a client gets it."""

from sloscore.core.compare import Outcome
from sloscore.wire.values import Document, Number


class Change(Document):
    """One value next to that of the baseline, in its own unit.

    ``change`` is the difference, ``change_ratio`` its share of the baseline's value; the intervals hold
    those of the deployments at the comparison's ``confidence``. ``verdict`` is "cannot_tell" where
    they hold 0, and where one of both values is unknown.
    """

    value: Number | None
    baseline: Number | None
    change: Number | None
    change_interval: tuple[Number, Number] | None
    change_ratio: Number | None
    change_ratio_interval: tuple[Number, Number] | None
    verdict: Outcome
    explanation: str


class SliChange(Change):
    """One SLI next to that of the baseline.

    ``over_threshold`` compares the shares of requests that took longer than the SLO's threshold, where
    both windows have a bucket that ends there.
    """

    sli: str
    over_threshold: Change | None = None


class Comparison(Document):
    """An experiment next to its baseline, the experiment ``baseline``.

    ``reason`` says why nothing is compared, null where it is. ``base_score`` compares the
    objective's values.
    """

    baseline: str | None
    reason: str | None
    confidence: float
    base_score: Change | None = None
    slis: tuple[SliChange, ...] = ()
