"""Fixtures of the tests of secrets; such a test names this module as a plugin of pytest."""

import io
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from sloscore.logs import configure_logs


@pytest.fixture(params=["json", "console"])
def log(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """All that is logged in the test, at debug level and in either format."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    configure_logs(request.param, "debug")
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
