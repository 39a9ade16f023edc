"""Fixtures of the tests of Alertmanager; such a test names this module as a plugin of pytest."""

from pathlib import Path

import pytest

from sloscore.errors import SloscoreError
from sloscore.simulate.fetch import ensure_alertmanager


@pytest.fixture(scope="session")
def alertmanager_binary() -> Path:
    """The Alertmanager of SLOSCORE_STACK, or of this machine, or one that apt downloads."""
    try:
        return ensure_alertmanager()
    except SloscoreError as error:
        pytest.skip(str(error))
