"""What broke by a defect: its trace is in the log once for each experiment, not once a round."""

import structlog

from sloscore.errors import SourceError

_log = structlog.get_logger()


class Traces:
    """Remembers whose trace is in the log already."""

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def log(self, key: str, failure: SourceError) -> None:
        """Log what caused a failure of the experiment, unless one of it was logged before."""
        if key not in self._logged:
            self._logged.add(key)
            _log.error("evaluation broke", experiment=key, exc_info=failure.__cause__)

    def forget(self, key: str) -> None:
        """The experiment has ended."""
        self._logged.discard(key)
