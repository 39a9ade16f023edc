"""What was counted in a window, as a client gets it."""

from sloscore.core.histogram import Layout
from sloscore.wire.answers import WindowReport
from sloscore.wire.values import Document, Number


class HistogramCounts(Document):
    """Requests at or under each upper bound in seconds; the last bound is "Infinity".

    ``sum`` is the total of all values, null where the server's own is not a number. ``layout`` says
    whether the buckets are classic ones or of a native histogram.
    """

    bounds: tuple[Number, ...]
    counts: tuple[float, ...]
    sum: Number | None
    layout: Layout


class Counts(Document):
    """What a window holds, summed over its instances, by role.

    Only what the task's SLOs and its objective need was read: ``histograms`` of ``latency``, ``ttft``
    and ``tpot``, and increases of ``counters``, such as ``tokens_out``. A window without an end still
    runs.
    """

    experiment: str
    task: str
    window: WindowReport
    histograms: dict[str, HistogramCounts]
    counters: dict[str, float]
