"""The last report that an experiment's client saw, so that a loop may ask as often as it likes."""

import time
from collections.abc import Callable

from sloscore.client.errors import ExperimentAborted, SLOClientError
from sloscore.client.report import Report


class Look:
    """Remembers the last report and when it came."""

    def __init__(self) -> None:
        self._report: Report | None = None
        self._at = 0.0

    def is_due(self, every: float) -> bool:
        """Whether the last report is older than ``every`` seconds."""
        return self._report is None or time.monotonic() - self._at >= every

    def remember(self, report: Report) -> Report:
        """Keep a report that came now."""
        self._report, self._at = report, time.monotonic()
        return report

    @property
    def says_stop(self) -> bool:
        """Whether the last report advises to stop."""
        return self._report is not None and self._report.decision.action == "stop"

    @staticmethod
    def suppressing(abort: Callable[[str], None], reason: str) -> None:
        """Abort, without hiding the error that is on its way by one of the abort's own."""
        try:
            abort(reason)
        except SLOClientError:
            return


def unless_aborted(report: Report) -> Report:
    """The final report; raises ExperimentAborted where there is none to come."""
    if report.reason is not None and report.reason.startswith("Experiment aborted"):
        raise ExperimentAborted(f"{report.experiment}: {report.reason}")
    return report
