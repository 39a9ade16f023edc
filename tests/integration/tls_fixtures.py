"""Fixtures of the tests of TLS; such a test names this module as a plugin of pytest."""

from pathlib import Path

import pytest
from tests.integration.certificates import issue


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority with a server's and a client's certificate."""
    return issue(tmp_path_factory.mktemp("tls"))
