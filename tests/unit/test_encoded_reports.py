"""Final reports as they are sent: as they were stored, and no more of them than fit."""

import orjson
import pytest

from sloscore.evaluation.encoded import EncodedReports

REPORT = {"status": "SUCCESS", "score": 2.5, "slis": []}
SIZE = len(orjson.dumps(REPORT))


@pytest.fixture
def kept() -> EncodedReports:
    return EncodedReports(max_bytes=2 * SIZE)


def test_a_report_is_kept_as_it_was_stored(kept: EncodedReports) -> None:
    assert kept.get("a") is None
    assert kept.keep("a", REPORT) == kept.get("a") == orjson.dumps(REPORT)


def test_one_that_is_kept_again_takes_no_more_room(kept: EncodedReports) -> None:
    kept.keep("a", REPORT)
    kept.keep("a", REPORT)
    assert kept.bytes_kept == SIZE


def test_the_one_asked_for_least_lately_makes_room(kept: EncodedReports) -> None:
    kept.keep("a", REPORT)
    kept.keep("b", REPORT)
    kept.get("a")
    kept.keep("c", REPORT)
    assert [kept.get(name) is not None for name in "abc"] == [True, False, True]
    assert kept.bytes_kept == 2 * SIZE


def test_one_that_does_not_fit_is_given_but_not_kept(kept: EncodedReports) -> None:
    large = {"reason": "x" * 3 * SIZE}
    assert kept.keep("a", large) == orjson.dumps(large)
    assert kept.get("a") is None
    assert kept.bytes_kept == 0
