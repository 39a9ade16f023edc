"""The last report that an experiment's client saw, so that a loop may ask as often as it likes."""

import time
from collections.abc import Callable

from sloscore.client.errors import ExperimentAborted, ResultTimeout, SLOClientError
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


def not_in_time(report: Report, timeout: float) -> ResultTimeout:
    """What is raised where a report is not final after ``timeout`` seconds, with the report's reason."""
    sentence = f"{report.experiment} has no final score after {timeout:g} s"
    return ResultTimeout(f"{sentence}: {report.reason}" if report.reason else sentence)


def unless_aborted(report: Report) -> Report:
    """The final report; raises ExperimentAborted where there is none to come."""
    if report.reason is not None and report.reason.startswith("Experiment aborted"):
        raise ExperimentAborted(f"{report.experiment}: {report.reason}")
    return report
