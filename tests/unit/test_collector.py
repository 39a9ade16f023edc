import gc
from collections.abc import Iterator

import pytest

from sloscore.evaluation.collector import calm_collector


@pytest.fixture
def collector() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("collector")
def test_full_collections_are_seldom_and_leave_out_what_is_there_from_the_start() -> None:
    young, middle, _ = gc.get_threshold()

    calm_collector()

    assert gc.get_threshold() == (young, middle, 1000)
    assert gc.get_freeze_count() > 0
